"""`make release-notes` prints what CHANGELOG.md says of the version in Cargo.toml, for the message of its tag.
`make tags` tags each release of CHANGELOG.md that has no tag: at the commit that its heading names, otherwise at the one that gave it the date."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def notes(changelog: str, version: str) -> str | None:
    """The section of a version, without the date that follows it."""
    section = re.search(rf"^## {re.escape(version)}(?: [^\n]*)?\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return section[1].strip() or None if section else None


def tag_releases(checkout: Path) -> list[str]:
    """The tags that are new."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=checkout, check=True, capture_output=True, text=True).stdout.strip()

    if git("rev-parse", "--is-shallow-repository") == "true":
        sys.exit("tags: this clone has only a part of the history; `git fetch --unshallow` gets the rest.")
    new = []
    headings = re.findall(r"^## (\S+) \([\d-]+(?:, commit ([0-9a-f]+))?\)$", (checkout / "CHANGELOG.md").read_text(), re.MULTILINE)
    for version, named in headings[::-1]:
        commit = named or git("log", "-1", "--format=%H", f"-G^## {re.escape(version)} \\(", "--", "CHANGELOG.md")
        if commit and not git("tag", "--list", f"v{version}"):
            git("tag", f"v{version}", commit)
            new.append(f"v{version}")
    return new


def main(command: str = "notes") -> int:
    if command == "tags":
        print("\n".join(tag_releases(ROOT)) or "Every release has its tag.")
        return 0
    version = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    assert version, "the workspace has a version"
    found = notes((ROOT / "CHANGELOG.md").read_text(), version[1])
    if not found:
        print(f"CHANGELOG.md has no section `## {version[1]}`, which is the version in Cargo.toml.", file=sys.stderr)
        return 1
    print(f"Doorward {version[1]}\n\n{found}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
