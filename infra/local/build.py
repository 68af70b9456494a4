"""Builds the functions as Lambda wants them."""

import hashlib
import shutil
import sys
import zipfile
from pathlib import Path

import cargo
from settings import Settings
from typed import Failure

TOOLS = Path(sys.prefix) / "bin"


def environment() -> dict[str, str]:
    """Where cargo finds `cargo lambda`."""
    variables = cargo.environment()
    return variables | {"PATH": f"{TOOLS}:{variables['PATH']}"}


def binaries(settings: Settings) -> dict[str, Path]:
    """Builds every function as the tests build it: optimised only where it computes, linked here."""
    functions = list(settings.template.zips)
    if not shutil.which("cargo"):
        raise Failure("cargo is not installed; Rust comes from rustup.rs.")
    out = settings.directory / "lambda"
    command = ["cargo", "lambda", "build", "--compiler", "cargo", "--lambda-dir", str(out)]
    # Some programs of the whole workspace: dependencies then have the features that they have for the tests, and are compiled once for both.
    command += ["--workspace"] + [argument for name in functions for argument in ("--bin", name)]
    # Standard output to standard error: progress belongs there, and `make up | cat` keeps cargo's bar.
    if cargo.run(command, env=environment(), stdout=sys.stderr) != 0:
        raise Failure("the functions do not build; cargo says why above.")
    return {name: out / name / "bootstrap" for name in functions}


def zipped(binary: Path) -> tuple[str, bytes]:
    """The digest of a binary, and it as a zip. Stored, not compressed: it only goes to this machine."""
    code = binary.read_bytes()
    target = binary.with_name("bootstrap.zip")
    digest = hashlib.sha256(code).hexdigest()
    if not (target.exists() and target.stat().st_mtime_ns > binary.stat().st_mtime_ns):
        entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
        entry.external_attr = 0o100755 << 16
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(entry, code)
    return digest, target.read_bytes()
