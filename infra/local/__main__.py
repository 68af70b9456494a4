"""The local stack: the template and the binaries that go to AWS, on an emulator on this machine.

Called by the Makefile: `python infra/local up|down|dev|mail|logs|replay|build`.
"""

import os
import sys

from failure import Failure


def main(command: str, *arguments: str) -> int:
    """Runs one command; what goes wrong is one sentence on standard error and a non-zero exit."""
    try:
        # Imported here, so that a missing module is a sentence as well.
        import commands

        getattr(commands, command)(*arguments)
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
    sys.exit(main(*sys.argv[1:]))
