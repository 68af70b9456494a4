"""Variables that were typed after `make COMMAND`, of which make itself ignores those that no recipe reads."""

import difflib
import os
import re

from root import ROOT
from typed import Failure


def known() -> set[str]:
    """The variables of the Makefile that somebody may set."""
    makefile = (ROOT / "Makefile").read_text()
    typed = re.search(r"^typed := (.*)$", makefile, re.MULTILINE)
    return set(typed[1].split() if typed else []) | set(re.findall(r"^([A-Z]+) \?=", makefile, re.MULTILINE)) | {"AUTH", "CXX"}


def given(flags: str) -> list[str]:
    """The names of the variables in MAKEFLAGS, in which make puts a backslash before a blank of a value."""
    return re.findall(r"(?<!\S)(\w+):*=", re.sub(r"\\.", "", flags.partition("-- ")[2]))


def require_known() -> None:
    """Fails if a variable is a known one, misspelt. Others are taken for the environment's, such as AWS_REGION."""
    names = known()
    for name in given(os.environ.get("MAKEFLAGS", "")):
        if name not in names and not name.startswith("AWS_") and (near := difflib.get_close_matches(name.upper(), names, n=1, cutoff=0.75)):
            raise Failure(f"no command reads {name}; did you mean {near[0]}?")
