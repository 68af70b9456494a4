"""Prints what CHANGELOG.md says of the version in Cargo.toml, for the message of its tag; complains where it says nothing."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def notes(changelog: str, version: str) -> str | None:
    """The section of a version, without the date that follows it."""
    section = re.search(rf"^## {re.escape(version)}(?: [^\n]*)?\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return section[1].strip() or None if section else None


def main() -> int:
    version = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    assert version, "the workspace has a version"
    found = notes((ROOT / "CHANGELOG.md").read_text(), version[1])
    if not found:
        print(f"CHANGELOG.md has no section `## {version[1]}`, which is the version in Cargo.toml.", file=sys.stderr)
        return 1
    print(f"Doorward {version[1]}\n\n{found}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
