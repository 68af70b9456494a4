"""Builds the functions as the tests do, optimised only where they compute and linked with this machine's C library, and packs them for Lambda."""

import hashlib
import os
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

import cargo
from settings import Settings
from root import ROOT

# Stored beside cargo's output, so that several stacks share the zips.
ZIPS = ROOT / "target" / "local"


def binaries(settings: Settings) -> dict[str, Path]:
    """Every function's program."""
    return cargo.all_built(settings.template.zips)


def zipped(name: str, binary: Path) -> tuple[str, bytes]:
    """A program as a zip, and the zip's digest. It stays on this machine, so it is not compressed, but debug symbols are removed, which are half of it."""
    target = ZIPS / f"{name}.zip"
    if not (target.exists() and target.stat().st_mtime_ns > binary.stat().st_mtime_ns):
        ZIPS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=ZIPS) as folder:
            packed = Path(folder) / "zip"
            entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100755 << 16
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
                archive.writestr(entry, _stripped(binary, Path(folder) / "bootstrap").read_bytes())
            os.replace(packed, target)
    code = target.read_bytes()
    return hashlib.sha256(code).hexdigest(), code


def _stripped(binary: Path, to: Path) -> Path:
    """The program without symbols, where the C compiler's tools have a strip for it."""
    if shutil.which("strip") and subprocess.run(["strip", "-o", str(to), str(binary)], capture_output=True, check=False).returncode == 0:
        return to
    return binary
