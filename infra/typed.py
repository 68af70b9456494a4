"""Arguments that somebody typed, and how a command runs and ends. Needs nothing but Python."""

import difflib
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NoReturn, TypeVar


T = TypeVar("T")


class Failure(Exception):
    """What is wrong and how to repair it, in one sentence for the person who typed the command."""


def nearest(name: str, known: Iterable[str]) -> str:
    """", did you mean …?" if a known name is similar, otherwise an empty text."""
    lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
    return f"; did you mean {lower[found[0]]}?" if found else ""


def known(command: str, commands: Mapping[str, T]) -> T:
    """The command with this name."""
    if command not in commands:
        raise Failure(f"there is no such command{nearest(command, commands)}")
    return commands[command]


def run_command(command: str, work: Callable[[], int | None]) -> int:
    """Runs a command and returns its exit code. A failure is one sentence on standard error. SIGTERM and SIGHUP stop it as Ctrl-C does."""
    interrupt_on_termination()
    try:
        return work() or 0
    except Failure as failure:
        print(f"{command}: {failure}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, EOFError):
        print(f"\n{command}: stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `make logs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def words(text: str) -> list[str]:
    """The arguments in a line that somebody typed, separated by white space. An argument in quotes may contain white space.

    A quote counts only around a whole argument. Everywhere else it is a letter like `$`, `|` and the backtick, because e-mail
    addresses may hold all of these (RFC 5322, atext) and nobody should have to escape them.
    """
    found = re.findall(r"""(?<!\S)(?:"([^"]*)"|'([^']*)')(?!\S)|(\S+)""", text)
    return [next((part for part in parts if part), "") for parts in found]


def pairs(text: str) -> list[str]:
    """The `Name=value` pairs in PARAMS. Quotes keep values with blanks together."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise Failure(f"PARAMS cannot be read ({error}); write PARAMS=\"Name=value Other='two words'\".") from None


def interrupt_on_termination() -> None:
    """Makes SIGTERM and SIGHUP end the program as Ctrl-C does, so that it cleans up. If they are ignored, they stay ignored.

    It raises KeyboardInterrupt itself and not SIGINT, which background jobs of a shell and CI ignore.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for end in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(end) != signal.SIG_IGN:
            signal.signal(end, interrupt)


def leave(code: int) -> NoReturn:
    """Ends with this code.

    Whatever failed was told in a sentence, so make's own "*** [Makefile:76: admin] Error 1" says nothing more. The one way to keep make
    from printing it is SIGQUIT: make then ends with 1 and without a word, once the recipe, whose own code has to be 0 for this, is over.
    Where SIGQUIT is ignored (a background job of a shell), make would take the 0 for success, so the plain way is gone.
    """
    sys.stdout.flush()
    if code and _is_make(os.getppid()) and signal.getsignal(signal.SIGQUIT) == signal.SIG_DFL:
        os.kill(os.getppid(), signal.SIGQUIT)
        wait_until_taken(os.getppid(), signal.SIGQUIT)
        code = 0
    sys.exit(code)


def _is_make(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/comm").read_text().strip() in ("make", "gmake")
    except OSError:
        return False


def wait_until_taken(process: int, sent: signal.Signals) -> None:
    """Waits until the process has the signal, for ten seconds at most.

    A make on a busy machine might otherwise learn of the signal only when this program has ended and was waited for. It then waits for it once more,
    says "wait: No child processes" and ends with 2.
    """
    for _ in range(2000):
        try:
            status = Path(f"/proc/{process}/status").read_text()
        except OSError:
            return
        if not any(int(mask, 16) >> (sent - 1) & 1 for mask in re.findall(r"^(?:Sig|Shd)Pnd:\s*(\w+)", status, re.MULTILINE)):
            return
        time.sleep(0.005)
