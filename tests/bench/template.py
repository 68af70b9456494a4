"""What the template gives a function: memory and environment. Written once, there."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
LINK_BASE = "https://accounts.example.com"


class _Loader(yaml.SafeLoader):
    """Reads `!Ref Name` as ("Ref", "Name"), and its like."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: (suffix, getattr(node, "value", None)))


@dataclass(frozen=True)
class Function:
    """A function of the template."""

    name: str
    memory_mb: int
    environment: dict[str, str]


@cache
def parameters() -> dict[str, str]:
    """The parameters' defaults, and what a laptop's stack says instead: limits per client are out of the way, nothing else is."""
    given = {name: str(parameter.get("Default", "")) for name, parameter in _document()["Parameters"].items()}
    lines = (ROOT / "infra/local/parameters").read_text().splitlines()
    given.update(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {**given, "LinkBase": LINK_BASE}


@cache
def functions() -> dict[str, Function]:
    """Every function by its name. The tables are called as the store calls them: in lower case."""
    document, values = _document(), parameters()
    common = document["Globals"]["Function"]["Environment"]["Variables"]

    def value(of: Any) -> str:
        if isinstance(of, tuple):
            kind, name = of
            return values.get(name, name.lower()) if kind == "Ref" else LINK_BASE
        return str(of)

    found = {}
    for resource in document["Resources"].values():
        if isinstance(resource, dict) and resource["Type"] == "AWS::Serverless::Function":
            properties = resource["Properties"]
            name = Path(properties["CodeUri"]).parent.name
            variables = {**common, **properties["Environment"]["Variables"]}
            environment = {variable: value(of) for variable, of in variables.items()}
            found[name] = Function(name, properties["MemorySize"], {variable: text for variable, text in environment.items() if text})
    return found


def function(name: str) -> Function:
    """A function of the template, or one of the bench's own, which get what most of those have."""
    common = {"ACCOUNTS_TABLE": "accounts"} if name == "calls" else {}
    return functions().get(name) or Function(name, 256, common)


def alarms() -> int:
    """How many alarms there are with an AlarmTopic, loops written out."""

    def count(of: Any) -> int:
        if not isinstance(of, dict):
            return 0
        loops = sum(len(value[1]) * count(value[2]) for name, value in of.items() if name.startswith("Fn::ForEach::"))
        return loops + sum(isinstance(value, dict) and value.get("Type") == "AWS::CloudWatch::Alarm" for value in of.values())

    return count(_document()["Resources"])


def lambda_directory() -> Path:
    """Where the zips are: target/lambda, unless LAMBDA_DIR says otherwise."""
    return Path(os.environ.get("LAMBDA_DIR") or ROOT / "target/lambda").resolve()


@cache
def _document() -> dict[str, Any]:
    return yaml.load((ROOT / "infra/template.yaml").read_text(), _Loader)
