"""The stack that Doorward replaces (peer_site.py), served by gunicorn on this machine, and the same requests to both in turn."""

import http.client
import importlib.metadata
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import template
from measure import LONG_TURN, WARM_UP, Asking
from operations import NEW_PASSWORD, named, username
from runtime import PATIENCE_SECONDS, SETTLE_SECONDS, Broken
from store import Store

PACKAGES = ("Django", "djangorestframework", "django-rest-passwordreset", "gunicorn")
HERE = Path(__file__).parent
PASSWORD = "Correct-Horse-42"


@dataclass(frozen=True)
class Request:
    path: str
    body: dict[str, str]
    status: int


class Site:
    """A running site, with one worker, which answers one request at a time as a function does."""

    def __init__(self, accounts: int) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.database = Path(self._folder.name) / "peer.sqlite3"
        cost = template.parameters()
        self._environment = {**os.environ, "PEER_DATABASE": str(self.database), "PYTHONPATH": str(HERE), "ARGON2_MEMORY_KIB": cost["Argon2MemoryKib"],
                             "ARGON2_ITERATIONS": cost["Argon2Iterations"], "ARGON2_PARALLELISM": cost["Argon2Parallelism"]}
        subprocess.run([sys.executable, HERE / "peer_site.py", str(accounts)], env=self._environment, check=True)
        self._socket = Path(self._folder.name) / "port"
        command = [sys.executable, "-m", "gunicorn", "--workers", "1", "--bind", "127.0.0.1:0", "--log-level", "info", "--no-control-socket", "peer_site:application"]
        self._process = subprocess.Popen(command, env=self._environment, cwd=self._folder.name, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self._port, self.worker = self._started()

    def __enter__(self) -> "Site":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()

    def _started(self) -> tuple[int, int]:
        """The port and the worker's process, from gunicorn's log."""
        port, lines = 0, []
        assert self._process.stderr
        for line in self._process.stderr:
            lines.append(line)
            if "Listening at: http://127.0.0.1:" in line:
                port = int(line.split("http://127.0.0.1:")[1].split()[0])
            if "Booting worker with pid: " in line:
                return port, int(line.rsplit(maxsplit=1)[1])
        raise Broken(f"gunicorn did not start: {''.join(lines)}")

    def spent_ns(self) -> int:
        """Processor time of the worker so far."""
        return time.clock_gettime_ns(~self.worker << 3 | 2)

    def resident_kib(self) -> int:
        """The most that the worker ever held."""
        status = Path(f"/proc/{self.worker}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0])

    def ask(self, request: Request) -> tuple[float, float]:
        """Makes a request; returns its processor time and SQLite's part of it, in ms."""
        before = self.spent_ns()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_SECONDS)
        connection.request("POST", request.path, json.dumps(request.body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        time.sleep(SETTLE_SECONDS)
        if answer.status != request.status:
            raise Broken(f"{request.path} of the peer answers {answer.status}: {body.decode(errors='replace')[:300]}")
        return (self.spent_ns() - before) / 1e6, int(answer.headers["X-Store-Nanoseconds"]) / 1e6

    def token(self, account: int) -> str:
        """The token of an account's reset link, which it would have by mail."""
        email = f"{username(account)}@example.com"
        self.ask(Request("/password_reset/", {"email": email}, 200))
        with sqlite3.connect(self.database) as database:
            found = database.execute(
                "SELECT key FROM django_rest_passwordreset_resetpasswordtoken WHERE user_id = (SELECT id FROM auth_user WHERE email = ?)", (email,)
            ).fetchone()
        return str(found[0])


def _register(_: Site, __: int) -> Request:
    name = f"new-{uuid.uuid4().hex[:16]}"
    return Request("/register/", {"username": name, "email": f"{name}@example.com", "password": PASSWORD}, 201)


# Each with the operation of ours that does the same.
REQUESTS: dict[str, Callable[[Site, int], Request]] = {
    "register": _register,
    "login": lambda _, account: Request("/login/", {"username": username(account), "password": PASSWORD}, 200),
    "login, wrong password": lambda _, account: Request("/login/", {"username": username(account), "password": "Wrong-Horse-42"}, 400),
    "reset request": lambda _, account: Request("/password_reset/", {"email": f"{username(account)}@example.com"}, 200),
    "validate": lambda site, account: Request("/password_reset/validate_token/", {"token": site.token(account)}, 200),
    "confirm": lambda site, account: Request("/password_reset/confirm/", {"token": site.token(account), "password": NEW_PASSWORD}, 200),
}


def peer(store: Store, count: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Measures the same requests to the site and to our functions in turn: processor time of each, and the memory that each holds at most."""
    number = count + WARM_UP
    accounts = {name: range(place * number + 1, (place + 1) * number + 1) for place, name in enumerate(REQUESTS)}
    store.fill(number * len(REQUESTS))
    seen: dict[str, Any] = {name: {"theirs_ms": [], "their_store_ms": []} for name in REQUESTS}
    with ExitStack() as running:
        site = running.enter_context(Site(number * len(REQUESTS)))
        ours = {name: Asking(store, named(name), accounts[name], running) for name in REQUESTS}
        theirs = {name: [make(site, account) for account in accounts[name]] for name, make in REQUESTS.items()}
        for name in REQUESTS:
            ours[name].ask(ours[name].warm_up, counted=False)
            for request in theirs[name][:WARM_UP]:
                site.ask(request)
        for start in range(WARM_UP, number, LONG_TURN):
            say(f"{start - WARM_UP} of {count}")
            for name in REQUESTS:
                ours[name].ask(LONG_TURN)
                for request in theirs[name][start:start + LONG_TURN]:
                    spent, of_store = site.ask(request)
                    seen[name]["theirs_ms"].append(spent)
                    seen[name]["their_store_ms"].append(of_store)
        for name, asking in ours.items():
            seen[name]["ours_ms"] = [own + hash_ for own, hash_ in zip(asking.seen["own_ms"], asking.seen["hash_ms"], strict=True)]
            seen[name]["our_resident_kib"] = asking.resident()["resident_kib"]["VmHWM"]
        resident = site.resident_kib()
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    return {"versions": versions, "their_resident_kib": resident, "operations": seen}
