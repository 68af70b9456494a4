"""Watches the sources, the keyboard and the functions' logs for `make dev`."""

import os
import re
import select
import stat
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from botocore.exceptions import ClientError

import deploy
from settings import Settings
from root import ROOT
from stack import STACK

# All files that are compiled into a function or deployed with it are in these; `test_watch.py` checks that with cargo. The folder of the operator's own
# texts and templates is added.
SOURCES = [
    ".cargo", "Cargo.lock", "Cargo.toml", "functions", "examples/account-page", "infra/local/inbox", "infra/local/parameters", "infra/template.yaml",
    "rust-toolchain.toml", "shared", "templates",
]
# Temporary files of editors: vim, emacs, JetBrains, kate, gedit, joe.
TEMPORARY = re.compile(r"\.#.*|#.*#|.*~|.*\.sw[a-z]|4913|.*___jb_(old|tmp)___|\.goutputstream-.*|.*\.kate-swp|.*\.(tmp|bak|orig|rej)|\.DS_Store")
TICK_SECONDS = 0.5


class Sources:
    """Notices that a source file was changed, added or removed."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._seen = self._look()
        self._is_settling = False

    def changed(self) -> bool:
        """Whether something has changed and is quiet again, so that an editor can save several files."""
        before, self._seen = self._seen, self._look()
        was_settling, self._is_settling = self._is_settling, before != self._seen
        return was_settling and not self._is_settling

    def _look(self) -> dict[str, tuple[int, int]]:
        there = {}
        branding = os.environ.get("BRANDING")
        for path in (self._root / name for name in (*SOURCES, *([branding] if branding else []))):
            files = path.rglob("*") if path.is_dir() else [path]
            there.update({str(file): stamp for file in files if not TEMPORARY.fullmatch(file.name) and (stamp := _stamp(file))})
        return there


def _stamp(file: Path) -> tuple[int, int] | None:
    """A value that changes when the file is written; None if it is not a file or no longer exists."""
    try:
        state = file.stat()
    except OSError:  # an editor is just replacing it, or it is a broken link
        return None
    return (state.st_mtime_ns, state.st_size) if stat.S_ISREG(state.st_mode) else None


@contextmanager
def keys() -> Iterator[Callable[[], str]]:
    """Yields a function that waits one tick for a key and returns it, or an empty text."""
    if not sys.stdin.isatty():
        def nothing() -> str:
            time.sleep(TICK_SECONDS)
            return ""

        yield nothing
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield lambda: _key(terminal) if select.select([terminal], [], [], TICK_SECONDS)[0] else ""
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _key(terminal: int) -> str:
    """The key that was pressed. A terminal that is gone asks to stop."""
    try:
        return os.read(terminal, 1).decode(errors="replace") or "q"
    except OSError:
        return "q"


class Logs:
    """The functions' log lines, oldest first, each of them once. In the emulator every invocation has a log stream of its own."""

    def __init__(self, settings: Settings, *, from_the_start: bool = False) -> None:
        self._client = deploy.client(settings, "logs")
        self._seen: set[str] = set()
        self._since = 0 if from_the_start else int(time.time() * 1000)

    def __enter__(self) -> "Logs":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def show(self, last: int | None = None) -> None:
        """Prints new lines; with `last`, only the last ones."""
        lines = []
        for group in self._client.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{STACK}-")["logGroups"]:
            name = group["logGroupName"]
            try:
                pages = self._client.get_paginator("filter_log_events").paginate(logGroupName=name, startTime=self._since)
                events = [event for page in pages for event in page["events"]]
            except ClientError:
                continue  # the log group was deleted with the stack
            new = [event for event in events if event["logStreamName"] not in self._seen]
            self._seen.update(event["logStreamName"] for event in new)
            for event in new:
                if not event["message"].startswith(("START ", "END ", "REPORT ")):
                    at = time.strftime("%H:%M:%S", time.localtime(event["timestamp"] / 1000))
                    lines.append((event["timestamp"], f"{at} {name.removeprefix(f'/aws/lambda/{STACK}-')}: {event['message'].rstrip()}"))
        for _, line in sorted(lines)[-last if last else None:]:
            print(line, flush=True)
