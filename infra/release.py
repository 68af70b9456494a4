"""`make release`: everything that a deployment needs on a machine without Rust, in one archive: target/doorward-VERSION.tar.

It has the functions' zips for each architecture, the template, the commands for AWS with their pinned requirements, the operator's programs, the
software bill of materials, the licences of everything that is linked, and the checksums of all files. The same commit gives the same bytes: files
are sorted, owners and dates are not the builder's, and nothing is compressed but what is compressed already.
"""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cargo
from processes import run
from root import ROOT
from typed import Failure, leave, run_command

sys.path.append(str(ROOT / "infra" / "checks"))
import licences
import sbom

# Files that are copied from the checkout.
FILES = (
    "CHANGELOG.md", "LICENSE", "Makefile", "OPERATIONS.md", "SECURITY.md", "docs/*.md", "docs/bench/*.md", "docs/bench/*.svg", "events/*.json", "examples/*/template.yaml", "examples/from-django/*", "examples/*/*.py",
    "infra/*.py", "infra/README.md", "infra/refuse.sh", "infra/tools.mk", "infra/aws/*.py", "infra/local/parameters", "infra/operate/*.py", "infra/permissions.txt", "infra/template.yaml",
    "infra/requirements/aws.txt", "infra/requirements/hashes/aws.txt", "infra/requirements/hashes/pip.txt", "infra/requirements/pip.txt",
)
PROGRAMS = ("check-settings", "doorward-admin")
# Rust's targets, and the machine in the head of an ELF file (System V ABI, e_machine).
TARGETS = {"x86_64": ("x86_64-unknown-linux-gnu", 62), "arm64": ("aarch64-unknown-linux-gnu", 183)}
SCRIPT = """\
#!/bin/sh
# Checks the files of this release and deploys it, with Python 3.11 and make: ./deploy PARAMS="Sender=accounts@your.domain"
set -eu
cd "$(dirname "$0")"
"${PYTHON:-python3}" infra/checksums.py
exec make --no-print-directory deploy "$@"
"""
Content = dict[str, bytes]


def main() -> None:
    archive = release()
    print(f"{archive.relative_to(ROOT)}: {archive.stat().st_size:,} bytes, SHA-256 {hashlib.sha256(archive.read_bytes()).hexdigest()}")


def release() -> Path:
    """Writes the archive and says where it is."""
    version = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    assert version, "the workspace has a version"
    name = f"doorward-{version[1]}"
    zips = os.environ.get("LAMBDA_DIR")
    files = _copied() | (_from_directory(Path(zips).resolve()) if zips else _built())
    files |= {"deploy": SCRIPT.encode(), "doorward.cdx.json": sbom.text().encode(), "LICENSES.txt": licences.text().encode()}
    files["SHA256SUMS"] = "".join(f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files)).encode()
    target = ROOT / "target" / f"{name}.tar"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(packed(name, files, _date()))
    return target


def packed(name: str, files: Content, date: int) -> bytes:
    """A tar file of these files below a folder."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size, entry.mtime = len(content), date
            entry.mode = 0o755 if path in ("deploy", "examples/from-django/move") or path.startswith("programs/") else 0o644
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def _copied() -> Content:
    return {str(path.relative_to(ROOT)): path.read_bytes() for pattern in FILES for path in sorted(ROOT.glob(pattern))}


def _built() -> Content:
    """Zips and programs of every architecture that can be built here, or of ARCH alone."""
    files: Content = {}
    wanted = [os.environ["ARCH"]] if os.environ.get("ARCH") else list(TARGETS)
    for architecture in wanted:
        if architecture not in TARGETS:
            raise Failure(f"ARCH={architecture} is none of {' and '.join(TARGETS)}.")
        target = TARGETS[architecture][0]
        if not (_rust() / target).exists():
            if os.environ.get("ARCH"):
                raise Failure(f"Rust cannot build for {architecture}: rustup target add {target}.")
            print(f"{architecture} is left out: Rust cannot build for it (rustup target add {target}).", file=sys.stderr)
            continue
        # A build runs the build scripts of hundreds of crates, so it gets no credentials.
        if run(["make", "--no-print-directory", "build", "programs", f"ARCH={architecture}"], cwd=ROOT, env=cargo.environment()) != 0:
            raise Failure("the functions do not build; above is why.")
        files |= _from_directory(ROOT / "target" / "lambda", architecture)
    return files


def _rust() -> Path:
    """The folder in which Rust has a folder for each target that it can build."""
    if not shutil.which("rustc"):
        raise Failure("rustc is not installed; Rust comes from rustup.rs. Or take zips that are built: LAMBDA_DIR=folder.")
    root = subprocess.run(["rustc", "--print", "sysroot"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    return Path(root) / "lib" / "rustlib"


def _from_directory(folder: Path, architecture: str = "") -> Content:
    """The zips of every function in a folder, and the programs if they are there. All are for one architecture."""
    files: Content = {}
    for function in _functions():
        file = folder / function / "bootstrap.zip"
        if not file.is_file():
            raise Failure(f"{folder} has no {function}/bootstrap.zip: `make build` makes it in target/lambda.")
        with zipfile.ZipFile(file) as archive:
            found = _architecture(archive.read("bootstrap"), str(file))
        architecture = architecture or found
        if found != architecture:
            raise Failure(f"{file} is for {found}, and others are for {architecture}: build all of them.")
        files[f"lambda/{architecture}/{function}/bootstrap.zip"] = file.read_bytes()
    for name in PROGRAMS:
        for file in (folder / name, folder / name / "bootstrap"):
            if file.is_file():
                content = file.read_bytes()
                files[f"programs/{_architecture(content, str(file))}/{name}"] = content
    return files


def _architecture(program: bytes, shown: str) -> str:
    """The architecture of a program, from the header of its file."""
    machine = int.from_bytes(program[18:20], "little") if program[:4] == b"\x7fELF" else 0
    for name, (_, number) in TARGETS.items():
        if machine == number:
            return name
    raise Failure(f"{shown} is not a program for Lambda.")


def _functions() -> Iterator[str]:
    """The functions of the template."""
    yield from re.findall(r"CodeUri: \.\./target/lambda/([\w-]+)/bootstrap\.zip", (ROOT / "infra" / "template.yaml").read_text())


def _date() -> int:
    """The date of every file: SOURCE_DATE_EPOCH, otherwise that of the commit."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    if not shutil.which("git") or not (ROOT / ".git").exists():
        return 0
    if subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, check=True, capture_output=True).stdout:
        print("The checkout has changes that are not committed, and the archive has them too.", file=sys.stderr)
    return int(subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, capture_output=True).stdout)


if __name__ == "__main__":
    leave(run_command("release", main))
