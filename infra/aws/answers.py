"""infra/samconfig.toml: the parameters of each stack, in the form that SAM CLI reads.

It has the Region of a stack and the parameters that differ from the template's defaults, so that a stack takes the new defaults of a later release. Git
ignores it, so `git pull` never conflicts with it. A team that wants to share it adds it with `git add -f`.
"""

from pathlib import Path
from typing import Any

import tomlkit

from root import ROOT

FILE = ROOT / "infra" / "samconfig.toml"
HEADER = """\
# Written by `make deploy`, a section for each stack: where it is, and the parameters that differ from the template's defaults.
# Change one by `make deploy PARAMS="Name=value"`. SAM CLI reads this file with --config-env STACK.
version = 0.1
"""


def read(stack: str) -> tuple[str | None, dict[str, str]]:
    """The Region and the parameters of the last deployment of this stack; empty if there was none."""
    section = _document().get(stack, {}).get("deploy", {}).get("parameters", {})
    return section.get("region"), {name: str(value) for name, value in section.get("parameter_overrides", {}).items()}


def write(stack: str, region: str, parameters: dict[str, str]) -> None:
    """Saves the parameters of this stack, and keeps the rest of the file."""
    document = _document()
    section: dict[str, Any] = {
        "stack_name": stack,
        "region": region,
        "capabilities": "CAPABILITY_IAM CAPABILITY_AUTO_EXPAND",
        "resolve_s3": True,
        "confirm_changeset": True,
        "fail_on_empty_changeset": False,
        "language_extensions": True,
        "parameter_overrides": parameters,
    }
    document[stack] = {"deploy": {"parameters": section}, "delete": {"parameters": {"stack_name": stack, "region": region}}}
    FILE.write_text(tomlkit.dumps(document))


def _document() -> Any:
    return tomlkit.parse(FILE.read_text() if FILE.exists() else HEADER)


def shown(file: Path = FILE) -> str:
    return str(file.relative_to(ROOT))
