"""The local stack: the template and the binaries that go to AWS, on an emulator on this machine.

Called by the Makefile: `python infra/local COMMAND`.
"""

import os
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))
from typed import Failure, interrupt_on_termination, leave, nearest


def main(command: str, *arguments: str) -> int:
    """Runs one command. A failure is one sentence on standard error and a non-zero exit code."""
    interrupt_on_termination()
    try:
        # Imported here, so that a missing module is reported in a sentence as well.
        from commands import COMMANDS

        if command not in COMMANDS:
            raise Failure(f"there is no such command{nearest(command, COMMANDS)}")
        COMMANDS[command](*arguments)
    except Failure as failure:
        print(f"{command}: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{command}: stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `make logs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    # For a command that a person typed, make's own error line is suppressed; a step of `make test` fails as any other.
    sys.exit(code) if sys.argv[1:2] == ["with_stack"] else leave(code)
