"""What is looked at: a stack, in AWS or in the emulator on this machine, and what AWS says of it."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Finding:
    """What is wrong, and its mend: one sentence. A note is nothing to mend."""

    text: str
    is_note: bool = False


def note(text: str) -> Finding:
    return Finding(text, is_note=True)


class Unreachable(Exception):
    """There is nothing to look at; says why and what to do."""


def use_local_stack() -> None:
    """Sets the variables of stack.env, so that the SDK speaks to the emulator that runs here."""
    file = ROOT / (os.environ.get("STATE") or ".local") / "stack.env"
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        raise Unreachable("No local stack is running: start one with `make up`, or name one in AWS: make doctor STACK=name.") from None
    os.environ.update(line.split("=", 1) for line in lines if not line.startswith("export "))


class Environment:
    """A deployed stack. What is read once is kept."""

    def __init__(self, stack: str) -> None:
        self.name = stack
        self.session = boto3.Session()
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        self.is_local = (urlsplit(endpoint).hostname or "") in ("127.0.0.1", "localhost")
        if not self.session.region_name:
            raise Unreachable("No Region is chosen: set AWS_REGION to the stack's.")
        try:
            self.account = self.client("sts").get_caller_identity()["Account"]
        except (BotoCoreError, ClientError) as error:
            raise Unreachable(f"AWS does not know these credentials ({_reason(error)}): log in, or set AWS_PROFILE.") from None
        try:
            self.stack = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        except ClientError as error:
            raise Unreachable(f"There is no stack {stack} in {self.session.region_name} of {self.account} ({_reason(error)}): deploy it, or set STACK and AWS_REGION.") from None

    def client(self, service: str) -> Any:
        region = self.session.region_name or os.environ.get("AWS_REGION")
        return self.session.client(service, region_name=region, config=Config(retries={"max_attempts": 2}, connect_timeout=5, read_timeout=15))

    @property
    def place(self) -> str:
        """Where this is, for whoever is about to change something."""
        return f"{self.name} in {'the emulator' if self.is_local else f'{self.session.region_name} of {self.account}'}"

    @cached_property
    def parameters(self) -> dict[str, str]:
        return {p["ParameterKey"]: p["ParameterValue"] for p in self.stack["Parameters"]}

    @cached_property
    def outputs(self) -> dict[str, str]:
        return {o["OutputKey"]: o["OutputValue"] for o in self.stack["Outputs"]}

    @cached_property
    def template(self) -> dict[str, Any]:
        """As deployed, after its transforms."""
        return self.client("cloudformation").get_template(StackName=self.name, TemplateStage="Processed")["TemplateBody"]

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        return {r["LogicalResourceId"]: r for page in pages for r in page["StackResourceSummaries"]}

    def names(self, kind: str) -> dict[str, str]:
        """Logical and physical name of every resource of this type."""
        return {name: r["PhysicalResourceId"] for name, r in self.resources.items() if r["ResourceType"] == kind}

    @cached_property
    def functions(self) -> dict[str, dict[str, Any]]:
        """Every function's configuration, by logical name."""
        functions = self.client("lambda")
        return {name: functions.get_function_configuration(FunctionName=id) for name, id in self.names("AWS::Lambda::Function").items()}

    @cached_property
    def mailer(self) -> dict[str, str]:
        """The mailer's variables: what is in force, whoever set it."""
        return self.functions["Mailer"]["Environment"]["Variables"]


def _reason(error: Exception) -> str:
    return error.response["Error"]["Message"] if isinstance(error, ClientError) else str(error)
