"""Checks template parameters with the functions' own parser before they are deployed.

`check-settings`, a program of the workspace, reads the variables of each function and reports why the function would refuse to start.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import cargo
from stack import variable
from typed import Failure

PROGRAM = "check-settings"


def complaints(functions: Iterable[str], before: dict[str, str], after: dict[str, str], program: Path | None = None) -> list[str]:
    """The problems of the parameters in `after` that those in `before` did not have, by the parameters' names.

    A parameter is the variable of the same name in every function that reads it. Values that the template fills in by itself are missing in both.
    `program` is the parser, if it was built before.
    """
    program = program or cargo.built(PROGRAM)
    known = set(_asked(program, functions, before))
    return [_in_parameters(each, after) for each in _asked(program, functions, after) if each not in known]


def broken_templates(program: Path | None = None) -> list[str]:
    """The mails and pages that cannot be rendered with the templates of BRANDING, which are compiled into the parser as into the functions."""
    if not os.environ.get("BRANDING"):
        return []
    result = subprocess.run([str(program or cargo.built(PROGRAM)), "templates"], capture_output=True, text=True, env=cargo.environment(), check=False)
    return [f"BRANDING: {line}" for line in result.stdout.splitlines()]


def _asked(program: Path, functions: Iterable[str], parameters: dict[str, str]) -> list[str]:
    """Every complaint, each once, without the functions' names."""
    variables = {variable(name): value for name, value in parameters.items()}
    variables |= {name: os.environ[name] for name in ("AWS_ENDPOINT_URL",) if name in os.environ}
    text = json.dumps({function: variables for function in functions})
    result = subprocess.run([str(program)], input=text, capture_output=True, text=True, env=cargo.environment(), check=False)
    lines = [line.partition(": ")[2] for line in result.stdout.splitlines()]
    if (result.returncode != 0) != bool(lines):
        raise Failure(f"{PROGRAM} does not work: {result.stderr.strip() or f'it ended with {result.returncode}'}")
    return list(dict.fromkeys(lines))


def _in_parameters(complaint: str, parameters: dict[str, str]) -> str:
    """The complaint with LoginClientLimit in place of LOGIN_CLIENT_LIMIT."""
    names = {variable(name): name for name in parameters}
    return re.sub(r"[A-Z][A-Z0-9_]+", lambda found: names.get(found[0], found[0]), complaint)
