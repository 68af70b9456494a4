"""The operator's commands by name. Each returns its exit code."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import cargo
from doctor import doctor
from logs import events, logs
from metrics import metrics
from parameters import set_parameters
from stack import STACK, Environment, local_variables, variable
from typed import Failure, words
from verify import verify

# Variables of the environment that only programs for a stack's tables need.
SECRET = ("ARGS", "EVENT", "PARAMS", "STACK", "URL")
# Parameters that `doorward-admin` reads as the functions do.
READ_BY_ADMIN = ("LoginAccountLimit", "SessionLifetime", "SessionsNotBefore", "SessionIdle", "ImportedTokens", "Argon2MemoryKib", "Argon2Iterations", "Argon2Parallelism", "Argon2Dearest", "Events", "ProfileFields")


def environment() -> Environment:
    """The selected stack."""
    if not _stack() and "AWS_ENDPOINT_URL" not in os.environ:
        os.environ.update(local_variables())
    return Environment(_stack() or STACK)


def admin() -> int:
    """Runs `doorward-admin`. Its arguments come from the environment and reach it unchanged, without a shell."""
    if not _stack():
        local_variables()  # reports wrong arguments before anything takes long
    # Built before credentials are read, so that no build script gets them.
    program, arguments = cargo.built("doorward-admin"), words(os.environ.get("ARGS", ""))
    return _run([str(program), *arguments], _variables() | (_caller() if "export" in arguments else {}))


def probe() -> int:
    """Measures whether a deployment's times reveal accounts, and deletes the accounts that it made if it can reach the tables."""
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


def verify_stack() -> int:
    """Runs the smoke test on the selected stack."""
    if os.environ.get("URL"):
        raise Failure("a URL is not enough, because it deletes what it made: name the stack, STACK=name, or leave both out for the local one.")
    env = environment()
    return verify(env, None if _stack() else local_variables()["MAIL_URL"], words(os.environ.get("ARGS", "")))


COMMANDS: dict[str, Callable[[], int]] = {
    "doctor": lambda: _told(doctor),
    "set": lambda: _told(set_parameters),
    "logs": lambda: logs(environment()),
    "events": lambda: events(environment()),
    "metrics": lambda: metrics(environment()),
    "admin": admin,
    "probe": probe,
    "verify": verify_stack,
}


def _told(command: Callable[[Environment], int]) -> int:
    """Runs a command that prints a list, and returns its last line."""
    try:
        return command(environment())
    except Failure as failure:
        print(f"wrong {failure}")
        return 1


def _stack() -> str:
    return os.environ.get("STACK", "")


def _variables() -> dict[str, str]:
    """The environment of a program for the stack's tables."""
    env = environment()
    tables = env.variables() if _stack() else local_variables()
    return tables | {variable(name): env.parameters[name] for name in READ_BY_ADMIN if name in env.parameters}


def _caller() -> dict[str, str]:
    """The operator's ARN for the event of an export, which AWS returns for these credentials."""
    return {"CALLER_ARN": environment().client("sts").get_caller_identity()["Arn"]} if _stack() else {}


def _variables_of(url: str) -> dict[str, str]:
    """The same for the stack at this URL; None if it is not the stack that STACK names."""
    try:
        variables = _variables()
        # On AWS the URL may have its own domain, with which links in mails begin.
        own = [variables["API_URL"]] if not _stack() else [(env := environment()).outputs["ApiUrl"], env.mailer["LINK_BASE"]]
    except Failure:
        return {}
    return variables if url.rstrip("/") in [each.rstrip("/") for each in own] else {}


def _run(command: list[str], variables: dict[str, str]) -> int:
    """Runs a program in this terminal with these variables. The program handles Ctrl-C itself."""
    mine = {name: value for name, value in os.environ.items() if name not in SECRET}
    process = subprocess.Popen(command, env=mine | variables)
    while True:
        try:
            code = process.wait()
            return code if code >= 0 else 128 - code
        except KeyboardInterrupt:
            process.terminate()  # Ctrl-C in the terminal reaches it too, SIGTERM does not
