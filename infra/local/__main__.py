"""The local stack: the template and the binaries that go to AWS, on an emulator on this machine.

Called by the Makefile: `python infra/local COMMAND`.
"""

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))
from typed import known, leave, run_command


def main(command: str, *arguments: str) -> None:
    # Imported here, so that a missing module is reported in a sentence as well.
    from commands import COMMANDS
    from overrides import require_known

    require_known()
    known(command, COMMANDS)(*arguments)


if __name__ == "__main__":
    code = run_command(sys.argv[1], lambda: main(*sys.argv[1:]))
    # For a command that a person typed, make's own error line is suppressed; a step of `make test` fails as any other.
    sys.exit(code) if sys.argv[1] == "with_stack" else leave(code)
