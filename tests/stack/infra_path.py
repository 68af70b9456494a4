"""Where the programs of `infra/` are, so that tests can call them and import from them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / "infra" / "local"
OPERATE = ROOT / "infra" / "operate"
sys.path[:0] = [str(LOCAL), str(ROOT / "infra")]

# A program that is started in the background by a shell ignores these signals, and so would everything that a test types. A person's terminal does not.
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

# The job server and options of an outer make, which a person's make does not have.
OF_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MAKE_TERMOUT", "MAKE_TERMERR")


def environment(**changed: str) -> dict[str, str]:
    """This one, as a person's shell has it."""
    return {name: value for name, value in os.environ.items() if name not in OF_MAKE} | changed


def make(*arguments: str, **changed: str) -> "subprocess.CompletedProcess[str]":
    """Runs what a person types at the top of the checkout."""
    command = ["make", "-C", str(ROOT), "--no-print-directory", *arguments]
    return subprocess.run(command, env=environment(**changed), capture_output=True, text=True, check=False)
