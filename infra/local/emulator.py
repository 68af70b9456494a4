"""Starts and stops MiniStack, and keeps track of the one that this checkout started."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import keep
from guarded import PROCESS_PATH
from keeping import stack_variables
from processes import deferred
from settings import CREDENTIALS, REGION, SHELL_VARIABLES, Settings
from typed import Failure

GUARDED = Path(__file__).with_name("guarded.py")


class PortTaken(Failure):
    """Another program uses the port."""


@dataclass(frozen=True)
class Emulator:
    """An emulator that this checkout started."""

    pid: int
    port: int
    variables: dict[str, str]

    def alive(self) -> bool:
        """Whether the process still exists and is still the one that was started, because process ids are reused."""
        try:
            return os.fsencode(GUARDED) in Path(f"/proc/{self.pid}/cmdline").read_bytes()
        except OSError:
            return False


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Ensures that only one `make up`, `down` or `dev` runs at a time."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Failure("another make up, down or dev is at work on this stack; wait for it or stop it.") from error
        yield


def remembered(directory: Path) -> Emulator | None:
    """The running emulator of this state directory. A stale note is ignored."""
    try:
        emulator = Emulator(**json.loads((directory / "emulator.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return emulator if emulator.alive() else None


def running(settings: Settings) -> Emulator | None:
    """The running emulator, if it fits the settings. One that does not fit is stopped."""
    emulator = remembered(settings.directory)
    if emulator is None:
        return None
    if emulator.port == settings.port and emulator.variables == settings.emulator_variables():
        return emulator
    print("==> The running stack has another port or other settings: starting it afresh", flush=True)
    stop(settings.directory)
    return None


def require_free(settings: Settings) -> None:
    """Fails if another program uses the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind_host(), settings.port))
        except OSError as error:
            raise PortTaken(f"port {settings.port} is in use ({error.strerror}); free it or choose another: PORT={settings.port + 1}.") from error


def start(settings: Settings) -> Emulator:
    """Starts MiniStack in the background and waits until it answers."""
    require_free(settings)
    directory = settings.directory
    # That of a stack whose emulator was killed. A new one saves its tables once it has them, and not before the old ones are loaded.
    (directory / "stack.env").unlink(missing_ok=True)
    temporary = directory / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if SHELL_VARIABLES.fullmatch(name)}
    environment.update(settings.emulator_variables())
    environment.update(
        CREDENTIALS,
        # Its two other listeners are not needed, and one of them would listen on every interface.
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        AWS_ENDPOINT_URL=settings.endpoint,
        AWS_DEFAULT_REGION=REGION,
        MINISTACK_REGION=REGION,
        GATEWAY_PORT=str(settings.port),
        BIND_HOST=bind_host(),
        TMPDIR=str(temporary),
        S3_DATA_DIR=str(temporary / "s3"),
    )
    with deferred(), (directory / "emulator.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-u", str(GUARDED), str(directory.resolve())],
            env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )
        emulator = Emulator(process.pid, settings.port, settings.emulator_variables())
        (directory / "emulator.json").write_text(json.dumps(emulator.__dict__))
    deadline = time.monotonic() + 180
    while not _answers(settings, process.pid):
        if process.poll() is not None or time.monotonic() > deadline:
            stop(directory)
            require_free(settings)  # somebody else's program may have been faster
            raise Failure(f"the emulator did not start; {directory / 'emulator.log'} says why.")
        time.sleep(0.1)
    return emulator


def stop(directory: Path, *, keeping: bool = True) -> bool:
    """Stops the emulator and its functions, and keeps the content of the tables. Returns False if none was running."""
    emulator = remembered(directory)
    if emulator and keeping and (variables := stack_variables(directory)):
        if not keep.save(Settings(directory=directory, requested_port=str(emulator.port)), variables):
            print("==> The running stack does not answer: accounts made since it was started are lost", flush=True)
    (directory / "emulator.json").unlink(missing_ok=True)
    (directory / "stack.env").unlink(missing_ok=True)
    (directory / "functions.env").unlink(missing_ok=True)
    if emulator is None:
        return False
    os.killpg(emulator.pid, signal.SIGTERM)
    deadline = time.monotonic() + 5
    while emulator.alive() and time.monotonic() < deadline:
        time.sleep(0.05)
    with suppress(ProcessLookupError):
        os.killpg(emulator.pid, signal.SIGKILL)  # functions are in its process group, so this ends those that are left
    while emulator.alive():  # its port is free only then
        time.sleep(0.05)
    return True


def bind_host() -> str:
    """Listens on this machine only, unless configured otherwise, because anybody who reaches the emulator controls it."""
    return os.environ.get("BIND_HOST", "127.0.0.1")


def _answers(settings: Settings, pid: int) -> bool:
    """Whether the emulator is ready, and is this process and not another one that was faster to take the port."""
    try:
        with urllib.request.urlopen(f"{settings.endpoint}{PROCESS_PATH}", timeout=2) as response:
            if response.read() != str(pid).encode():
                return False
        with urllib.request.urlopen(f"{settings.endpoint}/_ministack/health", timeout=2) as response:
            return response.status == 200
    except (OSError, HTTPException):
        return False
