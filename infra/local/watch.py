"""What `make dev` looks at: the sources, the keyboard, the functions' logs."""

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

import deploy
from settings import ROOT, STACK, Settings

SOURCES = ["Cargo.toml", "Cargo.lock", "shared", "functions", "templates", "infra/template.yaml", "infra/local/parameters"]
TICK_SECONDS = 0.5


class Sources:
    """Notices that a source file changed, appeared or went."""

    def __init__(self) -> None:
        self._seen = self._look()

    def changed(self) -> bool:
        before, self._seen = self._seen, self._look()
        return before != self._seen

    @staticmethod
    def _look() -> dict[str, int]:
        files = [ROOT / name for name in SOURCES if (ROOT / name).is_file()]
        files += [path for name in SOURCES if (ROOT / name).is_dir() for path in (ROOT / name).rglob("*") if path.suffix in (".rs", ".toml", ".j2", ".fst", ".txt")]
        times = {}
        for file in files:
            try:
                times[str(file)] = file.stat().st_mtime_ns
            except FileNotFoundError:  # an editor is just replacing it
                pass
        return times


@contextmanager
def keys() -> Iterator[Callable[[], str]]:
    """A function that waits one tick for a key and returns it, or nothing."""
    if not sys.stdin.isatty():
        yield lambda: time.sleep(TICK_SECONDS) or ""
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield lambda: os.read(terminal, 1).decode(errors="replace") if select.select([terminal], [], [], TICK_SECONDS)[0] else ""
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


class Logs:
    """The functions' log lines, oldest first, each once. In the emulator every invocation is a log stream of its own."""

    def __init__(self, settings: Settings, *, from_the_start: bool = False) -> None:
        self._client = deploy.client(settings, "logs")
        self._seen: set[str] = set()
        self._since = 0 if from_the_start else int(time.time() * 1000)

    def __enter__(self) -> "Logs":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def show(self, last: int | None = None) -> None:
        """Prints what is new; with `last`, only so many lines of it."""
        lines = []
        for group in self._client.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{STACK}-")["logGroups"]:
            name = group["logGroupName"]
            try:
                pages = self._client.get_paginator("filter_log_events").paginate(logGroupName=name, startTime=self._since)
                events = [event for page in pages for event in page["events"]]
            except ClientError:
                continue  # the group went with the stack
            new = [event for event in events if event["logStreamName"] not in self._seen]
            self._seen.update(event["logStreamName"] for event in new)
            for event in new:
                if not event["message"].startswith(("START ", "END ", "REPORT ")):
                    lines.append((event["timestamp"], f"{name.removeprefix(f'/aws/lambda/{STACK}-')}: {event['message'].rstrip()}"))
        for _, line in sorted(lines)[-last if last else None:]:
            print(line, flush=True)
