"""The operator's commands for a deployment: `make doctor`, `verify`, `set`, `admin`, `logs`, `events`, `metrics`, `probe`.

With STACK=name they work on a stack in AWS, with the usual credentials and Region; without it on the stack of `make up`.
"""

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))
from typed import known, leave, run_command


def main(command: str) -> int | None:
    # Imported here, so that a missing module is reported in a sentence as well.
    from commands import COMMANDS
    from overrides import require_known

    require_known()
    return known(command, COMMANDS)()


if __name__ == "__main__":
    leave(run_command(sys.argv[1], lambda: main(*sys.argv[1:])))
