"""The licence texts of every crate that is linked into a function, and of the data in them, for whoever passes the programs on."""

import re
from pathlib import Path
from typing import Any

import sbom
from sbom import ROOT

NAMES = re.compile(r"(licen[cs]e|copying|notice|copyright|unlicense)", re.IGNORECASE)


def text() -> str:
    """Each text once, below the names of those that it is for."""
    users: dict[str, list[str]] = {}
    for package in sorted(_packages(), key=lambda package: (package["name"], package["version"])):
        name = f"{package['name']} {package['version']} ({package['license'] or 'see its file'})"
        for content in _texts(package) or [f"{package['license']}; the package has no file with its text."]:
            users.setdefault(content, []).append(name)
    about = (ROOT / "shared" / "data" / "README.md").read_text().partition("## `common-passwords.txt`\n")[2].partition("\n## ")[0].strip()
    users.setdefault(about, []).append("common-passwords.txt (BSD-3-Clause)")
    line = "-" * 78
    return "".join(f"{line}\n{chr(10).join(names)}\n{line}\n\n{content}\n\n" for content, names in users.items())


def _packages() -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for target in sbom.TARGETS:
        metadata = sbom.resolution(target)
        linked = sbom.linked(metadata)
        found |= {package["id"]: package for package in metadata["packages"] if package["id"] in linked and package["source"]}
    return list(found.values())


def _texts(package: dict[str, Any]) -> list[str]:
    folder = Path(package["manifest_path"]).parent
    files = [file for file in sorted(folder.iterdir()) if file.is_file() and NAMES.match(file.name)]
    return [re.sub(r"\s+\n", "\n", file.read_text(errors="replace").replace("\r\n", "\n")).strip() for file in files]
