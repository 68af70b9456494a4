"""The template as a deployment needs to know it: its parameters, what they may be, and which function gets them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from place import ROOT, Failure

FILE = ROOT / "infra" / "template.yaml"
# Where the template finds the zips that `make build` makes.
ZIPS = "../target/lambda/"


class _Loader(yaml.SafeLoader):
    """Reads `!Ref Name` as ("Ref", "Name"), and its like."""


def _tagged(loader: _Loader, suffix: str, node: yaml.Node) -> tuple[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return suffix, loader.construct_scalar(node)
    return suffix, loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _tagged)


@dataclass(frozen=True)
class Template:
    """A template: the one of this checkout, or the one that is deployed."""

    parameters: dict[str, dict[str, Any]]
    functions: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, text: str | None = None) -> "Template":
        document = yaml.load(FILE.read_text() if text is None else text, _Loader)
        functions = [r["Properties"] for r in document["Resources"].values() if isinstance(r, dict) and r["Type"] == "AWS::Serverless::Function"]
        common = document.get("Globals", {}).get("Function", {}).get("Environment", {}).get("Variables", {})
        named = {str(f["CodeUri"]).split("/")[-2]: common | f.get("Environment", {}).get("Variables", {}) for f in functions if ZIPS in str(f["CodeUri"])}
        return cls(document["Parameters"], named)

    def defaults(self) -> dict[str, str]:
        """Of every parameter that has one."""
        return {name: str(about["Default"]) for name, about in self.parameters.items() if "Default" in about}

    def secrets(self) -> set[str]:
        """Parameters whose value AWS does not tell again, and that no file keeps."""
        return {name for name, about in self.parameters.items() if about.get("NoEcho")}

    def complaints(self, given: dict[str, str]) -> list[str]:
        """What CloudFormation would refuse, in its own order and without its stack trace."""
        found = []
        for name, value in given.items():
            about = self.parameters[name]
            allowed = [str(one) for one in about.get("AllowedValues", [])]
            if allowed and value not in allowed:
                found.append(f"{name} is one of {', '.join(allowed)}")
            elif about["Type"] == "Number" and not re.fullmatch(r"-?\d+(\.\d+)?", value):
                found.append(f"{name} is a number")
            elif "MinValue" in about and float(value) < float(about["MinValue"]):
                found.append(f"{name} is at least {about['MinValue']}")
            elif "AllowedPattern" in about and not re.search(about["AllowedPattern"], value):
                found.append(f"{name} {about.get('ConstraintDescription') or 'has to match ' + about['AllowedPattern']}")
        return found

    def environments(self, given: dict[str, str]) -> dict[str, dict[str, str]]:
        """The variables that each function would get, as far as they are known before a deployment: what AWS names by itself has a stand-in."""
        return {name: {variable: _value(of, given) for variable, of in variables.items()} for name, variables in self.functions.items()}


def from_directory(zips: str) -> Path:
    """The template with its zips taken from this directory, as a file beside the target directory's own."""
    directory = Path(zips).resolve()
    missing = [name for name in Template.read().functions if not (directory / name / "bootstrap.zip").is_file()]
    if missing:
        raise Failure(f"LAMBDA_DIR={zips} has no {missing[0]}/bootstrap.zip: `make build` makes it in target/lambda.")
    target = ROOT / "target" / "template.yaml"
    target.parent.mkdir(exist_ok=True)
    target.write_text(FILE.read_text().replace(f"CodeUri: {ZIPS}", f"CodeUri: {directory}/"))
    return target


def _value(of: Any, given: dict[str, str]) -> str:
    """A variable's value. A table, a configuration set or a URL of the stack's own is not known yet; its stand-in is as good as it."""
    if not isinstance(of, tuple):
        return str(of)
    kind, what = of
    if kind == "Ref":
        return given.get(what, what.lower())
    if kind == "If":
        condition, then, otherwise = what
        tested = {"HasLinkBase": "LinkBase", "HasDomain": "DomainName", "HasConfigurationSet": "ConfigurationSet"}[condition]
        return _value(then if given.get(tested) else otherwise, given)
    return re.sub(r"\$\{(\w+)\}", lambda name: given.get(name[1], "x"), str(what)).replace("${AWS::Region}", "x").replace("${AWS::URLSuffix}", "example.org")
