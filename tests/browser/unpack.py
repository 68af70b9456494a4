"""Unpacks the headless Chromium that npm brought: `python tests/browser/unpack.py NODE DIRECTORY`.

The package holds a browser and its libraries, compressed by brotli. Node reads brotli and Python reads tar, so nothing else is needed.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PACKED = Path(__file__).parent / "node_modules" / "@sparticuz" / "chromium" / "bin"
DECOMPRESS = "process.stdin.pipe(require('node:zlib').createBrotliDecompress()).pipe(process.stdout)"


@contextmanager
def decompressed(node: str, name: str) -> Iterator[IO[bytes]]:
    """The content of a compressed file, as a stream."""
    with (PACKED / name).open("rb") as packed, subprocess.Popen([node, "-e", DECOMPRESS], stdin=packed, stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield process.stdout
        process.stdout.read()  # what a reader of tar leaves behind its end
    if process.returncode != 0:
        sys.exit(f"unpack: {name} cannot be read.")


def main(node: str, directory: str) -> None:
    place = Path(directory)
    # The folder gets its name when it is complete, so that it is never found incomplete.
    partial = place.with_name(f"{place.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with decompressed(node, "chromium.br") as browser, (partial / "chromium").open("wb") as file:
        shutil.copyfileobj(browser, file, 1 << 20)
    (partial / "chromium").chmod(0o755)
    for archive in ("swiftshader.tar.br", "al2023.tar.br"):
        with decompressed(node, archive) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            # The oldest Python 3.11 has no filters, and the newest warn without one.
            tar.extractall(partial, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # type: ignore[arg-type]
    shutil.rmtree(place, ignore_errors=True)
    os.replace(partial, place)


if __name__ == "__main__":
    main(*sys.argv[1:])
