"""Runs an event of `events/` with the deployed function, so that it succeeds.

The files contain what AWS sends, with an example's name, address and tokens. Every replay registers an account of its own through the API, requests
what the event needs (a session, a mailed link), and replaces the examples by it.
"""

import base64
import json
import re
import time
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

import deploy
from settings import Settings
from root import ROOT
from stack import STACK, cause
from typed import Failure, nearest

EVENTS = ROOT / "events"
EXAMPLE_TOKEN = re.compile(r"(dw[a-z]_)ThisIsAnExample\w*")
EXAMPLE_INSTANT = re.compile(r"2026-01-02T03:04:0\d(\.\d+)?Z")
PATIENCE_SECONDS = 60
# How much of a page is printed, in characters.
SHOWN = 300


def file_of(event: str, programs: list[str]) -> tuple[Path, str]:
    """The file that EVENT names, and its function. It may be login, login.json, events/login.json or a file elsewhere."""
    known = {path.stem: path for path in sorted(EVENTS.glob("*.json"))}
    name = Path(event).name.removesuffix(".json")
    if not event:
        raise Failure(f"say which event: make replay EVENT=login ({', '.join(known)}).")
    elsewhere = Path(event)
    if elsewhere.is_file() and elsewhere.resolve().parent != EVENTS:
        file = elsewhere
    elif name in known:
        file = known[name]
    else:
        raise Failure(f"there is no event {name}{nearest(name, known) or '; there are ' + ', '.join(known)}")
    program = file.name.split(".")[0]
    if program not in programs:
        raise Failure(f"there is no function {program} for {file.name}{nearest(program, programs)}")
    return file, program


class Person:
    """An account of the replay's own, with its session and links."""

    def __init__(self, settings: Settings, variables: dict[str, str], password: str) -> None:
        self._settings, self._variables, self._password = settings, variables, password
        self.name = f"replay{uuid.uuid4().hex[:8]}"
        self.email = f"{self.name}@example.org"

    def post(self, path: str, token: str | None = None, **body: str) -> Any:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Token {token}"} if token else {})
        request = urllib.request.Request(self._variables["API_URL"] + path, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Failure(f"the account for the replay was refused by {path}: {error.read().decode()}") from error
        except OSError as error:
            raise Failure(f"{path} does not answer: {error}") from error

    def register(self) -> None:
        self.post("/api/register/", username=self.name, email=self.email, password=self._password)

    @cached_property
    def session(self) -> str:
        return str(self.post("/api/login/", username=self.name, password=self._password)["token"])

    @cached_property
    def reset_link(self) -> str:
        self.post("/api/password_reset/", email=self.email)
        return self._mailed("dwr_")

    @cached_property
    def disavowal(self) -> str:
        self.post("/api/change_password/", self.session, old_password=self._password, new_password=uuid.uuid4().hex)
        return self._mailed("dwn_")

    @cached_property
    def verification(self) -> str:
        return self._mailed("dwv_")

    def token(self, example: re.Match[str]) -> str:
        """Replaces an example by the real value."""
        kinds = {"dws_": "session", "dwr_": "reset_link", "dwn_": "disavowal", "dwv_": "verification"}
        return str(getattr(self, kinds[example[1]])) if example[1] in kinds else example[0]

    def _mailed(self, prefix: str) -> str:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            for message in deploy.mails(self._settings):
                found = re.search(rf"{prefix}[\w-]+", message["BodyText"]) if self.email in message["To"] else None
                if found:
                    return found[0]
            time.sleep(0.1)
        raise Failure(f"no mail with a link came within {PATIENCE_SECONDS} seconds; `make logs` shows what the mailer says.")


def filled(event: Any, person: Person) -> Any:
    """The event with the examples replaced by the person's name, address and tokens, and with the present time. The body may be base64."""
    if isinstance(event, dict):
        filled_in = {name: filled(value, person) for name, value in event.items() if name != "body"}
        if "body" in event:
            is_encoded = bool(event["body"]) and event.get("isBase64Encoded")
            body = base64.b64decode(event["body"]).decode() if is_encoded else event["body"]
            body = filled(body, person)
            filled_in["body"] = base64.b64encode(body.encode()).decode() if is_encoded else body
        return filled_in
    if isinstance(event, list):
        return [filled(value, person) for value in event]
    if not isinstance(event, str):
        return event
    text = EXAMPLE_TOKEN.sub(person.token, event)
    text = re.sub(r"\bada(@|%40)example\.org\b", rf"{person.name}\1example.org", text)
    text = re.sub(r"\bada\b", person.name, text)
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return EXAMPLE_INSTANT.sub(now, text)


def password_in(event: dict[str, Any]) -> str:
    """The current password in the body of this event, or a default."""
    body = event.get("body") or "{}"
    try:
        fields = json.loads(base64.b64decode(body) if event.get("isBase64Encoded") else body)
    except ValueError:
        fields = {}
    return str(fields.get("old_password") or fields.get("current_password") or ("token" not in fields and fields.get("password")) or "correct horse battery")


def waiting(settings: Settings, variables: dict[str, str], person: Person) -> list[dict[str, Any]]:
    """Keys of entries of the Outbox: a reset request that is done, and a notice that waits for the mailer.

    The stream only brings new entries to the mailer, so a done entry that is reopened stays for the replay.
    """
    table, database = variables["OUTBOX_TABLE"], deploy.client(settings, "dynamodb")
    person.reset_link, person.disavowal  # noqa: B018 — both mails are out now
    keys = [_newest_done(database, table, kind) for kind in ("reset#", "notice#")]
    database.update_item(
        TableName=table,
        Key=keys[1],
        UpdateExpression="SET email = :email, address = :address, requested_at = :now REMOVE done_at, outcome, lease_until, worker",
        ExpressionAttributeValues={":email": {"S": person.email}, ":address": {"S": "203.0.113.7"}, ":now": {"N": str(int(time.time() * 1000))}},
    )
    return keys


def _newest_done(database: Any, table: str, kind: str) -> dict[str, Any]:
    """Waits until the mailer has marked the newest entry of a kind; returns its key."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        pages = database.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        items = [item for page in pages for item in page["Items"] if item["pk"]["S"].startswith(kind)]
        newest = max(items, key=lambda item: int(item["requested_at"]["N"]))
        if "done_at" in newest:
            return {name: newest[name] for name in ("pk", "sk")}
        time.sleep(0.1)
    raise Failure(f"the mailer did not finish within {PATIENCE_SECONDS} seconds; `make logs` shows what it says.")


def replay(settings: Settings, variables: dict[str, str], event: str, *, raw: bool) -> None:
    """Runs the event and prints the answer, or with `raw` the function's result unchanged."""
    file, program = file_of(event, list(settings.template.zips))
    try:
        content = json.loads(file.read_text())
    except ValueError as error:
        raise Failure(f"{file} is no JSON: {error}") from error
    person = Person(settings, variables, password_in(content))
    is_own = file.parent == EVENTS
    if is_own:
        if program != "register":
            person.register()
        content = filled(content, person)
    if is_own and program == "mailer":
        for record, key in zip(content["Records"], waiting(settings, variables, person), strict=True):
            record["dynamodb"]["Keys"] = key
    functions = deploy.client(settings, "lambda")
    try:
        answer = functions.invoke(FunctionName=f"{STACK}-{program}", Payload=json.dumps(content).encode())
    except functions.exceptions.ResourceNotFoundException:
        raise Failure(f"{program} is not in this stack: it is there only with a parameter that asks for it (docs/configuration.md).") from None
    text = answer["Payload"].read()
    if "FunctionError" in answer:
        raise Failure(f"{program} fails: {cause(text)}")
    if raw:
        print(text.decode())
        return
    print(f"{program}, with {file.name}{f' as {person.name}' if is_own else ''}:\n\n{shown(json.loads(text))}{_hint(program, person)}")


def shown(answer: Any) -> str:
    """An answer for people: status, headers, body. A page is abbreviated."""
    if not (isinstance(answer, dict) and "statusCode" in answer):
        return json.dumps(answer, indent=2)
    headers = {name: ", ".join(values) for name, values in answer.get("multiValueHeaders", {}).items()} | answer.get("headers", {})
    body = answer.get("body") or ""
    if answer.get("isBase64Encoded"):
        body = base64.b64decode(body).decode(errors="replace")
    try:
        body = json.dumps(json.loads(body), indent=2)
    except ValueError:
        if len(body) > SHOWN:
            body = f"{body[:SHOWN].rstrip()} …\n\n({len(body):,} characters; RAW=1 prints all of them)"
    return "\n".join([str(answer["statusCode"]), *(f"{name}: {value}" for name, value in sorted(headers.items())), "", body]).rstrip()


def _hint(program: str, person: Person) -> str:
    """Where the effect of a function without an answer can be seen."""
    if program == "mailer":
        return "\n\nIt failed nothing of the batch and sent the notice: make mail"
    if program == "mail-feedback":
        return f"\n\nIt marked the account: make admin ARGS='show {person.name}'"
    return ""
