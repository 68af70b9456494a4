"""Lambda's runtime API on this machine, for one process at a time, and the resources that the process uses."""

import json
import os
import selectors
import signal
import socket
import subprocess
import tempfile
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from template import ROOT, Function, lambda_directory

PATIENCE_SECONDS = 30.0
# A function polls again after its answer. Its work until then belongs to the request before.
SETTLE_SECONDS = 0.0005


class Broken(Exception):
    """A function did not behave as expected; with the end of its log."""


@dataclass
class Answered:
    """An answered request."""

    body: Any
    wall_ms: float
    own_ms: float  # processor time of the function's first thread, which does everything but hashing
    hash_ms: float  # processor time of its other threads, which only hash
    answer_bytes: int
    logged_bytes: int
    logged_lines: int

    @property
    def cpu_ms(self) -> float:
        return self.own_ms + self.hash_ms


@dataclass
class _Request:
    connection: "_Connection"
    method: str
    path: str
    body: bytes


@dataclass
class _Connection:
    socket: socket.socket
    buffer: bytes = b""

    def request(self) -> _Request | None:
        """The next request that has arrived completely, if any."""
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body, left = _unchunked(rest)
            if body is None:
                return None
        else:
            length = int(headers.get("content-length", 0))
            if len(rest) < length:
                return None
            body, left = rest[:length], rest[length:]
        self.buffer = left
        method, path, _ = first.split(" ", 2)
        return _Request(self, method, path, body)

    def answer(self, status: str, headers: dict[str, str], body: bytes = b"") -> None:
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items())]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def _unchunked(data: bytes) -> tuple[bytes | None, bytes]:
    body = b""
    while True:
        size, found, rest = data.partition(b"\r\n")
        if not found:
            return None, b""
        length = int(size.split(b";")[0], 16)
        if len(rest) < length + 2:
            return None, b""
        body, data = body + rest[:length], rest[length + 2:]
        if length == 0:
            return body, data


@dataclass
class Instance:
    """A running function, which polls and answers one event at a time, as in Lambda."""

    binary: Path
    environment: dict[str, str]
    connections: list[_Connection] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._log = tempfile.TemporaryFile()
        self._environment = {**self.environment, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._listener.getsockname()[1]}"}
        self.started_ns = time.perf_counter_ns()
        self.process = subprocess.Popen([self.binary], env=self._environment, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, close_fds=False)
        self._schedstat = os.open(f"/proc/{self.process.pid}/schedstat", os.O_RDONLY)
        self._poll: _Connection | None = None

    @property
    def name(self) -> str:
        """The function's name."""
        return self.environment["AWS_LAMBDA_FUNCTION_NAME"]

    def __enter__(self) -> "Instance":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._schedstat)
        self._selector.close()
        for connection in self.connections:
            connection.socket.close()
        self._listener.close()
        self._log.close()

    def polled(self) -> int:
        """Waits until the function asks for an event, and returns when it did, on the clock of `started_ns`."""
        if self._poll is None:
            request = self._receive()
            at = time.perf_counter_ns()
            if (request.method, request.path) != ("GET", "/2018-06-01/runtime/invocation/next"):
                raise Broken(f"{self.name} asked {request.method} {request.path}: {request.body.decode(errors='replace')} {self.said()}")
            self._poll = request.connection
            return at
        return time.perf_counter_ns()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Meanwhile the function gets no processor time, as between two requests in Lambda."""
        self.polled()
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def spent_ns(self) -> tuple[int, int]:
        """Processor time so far: of the whole process including ended threads (its CPU clock), and of its first thread."""
        process_clock = ~self.process.pid << 3 | 2
        return time.clock_gettime_ns(process_clock), int(os.pread(self._schedstat, 64, 0).split()[0])

    def resident_kib(self) -> dict[str, int]:
        """Resident memory now (VmRSS) and at its peak (VmHWM)."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        found = {name: value for name, _, value in (line.partition(":") for line in lines)}
        return {name: int(found[name].split()[0]) for name in ("VmRSS", "VmHWM")}

    def answer(self, event: Any) -> Answered:
        """Gives the function an event, and waits for its answer and its next poll."""
        self.polled()
        identity, payload = str(uuid.uuid4()), json.dumps(event).encode()
        headers = {
            "content-type": "application/json",
            "lambda-runtime-aws-request-id": identity,
            "lambda-runtime-deadline-ms": str(int((time.time() + 15) * 1000)),
            "lambda-runtime-invoked-function-arn": "arn:aws:lambda:us-east-1:123456789012:function:bench",
            "lambda-runtime-trace-id": "Root=1-6542c1f0-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0",
        }
        logged = os.fstat(self._log.fileno()).st_size
        process, first = self.spent_ns()
        connection, self._poll = self._poll, None
        started = time.perf_counter_ns()
        connection.answer("200 OK", headers, payload)
        request = self._receive()
        ended = time.perf_counter_ns()
        request.connection.answer("202 Accepted", {})
        if not request.path.endswith(f"{identity}/response"):
            raise Broken(f"{self.name} failed: {request.path} {request.body.decode(errors='replace')} {self.said()}")
        self.polled()
        time.sleep(SETTLE_SECONDS)
        process, first = self.spent_ns()[0] - process, self.spent_ns()[1] - first
        lines = os.pread(self._log.fileno(), 1 << 20, logged)
        return Answered(
            body=json.loads(request.body),
            wall_ms=(ended - started) / 1e6,
            own_ms=first / 1e6,
            hash_ms=max(0, process - first) / 1e6,
            answer_bytes=len(request.body),
            logged_bytes=len(lines),
            logged_lines=lines.count(b"\n"),
        )

    def said(self) -> str:
        """The end of its log."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), 2000, max(0, size - 2000)).decode(errors="replace")

    def _receive(self) -> _Request:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            for connection in self.connections:
                if request := connection.request():
                    return request
            for key, _ in self._selector.select(0.5):
                if key.fileobj is self._listener:
                    accepted = self._listener.accept()[0]
                    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.connections.append(_Connection(accepted))
                    self._selector.register(accepted, selectors.EVENT_READ, self.connections[-1])
                elif data := key.data.socket.recv(1 << 20):
                    key.data.buffer += data
                else:
                    self._selector.unregister(key.fileobj)
                    self.connections.remove(key.data)
            if self.process.poll() is not None:
                raise Broken(f"{self.name} ended with {self.process.returncode}: {self.said()}")
        raise Broken(f"{self.name} was silent for {PATIENCE_SECONDS:.0f} s: {self.said()}")


def archive_of(name: str) -> Path:
    """The zip of a function that goes to Lambda."""
    archive = lambda_directory() / name / "bootstrap.zip"
    if not archive.exists():
        raise Broken(f"{archive} is missing: make build bench-zips")
    return archive


def binary(name: str) -> Path:
    """A function's binary, taken from the zip that goes to Lambda. LAMBDA_DIR may also have programs themselves: target/debug, for a quick look."""
    if (program := lambda_directory() / name).is_file():
        return program
    archive, target = archive_of(name), ROOT / "target/bench/bin" / name / "bootstrap"
    if not target.exists() or target.stat().st_mtime_ns != archive.stat().st_mtime_ns:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        with zipfile.ZipFile(archive) as opened:
            target.write_bytes(opened.read("bootstrap"))
        target.chmod(0o755)
        os.utime(target, ns=(archive.stat().st_mtime_ns, archive.stat().st_mtime_ns))
    return target


def start(function: Function, store_url: str, mail_url: str, **more: str) -> Instance:
    """Starts a function as Lambda does."""
    return Instance(binary(function.name), environment(function, store_url, mail_url) | more)


def environment(function: Function, store_url: str, mail_url: str) -> dict[str, str]:
    """The template's environment variables and Lambda's own."""
    return {
        **function.environment,
        "PATH": "/usr/local/bin:/usr/bin/:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "_HANDLER": "bootstrap",
        "LAMBDA_TASK_ROOT": "/var/task",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "AWS_SESSION_TOKEN": "session",
        "AWS_EXECUTION_ENV": "AWS_Lambda_provided.al2023",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_ENDPOINT_URL_DYNAMODB": store_url,
        "AWS_ENDPOINT_URL_SESV2": mail_url,
    }
