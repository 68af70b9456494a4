"""Reads from the template what a function gets: memory and environment."""

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
LINK_BASE = "https://accounts.example.com"


class _Loader(yaml.SafeLoader):
    """Reads `!Ref Name` as ("Ref", "Name"), and other tags likewise."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: (suffix, getattr(node, "value", None)))


@dataclass(frozen=True)
class Function:
    """A function of the template."""

    name: str
    memory_mb: int
    logs_starts: bool  # whether Lambda writes its own lines of each request
    environment: dict[str, str]


@cache
def parameters() -> dict[str, str]:
    """The parameters' defaults, overridden as for the local stack, so that the limits per client do not interfere. Metrics stay those of a deployment."""
    given = {name: str(parameter.get("Default", "")) for name, parameter in _document()["Parameters"].items()}
    lines = (ROOT / "infra/local/parameters").read_text().splitlines()
    local = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {**given, **local, "Metrics": given["Metrics"], "LinkBase": LINK_BASE}


@cache
def functions() -> dict[str, Function]:
    """Every function by its name. Tables have the names of the store, in lower case."""
    document, values = _document(), parameters()
    common = document["Globals"]["Function"]["Environment"]["Variables"]

    def value(of: Any) -> str:
        if isinstance(of, tuple):
            kind, name = of
            if kind == "If" and name[-1].tag == "!Ref":
                kind, name = "Ref", name[-1].value  # a condition that does not hold by default
            return values.get(name, name.lower()) if kind == "Ref" else LINK_BASE
        return str(of)

    found = {}
    for resource in document["Resources"].values():
        if isinstance(resource, dict) and resource["Type"] == "AWS::Serverless::Function":
            properties = resource["Properties"]
            name = Path(properties["CodeUri"]).parent.name
            variables = {**common, **properties["Environment"]["Variables"]}
            environment = {variable: value(of) for variable, of in variables.items()}
            logs_starts = properties["LoggingConfig"].get("SystemLogLevel") != "WARN"
            found[name] = Function(name, int(value(properties["MemorySize"])), logs_starts, {variable: text for variable, text in environment.items() if text})
    return found


def function(name: str) -> Function:
    """A function of the template, or one of the bench's own, which get what most functions get."""
    common = {"ACCOUNTS_TABLE": "accounts"} if name == "calls" else {}
    return functions().get(name) or Function(name, int(parameters()["HashingMemory"]), True, common)


def timers() -> dict[str, int]:
    """The functions that a timer calls, with the number of its calls in a day."""
    found = {}
    for resource in _document()["Resources"].values():
        if isinstance(resource, dict) and resource["Type"] == "AWS::Serverless::Function":
            for event in resource["Properties"].get("Events", {}).values():
                if event["Type"] == "Schedule":
                    number, unit = re.fullmatch(r"rate\((\d+) (minute|hour)s?\)", event["Properties"]["Schedule"]).groups()  # type: ignore[union-attr]
                    found[Path(resource["Properties"]["CodeUri"]).parent.name] = {"minute": 24 * 60, "hour": 24}[unit] // int(number)
    return found


def alarms() -> int:
    """The number of alarms with an AlarmTopic and no webhook, loops expanded."""

    def count(of: Any) -> int:
        if not isinstance(of, dict):
            return 0
        loops = sum(len(value[1]) * count(value[2]) for name, value in of.items() if name.startswith("Fn::ForEach::"))
        return loops + sum(isinstance(value, dict) and value.get("Type") == "AWS::CloudWatch::Alarm" and value.get("Condition") != "WatchesWebhook" for value in of.values())

    return count(_document()["Resources"])


def in_source(file: str, pattern: str) -> str:
    """What a pattern finds in a file, for a figure of the report that the code determines."""
    found = re.search(pattern, (ROOT / file).read_text(), re.DOTALL)
    assert found, f"{pattern} is not in {file}"
    return found[1]


def lambda_directory() -> Path:
    """The folder of the zips: LAMBDA_DIR, or target/lambda."""
    return Path(os.environ.get("LAMBDA_DIR") or ROOT / "target/lambda").resolve()


@cache
def _document() -> dict[str, Any]:
    return yaml.load((ROOT / "infra/template.yaml").read_text(), _Loader)
