"""The operator's commands for a deployment: `make doctor`, `verify`, `set`, `admin`, `logs`, `events`, `metrics`, `probe`.

With STACK=name they work on a stack in AWS, with the usual credentials and Region; without it on the stack of `make up`.
"""

import os
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))
from typed import Failure, interrupt_on_termination, leave, nearest


def main(command: str) -> int:
    interrupt_on_termination()
    try:
        from commands import COMMANDS

        if command not in COMMANDS:
            raise Failure(f"there is no such command{nearest(command, COMMANDS)}")
        return COMMANDS[command]()
    except Failure as failure:
        print(f"{command}: {failure}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `make logs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print(f"\n{command}: stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    leave(main(*sys.argv[1:]))
