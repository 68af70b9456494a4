"""The operations that are measured: gateway events, each for an account of its own, and valid unless the name says otherwise."""

import base64
import datetime
import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from store import Store
from template import ROOT

NEW_PASSWORD = "Battery-Staple-43"
SESSION = "dws_ThisIsAnExampleThatOpensNothing000000000000000000000000000000000"
RESET = "dwr_ThisIsAnExampleThatOpensNothing000000000000000000000000000000000"
NOTICE = "dwn_ThisIsAnExampleThatOpensNothing000000000000000000000000000000000"

Events = Callable[[Store, list[int]], list[Any]]


@dataclass(frozen=True)
class Operation:
    """A request to a function, made once per account."""

    name: str
    function: str
    events: Events
    succeeds: Callable[[Any], bool]
    gateway: bool = True  # whether it passes API Gateway, which is paid for
    spoils: bool = False  # whether it changes the account


def username(account: int) -> str:
    return f"account-{account:07}"


def _event(file: str, *, body: dict[str, str] | None = None, old: str = "\0", new: str = "") -> Any:
    event = json.loads((ROOT / "events" / f"{file}.json").read_text().replace(old, new))
    if body is not None:
        event["body"] = base64.b64encode(json.dumps(body).encode()).decode()
    return event


def _register(_: Store, accounts: list[int]) -> list[Any]:
    names = [f"new-{uuid.uuid4().hex[:16]}" for _ in accounts]
    return [_event("register", body={"username": name, "email": f"{name}@example.com", "password": "Correct-Horse-42"}) for name in names]


def _login(store: Store, accounts: list[int]) -> list[Any]:
    return [_event("login", body={"username": username(account), "password": store.password}) for account in accounts]


def _wrong_login(_: Store, accounts: list[int]) -> list[Any]:
    return [_event("login", body={"username": username(account), "password": "Wrong-Horse-42"}) for account in accounts]


def _with_session(file: str, **body: str) -> Events:
    def events(store: Store, accounts: list[int]) -> list[Any]:
        tokens = store.order("/sessions", accounts=accounts)["tokens"]
        return [_event(file, body=body or None, old=SESSION, new=token) for token in tokens]

    return events


def _change(store: Store, accounts: list[int]) -> list[Any]:
    return _with_session("change-password", old_password=store.password, new_password=NEW_PASSWORD)(store, accounts)


def _rename(store: Store, accounts: list[int]) -> list[Any]:
    tokens = store.order("/sessions", accounts=accounts)["tokens"]
    bodies = [{"new_username": f"renamed-{uuid.uuid4().hex[:16]}", "current_password": store.password} for _ in tokens]
    return [_event("set-username", body=body, old=SESSION, new=token) for body, token in zip(bodies, tokens, strict=True)]


def _reset(_: Store, accounts: list[int]) -> list[Any]:
    return [_event("password-reset", body={"email": f"{username(account)}@example.com"}) for account in accounts]


def _verification(_: Store, accounts: list[int]) -> list[Any]:
    return [_event("resend-verification", body={"email": f"{username(account)}@example.com"}) for account in accounts]


def _with_link(file: str, **body: str) -> Events:
    def events(store: Store, accounts: list[int]) -> list[Any]:
        tokens = store.order("/links", accounts=accounts)["tokens"]
        posts = file != "confirm-reset.page"
        return [_event(file, body={"token": token, **body} if posts else None, old=RESET, new=token) for token in tokens]

    return events


def _disavow(store: Store, accounts: list[int]) -> list[Any]:
    tokens = store.order("/notices", accounts=accounts)["tokens"]
    return [_event("disavow", body={"token": token}, old=NOTICE, new=token) for token in tokens]


def _reset_requests(store: Store, accounts: list[int]) -> list[Any]:
    return store.order("/reset_requests", accounts=accounts)["events"]


def _bounces(_: Store, accounts: list[int]) -> list[Any]:
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return [
        json.loads(json.dumps(_event("mail-feedback", old="ada@example.org", new=f"{username(account)}@example.com")).replace("2026-01-02T03:04:05.000Z", now))
        for account in accounts
    ]


def _calls(calls: int, hashes: int) -> Events:
    def events(_: Store, accounts: list[int]) -> list[Any]:
        event = {**_event("login"), "body": f"{calls} {hashes}", "isBase64Encoded": False}
        return [event for _ in accounts]

    return events


def _status(expected: int) -> Callable[[Any], bool]:
    return lambda answer: answer.get("statusCode") == expected


OPERATIONS = [
    Operation("register", "register", _register, _status(201)),
    Operation("login", "login", _login, _status(200)),
    Operation("login, wrong password", "login", _wrong_login, _status(401)),
    Operation("check a token", "authorizer", _with_session("authorizer.http"), lambda answer: answer["isAuthorized"], gateway=False),
    Operation("logout", "logout", _with_session("logout"), _status(200)),
    Operation("logout everywhere", "logout", _with_session("logout.all"), _status(200), spoils=True),
    Operation("see sessions", "sessions", _with_session("sessions"), _status(200)),
    Operation("set username", "set-username", _rename, _status(204), spoils=True),
    Operation("export own account", "export", _with_session("export"), _status(200)),
    Operation("see own account", "me", _with_session("me"), _status(200)),
    Operation("change password", "change-password", _change, _status(200), spoils=True),
    Operation("reset request", "password-reset", _reset, _status(200)),
    Operation("verification request", "resend-verification", _verification, _status(204)),
    Operation("send a mail", "mailer", _reset_requests, lambda answer: answer == {"batchItemFailures": []}, gateway=False, spoils=True),
    Operation("note a bounce", "mail-feedback", _bounces, lambda answer: answer is None, gateway=False, spoils=True),
    Operation("validate", "validate-token", _with_link("validate-token"), _status(200)),
    Operation("open the link", "confirm-reset", _with_link("confirm-reset.page"), _status(200)),
    Operation("confirm", "confirm-reset", _with_link("confirm-reset", password=NEW_PASSWORD), _status(200), spoils=True),
    Operation("disavow", "disavow", _disavow, _status(200), spoils=True),
]

# Baselines: a gateway event answered with nothing, a number of calls to the store and nothing else, and the same with a hash before the last call.
EMPTY = Operation("empty", "empty", _calls(0, 0), _status(200))
FEW, MANY = 1, 5
CALLS_FEW = Operation(f"{FEW} call, nothing else", "calls", _calls(FEW, 0), _status(200))
CALLS_MANY = Operation(f"{MANY} calls, nothing else", "calls", _calls(MANY, 0), _status(200))
CALLS_AND_HASH = Operation(f"{MANY} calls and a hash, nothing else", "calls", _calls(MANY, 1), _status(200))
BASELINE = [EMPTY, CALLS_FEW, CALLS_MANY, CALLS_AND_HASH]


def named(name: str) -> Operation:
    """The operation of this name."""
    return next(operation for operation in OPERATIONS if operation.name == name)


def measured(warm: dict[str, Any]) -> list[Operation]:
    """The operations of a measurement, which may be older than an operation."""
    return [operation for operation in OPERATIONS if operation.name in warm]


def in_order(names: Iterable[str]) -> list[str]:
    """Names of operations in the order of this file."""
    return sorted(names, key=[operation.name for operation in OPERATIONS].index)
