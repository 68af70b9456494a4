"""The commands of an operator, by their names. Each returns its exit code."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import cargo
from doctor import doctor
from parameters import set_parameters
from stack import STACK, Environment, local_variables
from typed import Failure, words

# What only the one program needs of this shell that works on a stack's tables.
SECRET = ("ARGS", "EVENT", "PARAMS", "STACK", "URL")


def environment() -> Environment:
    """The stack that is meant."""
    if not _stack() and "AWS_ENDPOINT_URL" not in os.environ:
        os.environ.update(local_variables())
    return Environment(_stack() or STACK)


def admin() -> int:
    """An operator's command line, `doorward-admin`. Its arguments come by the environment and reach it as they were typed: no shell sees them."""
    if not _stack():
        local_variables()  # complains before anything takes long
    # Built before there are any credentials.
    program = cargo.built("doorward-admin")
    return _run([str(program), *words(os.environ.get("ARGS", ""))], _variables())


def probe() -> int:
    """Asks a deployment whether its times give accounts away, and takes back what it left there, where its tables are within reach."""
    url = os.environ.get("URL", "") or (environment().outputs["ApiUrl"] if _stack() else local_variables()["API_URL"])
    program = str(cargo.built("probe"))
    command = [program, url, *words(os.environ.get("ARGS", ""))]
    if not (variables := _variables_of(url)):
        return _run(command, {})
    with tempfile.TemporaryDirectory() as directory:
        made = str(Path(directory) / "made")
        try:
            return _run([*command, "--made", made], {})
        finally:
            if Path(made).exists():
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                _run([program, "--delete", made], variables)


COMMANDS: dict[str, Callable[[], int]] = {
    "doctor": lambda: _told(doctor),
    "set": lambda: _told(set_parameters),
    "admin": admin,
    "probe": probe,
}


def _told(command: Callable[[Environment], int]) -> int:
    """Runs a command that writes a list; what ends it is its last line."""
    try:
        return command(environment())
    except Failure as failure:
        print(f"wrong {failure}")
        return 1


def _stack() -> str:
    return os.environ.get("STACK", "")


def _variables() -> dict[str, str]:
    """What a program of ours needs to work on the stack's tables."""
    return environment().variables() if _stack() else local_variables()


def _variables_of(url: str) -> dict[str, str]:
    """The same for the stack behind this address; nothing where it is somebody else's, or another than STACK says."""
    try:
        variables = _variables()
        # On AWS it may have a name of its own, which links in mails begin with.
        own = [variables["API_URL"]] if not _stack() else [(env := environment()).outputs["ApiUrl"], env.mailer["LINK_BASE"]]
    except Failure:
        return {}
    return variables if url.rstrip("/") in [each.rstrip("/") for each in own] else {}


def _run(command: list[str], variables: dict[str, str]) -> int:
    """Runs it in this terminal with these variables. Ctrl-C is the program's to answer."""
    mine = {name: value for name, value in os.environ.items() if name not in SECRET}
    process = subprocess.Popen(command, env=mine | variables)
    while True:
        try:
            code = process.wait()
            return code if code >= 0 else 128 - code
        except KeyboardInterrupt:
            process.terminate()  # by the terminal it was told already; by SIGTERM only we were
