"""Paths and settings, read once from the environment."""

import os
import platform
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from root import ROOT
from stack import remembered, revives, state_directory
from typed import Failure, nearest, pairs

TEMPLATE = ROOT / "infra" / "template.yaml"
REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

# MiniStack gives an API the id in this tag, so that its URL is known before the deployment and stays the same.
API_ID = "doorward"
API_ID_TAG = {"Key": "ms-custom-id", "Value": API_ID}

# Variables of MiniStack that are passed on (AUTH=true enforces IAM; for the others see its documentation).
EMULATOR_VARIABLES = re.compile(r"AUTH|BIND_HOST|LOG_LEVEL|SMTP_\w+|LAMBDA_\w+|MINISTACK_\w+|CLOUDTRAIL_\w+")
# Other variables that it needs. Functions inherit its environment, so nothing else is passed on.
SHELL_VARIABLES = re.compile(r"PATH|HOME|LANG|LC_\w+|TZ|SSL_CERT_\w+")


@dataclass(frozen=True)
class Template:
    """The parts of the template that this program needs."""

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
    """Reads the template and ignores tags such as !Ref and !Sub."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


@dataclass(frozen=True)
class Settings:
    """The settings of one invocation."""

    directory: Path = field(default_factory=state_directory)
    requested_port: str = field(default_factory=lambda: os.environ.get("PORT", ""))
    # None without PARAMS; then the parameters of the previous time apply.
    said: str | None = field(default_factory=lambda: os.environ.get("PARAMS"))
    template: Template = field(default_factory=Template.read)

    @property
    def port(self) -> int:
        port = self.requested_port or "4566"
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise Failure(f"PORT={port} is no port number.")
        return int(port)

    @property
    def requested(self) -> dict[str, str]:
        """The template parameters of PARAMS, of this or the previous time. Sessions that were ended stay ended, as on AWS."""
        before = remembered(self.directory)
        if self.said is None:
            # A changed template may lack some of the earlier ones, which is no reason to fail.
            return {name: value for name, value in before.items() if name in self.template.parameters}
        given = self._read(pairs(self.said), "PARAMS")
        ended = before.get("SessionsNotBefore", "")
        return given | {"SessionsNotBefore": ended} if revives(ended, given.get("SessionsNotBefore", "")) else given

    def parameters(self, requested: dict[str, str] | None = None) -> dict[str, str]:
        """The template's parameters: infra/local/parameters, then PARAMS (or `requested`), then those that depend on this machine."""
        file = Path(__file__).with_name("parameters")
        lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
        given = self._read(lines, str(file.relative_to(ROOT))) | (self.requested if requested is None else requested)
        stage = given.setdefault("StageName", "v1")
        given.setdefault("LinkBase", self.api_url(stage))
        given.setdefault("Architecture", architecture())
        return given

    def _read(self, pairs: list[str], where: str) -> dict[str, str]:
        given = {}
        for pair in pairs:
            name, equals, value = pair.partition("=")
            if not equals:
                raise Failure(f"{where}: {pair!r} is not Name=value.")
            if name not in self.template.parameters:
                raise Failure(f"{where}: the template has no parameter {name}{nearest(name, self.template.parameters) or '; docs/configuration.md lists them'}")
            given[name] = value
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

    @property
    def account_page_url(self) -> str:
        return f"{self.endpoint}/account-page/index.html"

    def emulator_variables(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if EMULATOR_VARIABLES.fullmatch(name)}


def architecture() -> str:
    """This machine's architecture in Lambda's words, because the emulator runs the functions directly."""
    if platform.system() != "Linux":
        raise Failure(f"The local stack runs Lambda's own Linux binaries, which {platform.system()} cannot; use a Linux machine, WSL or a virtual machine.")
    return "arm64" if platform.machine() == "aarch64" else "x86_64"
