"""Complains when infra/requirements/hashes does not hold what infra/requirements pins: `make pins` writes it."""

import re
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements"


def pins(file: Path) -> set[str]:
    """The packages of a file with their versions, names as PEP 503 compares them."""
    found = re.findall(r"^([\w.-]+)==([^\s;\\]+)", file.read_text(), re.MULTILINE) if file.exists() else []
    return {f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}" for name, version in found}


def main() -> int:
    wrong = []
    for file in sorted({path.name for path in REQUIREMENTS.glob("**/*.txt")}):
        pinned, hashed = pins(REQUIREMENTS / file), pins(REQUIREMENTS / "hashes" / file)
        if pinned != hashed:
            wrong.append(f"infra/requirements/hashes/{file}: {', '.join(sorted(pinned ^ hashed))}; `make pins` writes what is pinned.")
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
