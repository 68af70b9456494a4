"""Where things are and what was asked for, read once from the environment."""

import os
import platform
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from failure import Failure

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "infra" / "template.yaml"
STACK = "doorward"
REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

# MiniStack gives an API the id in this tag, so that its URL is known before it is deployed and stays the same.
API_ID = "doorward"
API_ID_TAG = {"Key": "ms-custom-id", "Value": API_ID}

# MiniStack's own variables, which pass through (AUTH=true enforces IAM; the rest is in its documentation).
EMULATOR_VARIABLES = re.compile(r"AUTH|BIND_HOST|LOG_LEVEL|PERSIST_STATE|STATE_DIR|SMTP_\w+|LAMBDA_\w+|MINISTACK_\w+|CLOUDTRAIL_\w+")
# What it needs of this shell besides. A function inherits its environment, so nothing else may get in.
SHELL_VARIABLES = re.compile(r"PATH|HOME|LANG|LC_\w+|TZ|SSL_CERT_\w+")


@dataclass(frozen=True)
class Template:
    """What this program needs to know of the template."""

    parameters: frozenset[str]
    zips: dict[str, str]  # function (package, binary) → its CodeUri

    @classmethod
    def read(cls) -> "Template":
        document = yaml.load(TEMPLATE.read_text(), _Loader)
        resources = [r for r in document["Resources"].values() if isinstance(r, dict)]  # an Fn::ForEach is a list
        functions = [r["Properties"] for r in resources if r["Type"] == "AWS::Serverless::Function"]
        return cls(
            parameters=frozenset(document["Parameters"]),
            zips={Path(f["CodeUri"]).parent.name: f["CodeUri"] for f in functions},
        )


class _Loader(yaml.SafeLoader):
    """Reads the template without caring for !Ref, !Sub and their like."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


@dataclass(frozen=True)
class Settings:
    """One invocation's wishes."""

    directory: Path = ROOT / (os.environ.get("STATE") or ".local")
    wished_port: str = os.environ.get("PORT", "")
    overrides: str = os.environ.get("PARAMS", "")
    template: Template = field(default_factory=Template.read)

    @property
    def port(self) -> int:
        port = self.wished_port or "4566"
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise Failure(f"PORT={port} is no port number.")
        return int(port)

    def parameters(self) -> dict[str, str]:
        """The template's parameters: infra/local/parameters, then PARAMS, then what only this machine knows."""
        file = Path(__file__).with_name("parameters")
        lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
        try:
            wishes = shlex.split(self.overrides)
        except ValueError as error:
            raise Failure(f"PARAMS cannot be read ({error}); write PARAMS=\"Name=value Other='two words'\".") from error
        given = {}
        for pair in lines + wishes:
            name, equals, value = pair.partition("=")
            if not equals:
                raise Failure(f"PARAMS: {pair!r} is not Name=value.")
            if name not in self.template.parameters:
                raise Failure(f"PARAMS: the template has no parameter {name}; it has {', '.join(sorted(self.template.parameters))}.")
            given[name] = value
        stage = given.setdefault("StageName", "v1")
        given.setdefault("LinkBase", self.api_url(stage))
        given.setdefault("Architecture", architecture())
        return given

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def api_url(self, stage: str) -> str:
        return f"{self.endpoint}/_aws/execute-api/{API_ID}/{stage}"

    @property
    def mail_url(self) -> str:
        return f"{self.endpoint}/_ministack/ses/messages"

    @property
    def inbox_url(self) -> str:
        return f"{self.endpoint}/inbox/index.html"

    def emulator_variables(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if EMULATOR_VARIABLES.fullmatch(name)}


def architecture() -> str:
    """This machine's, as Lambda calls it: the emulator runs the functions directly."""
    if platform.system() != "Linux":
        raise Failure(f"The local stack runs Lambda's own Linux binaries, which {platform.system()} cannot; use a Linux machine, WSL or a virtual machine.")
    return "arm64" if platform.machine() == "aarch64" else "x86_64"
