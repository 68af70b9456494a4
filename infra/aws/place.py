"""Where this happens: the account and the Region, and what is there under the stack's name, if anything is."""

import os
import sys
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from stack import reason, session
from typed import Failure


@dataclass(frozen=True)
class Place:
    """An account and a Region, with valid credentials."""

    session: boto3.Session
    region: str
    account: str

    @classmethod
    def found(cls, region: str | None = None) -> "Place":
        """The Region of the environment, otherwise `region`, that of the previous deployment."""
        found = boto3.Session(region_name=region) if region and not os.environ.get("AWS_REGION") else session()
        if not found.region_name:
            raise Failure("no Region is chosen: set AWS_REGION, such as AWS_REGION=eu-central-1.")
        try:
            account = found.client("sts", config=_config()).get_caller_identity()["Account"]
        except (BotoCoreError, ClientError) as error:
            raise Failure(f"AWS does not know these credentials ({reason(error)}): log in, or set AWS_PROFILE.") from None
        return cls(found, found.region_name, account)

    def client(self, service: str) -> Any:
        return self.session.client(service, config=_config())

    def stack(self, name: str) -> dict[str, Any] | None:
        """The stack with this name, if it exists."""
        try:
            return self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in reason(error):
                return None
            raise

    def existing(self, name: str) -> dict[str, Any]:
        """The stack with this name, which must exist."""
        if found := self.stack(name):
            return found
        raise Failure(f"there is no stack {name} in {self}: set STACK and AWS_REGION.")

    @property
    def is_emulator(self) -> bool:
        """Whether this is an emulator on this machine, in which nothing takes long."""
        return (urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname or "") in ("127.0.0.1", "localhost")

    def __str__(self) -> str:
        return f"the emulator at {os.environ['AWS_ENDPOINT_URL']}" if self.is_emulator else f"{self.region} of {self.account}"


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    """A stack's outputs by name."""
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def parameters(stack: dict[str, Any]) -> dict[str, str]:
    """A stack's parameters by name."""
    return {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack.get("Parameters", [])}


def confirm(question: str, answer: str) -> None:
    """Continues only if `answer` is typed or given as CONFIRM."""
    given = os.environ.get("CONFIRM") or input(f"{question} Type {answer} to go on: ").strip()
    if given != answer:
        raise Failure(f"{given!r} is not {answer}: nothing was done.")


def say(what: str) -> None:
    print(what, flush=True)


def _config() -> Config:
    return Config(retries={"max_attempts": 3, "mode": "standard"}, connect_timeout=5, read_timeout=60)


def is_terminal() -> bool:
    return sys.stdin.isatty()
