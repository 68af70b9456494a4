"""Checks every file of a release against SHA256SUMS, like `sha256sum --check SHA256SUMS`, which not every machine has. Needs nothing but Python."""

import hashlib
import sys

from root import ROOT


def wrong() -> list[str]:
    """The files that are missing or not as they were released."""
    found = []
    for line in (ROOT / "SHA256SUMS").read_text().splitlines():
        digest, _, name = line.partition("  ")
        file = ROOT / name
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            found.append(name)
    return found


if __name__ == "__main__":
    if names := wrong():
        sys.exit(f"checksums: {', '.join(names)} {'is' if len(names) == 1 else 'are'} not as released: unpack the archive again.")
