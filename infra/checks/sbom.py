"""The software bill of materials as CycloneDX 1.6: every crate that is linked into a function, from Cargo.lock and cargo's resolution.

`python infra/checks/sbom.py FILE`. The same lock file gives the same file, byte for byte.
"""

import json
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# The union for both architectures.
TARGETS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"]


def resolution(target: str) -> dict[str, Any]:
    print(f"Reading what is linked for {target}", file=sys.stderr)
    command = ["cargo", "metadata", "--quiet", "--locked", "--format-version", "1", "--filter-platform", target]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def linked(metadata: dict[str, Any]) -> dict[str, set[str]]:
    """Each package that is linked into a function, with its dependencies, except development dependencies."""
    functions = [p["id"] for p in metadata["packages"] if Path(p["manifest_path"]).parent == ROOT / "functions"]
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    found: dict[str, set[str]] = {}
    while functions:
        package = functions.pop()
        if package not in found:
            found[package] = {d["pkg"] for d in nodes[package]["deps"] if any(kind["kind"] != "dev" for kind in d["dep_kinds"])}
            functions += found[package]
    return found


def checksums() -> dict[tuple[str, str], str]:
    lock = (ROOT / "Cargo.lock").read_text()
    return {(name, version): checksum for name, version, checksum in re.findall(r'name = "(.+)"\nversion = "(.+)"\nsource = .+\nchecksum = "(.+)"', lock)}


def component(package: dict[str, Any], checksum: str | None) -> dict[str, Any]:
    purl = f"pkg:cargo/{package['name']}@{package['version']}"
    described = {"type": "library", "bom-ref": purl, "name": package["name"], "version": package["version"], "purl": purl}
    if package["license"]:
        described["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if checksum:
        described["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return described


def document() -> dict[str, Any]:
    packages: dict[str, dict[str, Any]] = {}
    graph: dict[str, set[str]] = {}
    for target in TARGETS:
        metadata = resolution(target)
        packages |= {package["id"]: package for package in metadata["packages"]}
        for package, needed in linked(metadata).items():
            graph.setdefault(package, set()).update(needed)
    known = checksums()
    reference = {id: f"pkg:cargo/{packages[id]['name']}@{packages[id]['version']}" for id in graph}
    components = [component(packages[id], known.get((packages[id]["name"], packages[id]["version"]))) for id in graph]
    dependencies = [{"ref": reference[id], "dependsOn": sorted(reference[other] for other in needed)} for id, needed in graph.items()]
    lock = (ROOT / "Cargo.lock").read_text()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, lock)}",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": "doorward", "name": "doorward", "version": next(p["version"] for p in packages.values() if p["name"] == "doorward")}},
        "components": sorted(components, key=lambda c: c["bom-ref"]),
        "dependencies": sorted(dependencies, key=lambda d: d["ref"]),
    }


def text() -> str:
    return json.dumps(document(), indent=1) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).parent.mkdir(exist_ok=True)
    Path(sys.argv[1]).write_text(text())
