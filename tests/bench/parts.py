"""The parts of the bench. `python tests/bench/parts.py [PART …]` refuses a word that names none, before anything is built. Needs nothing but Python."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

# Behind this folder, because infra has a store too.
sys.path.append(str(Path(__file__).resolve().parents[2] / "infra"))
from typed import Failure, leave, nearest, run_command  # noqa: E402

# In order, each with its number of requests: usually, and with QUICK=1.
PARTS = {
    "sizes": (0, 0),
    "cold": (100, 2),
    "warm": (100, 3),
    "argon2": (20, 2),
    "load": (200, 20),
    "growth": (80, 3),
    "connecting": (100, 3),
    "peer": (100, 10),
}
# The parts that have no measurement of this commit, and none.
REST, REPORT = "rest", "report"


def quick() -> bool:
    """Whether only so much is measured that one sees that the bench works."""
    return bool(os.environ.get("QUICK"))


def check(words: Iterable[str]) -> None:
    """Refuses a word that is no part."""
    known = (*PARTS, REST, REPORT)
    for word in words:
        if word not in known:
            raise Failure(f"there is no part {word}{nearest(word, known)}; there are {', '.join(known)}.")


if __name__ == "__main__":
    leave(run_command("bench", lambda: check(sys.argv[1:])))
