"""Programs that we start, and that end when we are told to end, with all that they have started."""

import os
import random
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def free_port() -> int:
    """A free port that the kernel gives to nobody by itself (Linux gives those from 32768), so that it is still free when it is used."""
    for port in random.sample(range(10_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")


@contextmanager
def deferred() -> Iterator[None]:
    """Defers signals, so that a program that was started is also recorded. Afterwards a deferred signal takes effect."""
    told: list[tuple[int, Any]] = []
    handlers = {end: handler for end in ENDS if callable(handler := signal.getsignal(end))}
    for end in handlers:
        signal.signal(end, lambda *what: told.append(what))
    try:
        yield
    finally:
        for end, handler in handlers.items():
            signal.signal(end, handler)
    for number, frame in told[:1]:
        handlers[signal.Signals(number)](number, frame)


@contextmanager
def started(command: list[str], **options: Any) -> "Iterator[subprocess.Popen[Any]]":
    """Runs a program as the leader of its own process group, which is ended afterwards."""
    process = None
    try:
        with deferred():
            process = subprocess.Popen(command, start_new_session=True, **options)
        yield process
    finally:
        if process:
            with deferred():
                _end(process)


def run(command: list[str], **options: Any) -> int:
    """Runs a program and waits for it; its exit code."""
    with started(command, **options) as process:
        return process.wait()


def _end(process: "subprocess.Popen[Any]") -> None:
    """Ends the process group with SIGTERM, and then with SIGKILL, including processes that the program has left."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(timeout=5)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()
