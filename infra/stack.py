"""A deployed stack, in AWS or in the emulator on this machine: how to reach it, and its description.

Every program of `infra/` that speaks to AWS does so by this module, so that all take the same Region and credentials.
"""

import json
import os
import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from root import ROOT
from typed import Failure

# The default name of a stack.
STACK = "doorward"


@dataclass(frozen=True)
class Finding:
    """A problem and how to repair it, in one sentence. A note needs no repair."""

    text: str
    is_note: bool = False


def note(text: str) -> Finding:
    return Finding(text, is_note=True)


def state_directory() -> Path:
    """The state directory of the local stack."""
    return ROOT / (os.environ.get("STATE") or ".local")


def local_variables() -> dict[str, str]:
    """The variables in the stack.env of the running local stack."""
    try:
        lines = (state_directory() / "stack.env").read_text().splitlines()
    except FileNotFoundError:
        raise Failure("no local stack is running: start one with `make up`, or name one in AWS: STACK=name.") from None
    return dict(line.split("=", 1) for line in lines if not line.startswith("export "))


def remembered(directory: Path) -> dict[str, str]:
    """The template parameters that the local stack was given the previous time."""
    try:
        return dict(json.loads((directory / "parameters.json").read_text()))
    except (FileNotFoundError, ValueError):
        return {}


def remember(directory: Path, parameters: dict[str, str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "parameters.json").write_text(json.dumps(parameters))


def instant(text: str) -> datetime | None:
    """The instant in RFC 3339 notation; None if the text is none."""
    try:
        found = datetime.fromisoformat(text.strip().upper().replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else None


def revives(before: str, after: str) -> bool:
    """Whether another SessionsNotBefore would revive sessions that `before` has ended: an earlier instant, or none."""
    ended, wanted = instant(before), instant(after)
    return ended is not None and (wanted is None or wanted < ended)


def session() -> boto3.Session:
    """A session with AWS. botocore itself only reads AWS_DEFAULT_REGION; other SDKs and the command line read AWS_REGION first."""
    return boto3.Session(region_name=os.environ.get("AWS_REGION") or None)


class Environment:
    """A deployed stack. Everything is read once."""

    def __init__(self, stack: str, opened: boto3.Session | None = None) -> None:
        self.name = stack
        self.session = opened or session()
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        self.is_local = (urlsplit(endpoint).hostname or "") in ("127.0.0.1", "localhost")
        if not self.session.region_name:
            raise Failure("No Region is chosen: set AWS_REGION or AWS_DEFAULT_REGION to the stack's, or one in your AWS profile.")
        try:
            self.account = self.client("sts").get_caller_identity()["Account"]
        except (BotoCoreError, ClientError) as error:
            raise Failure(f"AWS does not know these credentials ({reason(error)}): log in, or set AWS_PROFILE.") from None
        try:
            self.stack = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        except (BotoCoreError, ClientError) as error:
            raise Failure(
                f"There is no stack {stack} in {self.session.region_name} of {self.account} ({reason(error)}): deploy it, or set STACK and AWS_REGION."
            ) from None

    def client(self, service: str) -> Any:
        return self.session.client(service, config=Config(retries={"max_attempts": 2}, connect_timeout=5, read_timeout=65))

    @property
    def place(self) -> str:
        """The place of the stack, to be shown before a change."""
        return f"{self.name} in {'the emulator' if self.is_local else f'{self.session.region_name} of {self.account}'}"

    @cached_property
    def parameters(self) -> dict[str, str]:
        return {p["ParameterKey"]: p["ParameterValue"] for p in self.stack["Parameters"]}

    @cached_property
    def outputs(self) -> dict[str, str]:
        return {o["OutputKey"]: o["OutputValue"] for o in self.stack["Outputs"]}

    @property
    def api_url(self) -> str:
        """The URL of the API; in the emulator, which serves every API under a URL of its own, that one."""
        return self.direct_url if self.is_local else self.outputs["ApiUrl"]

    @property
    def direct_url(self) -> str:
        """The URL that API Gateway gave the API, which no proxy and no domain of yours leads to."""
        id, stage = self.outputs["ApiId"], self.outputs["StageName"]
        if self.is_local:
            return f"{os.environ['AWS_ENDPOINT_URL']}/_aws/execute-api/{id}/{stage}"
        region = self.session.region_name
        suffix = self.client("apigateway").meta.endpoint_url.partition(f"{region}.")[2]  # amazonaws.com, and others in other partitions
        return f"https://{id}.execute-api.{region}.{suffix}/{stage}"

    @cached_property
    def template(self) -> dict[str, Any]:
        """The deployed template, after its transforms."""
        return self.client("cloudformation").get_template(StackName=self.name, TemplateStage="Processed")["TemplateBody"]

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        return {r["LogicalResourceId"]: r for page in pages for r in page["StackResourceSummaries"]}

    def names(self, kind: str) -> dict[str, str]:
        """The physical names of the resources of this type by their logical names."""
        return {name: r["PhysicalResourceId"] for name, r in self.resources.items() if r["ResourceType"] == kind}

    @cached_property
    def functions(self) -> dict[str, dict[str, Any]]:
        """Every function's configuration, by logical name."""
        functions = self.client("lambda")
        return {name: functions.get_function_configuration(FunctionName=id) for name, id in self.names("AWS::Lambda::Function").items()}

    @cached_property
    def mailer(self) -> dict[str, str]:
        """The mailer's environment variables as they are in force."""
        return self.functions["Mailer"]["Environment"]["Variables"]

    def variables(self) -> dict[str, str]:
        """The variables of a program for the stack's tables: Region, credentials, names."""
        credentials = self.session.get_credentials()
        if credentials is None:
            raise Failure("AWS gives no credentials: log in, or set AWS_PROFILE.")
        frozen = credentials.get_frozen_credentials()
        tables = {name: value for name, value in self.outputs.items() if name.endswith("Table")}
        return {
            "AWS_REGION": self.session.region_name,
            "AWS_ACCESS_KEY_ID": frozen.access_key,
            "AWS_SECRET_ACCESS_KEY": frozen.secret_key,
            "AWS_SESSION_TOKEN": frozen.token or "",
            **{variable(name): value for name, value in tables.items()},
        }


def variable(name: str) -> str:
    """The variable of a parameter or an output: LoginClientLimit is LOGIN_CLIENT_LIMIT."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def reason(error: Exception) -> str:
    return error.response["Error"]["Message"] if isinstance(error, ClientError) else str(error)


def event(function: str) -> bytes:
    """An event that shows whether a function starts, without changing or mailing anything."""
    try:
        sample = json.loads((ROOT / "events" / f"{function}.json").read_text())
    except FileNotFoundError:
        return b"{}"
    if sample.get("type") == "REQUEST":
        return json.dumps(sample).encode()  # an authorizer's, with a token that opens nothing
    if "httpMethod" in sample:
        return json.dumps(sample | {"httpMethod": "OPTIONS", "body": None}).encode()
    return b'{"Records":[]}' if "Records" in sample else b"{}"


def start_complaints(functions: Any, names: dict[str, str]) -> list[str]:
    """Calls every function (names by program) and returns the messages of those that do not start, except functions that an operator has stopped."""
    complaints = []
    for program, name in sorted(names.items()):
        try:
            answer = functions.invoke(FunctionName=name, Payload=event(program))
        except functions.exceptions.TooManyRequestsException:
            continue  # reserved concurrency 0 is an emergency switch
        except functions.exceptions.ResourceNotFoundException:
            continue  # a stack has some functions only if a parameter asks for them; CloudFormation answers for the others
        if "FunctionError" in answer:
            complaints.append(f"{program} fails: {cause(answer['Payload'].read())}")
    return complaints


def cause(answer: bytes) -> str:
    """The function's own message within that of Lambda or the emulator."""
    text = answer.decode(errors="replace")
    for key in ("message", "errorMessage"):
        try:
            text = json.loads(text)[key]
        except (ValueError, KeyError, TypeError):
            pass
    return str(text).strip()
