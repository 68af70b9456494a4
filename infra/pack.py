"""`python infra/pack.py [--at-most BYTES] DIRECTORY`: packs the directory's `bootstrap` into `bootstrap.zip` for Lambda, and checks its size.

It is compressed as much as deflate can, and contains only the program. So the same program gives the same bytes on every machine and every day, and a
deployment replaces only the functions that have changed.
"""

import argparse
import io
import struct
import sys
import zipfile
import zlib
from pathlib import Path

import deflate

NAME = b"bootstrap"
# 1 January 1980, the earliest date of a zip.
TIME, DATE = 0, 1 << 5 | 1
VERSION, DEFLATED = 20, 8
UNIX = 3 << 8
EXECUTABLE = 0o100755 << 16


def packed(program: bytes) -> bytes:
    """A zip with one program (PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16)."""
    content = bytes(deflate.deflate_compress(program, 12))
    about = struct.pack("<HHHHHLLLHH", VERSION, 0, DEFLATED, TIME, DATE, zlib.crc32(program), len(content), len(program), len(NAME), 0)
    local = b"PK\x03\x04" + about + NAME + content
    central = b"PK\x01\x02" + struct.pack("<H", UNIX | VERSION) + about + struct.pack("<HHHLL", 0, 0, 0, EXECUTABLE, 0) + NAME
    return local + central + b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, 1, 1, len(central), len(local), 0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--at-most", type=int, help="bytes; a larger zip means that something heavy got linked by accident")
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    program, target = (arguments.directory / "bootstrap").read_bytes(), arguments.directory / "bootstrap.zip"
    archive = packed(program)
    # Read with another implementation before it is deployed.
    if zipfile.ZipFile(io.BytesIO(archive)).read("bootstrap") != program:
        sys.exit(f"pack: {target} does not hold the program.")
    target.write_bytes(archive)
    print(f"{target}: {len(archive):,} bytes")
    if arguments.at_most and len(archive) > arguments.at_most:
        sys.exit(f"pack: {target} has more than {arguments.at_most:,} bytes.")


if __name__ == "__main__":
    main()
