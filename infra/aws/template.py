"""The template as a deployment needs to know it: its parameters, what they may be, and its functions."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from root import ROOT
from typed import Failure

FILE = ROOT / "infra" / "template.yaml"
# The folder in which the template expects the zips of `make build`.
ZIPS = "../target/lambda/"


class _Loader(yaml.SafeLoader):
    """Reads the template and ignores tags such as !Ref and !Sub."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


@dataclass(frozen=True)
class Template:
    """The template of this checkout."""

    parameters: dict[str, dict[str, Any]]
    functions: list[str]

    @classmethod
    def read(cls) -> "Template":
        document = yaml.load(FILE.read_text(), _Loader)
        functions = [r["Properties"] for r in document["Resources"].values() if isinstance(r, dict) and r["Type"] == "AWS::Serverless::Function"]
        return cls(document["Parameters"], [str(f["CodeUri"]).split("/")[-2] for f in functions])

    def defaults(self) -> dict[str, str]:
        """The defaults of the parameters that have one."""
        return {name: str(about["Default"]) for name, about in self.parameters.items() if "Default" in about}

    def secrets(self) -> set[str]:
        """Parameters whose value AWS does not return, and that are kept in no file."""
        return {name for name, about in self.parameters.items() if about.get("NoEcho")}

    def complaints(self, given: dict[str, str]) -> list[str]:
        """The problems for which CloudFormation would refuse the parameters, in its order."""
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


def released(architecture: str) -> str:
    """The folder of the zips in a release. Empty in a checkout, which builds them."""
    if (ROOT / "Cargo.toml").exists():
        return ""
    folder = ROOT / "lambda" / architecture
    if not folder.is_dir():
        there = " and ".join(sorted(each.name for each in folder.parent.iterdir()))
        raise Failure(f"this release was not built for {architecture}, only for {there}: deploy with Architecture={there.split()[0]}.")
    return str(folder)


def from_directory(zips: str) -> Path:
    """Writes the template with its zips taken from this folder to a file in the target folder."""
    directory = Path(zips).resolve()
    missing = [name for name in Template.read().functions if not (directory / name / "bootstrap.zip").is_file()]
    if missing:
        raise Failure(f"LAMBDA_DIR={zips} has no {missing[0]}/bootstrap.zip: `make build` makes it in target/lambda.")
    target = ROOT / "target" / "template.yaml"
    target.parent.mkdir(exist_ok=True)
    target.write_text(FILE.read_text().replace(f"CodeUri: {ZIPS}", f"CodeUri: {directory}/"))
    return target
