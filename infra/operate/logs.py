"""`make logs` and `make events`: what the functions of a stack logged, with times, from one request or account or all."""

import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import ClientError

from stack import Environment, instant
from typed import Failure

# Fields of a line that are shown as text, the fields that are shown first of the others, and fields that are not shown.
SPOKEN = ("level", "message", "outcome", "status")
FIRST = ("request_id", "account", "client", "limited")
UNSPOKEN = ("target", "name", "span", "threadId")
# With FOLLOW=1, how far back each query looks, because lines reach CloudWatch late and out of order.
OVERLAP_MS = 60_000
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True)
class Line:
    """A line of a function's log."""

    at_ms: int
    function: str
    text: str

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the event and of its request; empty if the line is no JSON."""
        try:
            event = json.loads(self.text)
        except ValueError:
            return {}
        return {**event.get("span", {}), **event} if isinstance(event, dict) else {}

    @property
    def is_metric(self) -> bool:
        return self.text.startswith('{"_aws"') or "_aws" in self.fields

    @property
    def time(self) -> str:
        return datetime.fromtimestamp(self.at_ms / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

    def shown(self) -> str:
        fields = self.fields
        if not fields:
            return f"{self.time} {self.function}: {self.text}"
        level = "" if fields.get("level") == "INFO" else f"{fields.get('level')} "
        words = " ".join(str(fields[name]) for name in SPOKEN[2:] if name in fields)
        names = [name for name in FIRST if fields.get(name)] + sorted(fields.keys() - {*SPOKEN, *FIRST, *UNSPOKEN})
        rest = " ".join(f"{name}={fields[name]}" for name in names)
        return f"{self.time} {self.function}: {level}{fields.get('message', '')}: {words} {rest}".rstrip(": ")


@dataclass(frozen=True)
class Filter:
    """The conditions for the lines to be shown."""

    request: str = ""
    account: str = ""
    outcome: str = ""

    @classmethod
    def asked(cls) -> "Filter":
        values = {name: os.environ.get(name.upper(), "").removeprefix("id:") for name in ("request", "account", "outcome")}
        for name, value in values.items():
            if not re.fullmatch(r"[\w .-]*", value):
                raise Failure(f"{name.upper()}: {value!r} is none; `make logs` shows what there is.")
        return cls(**values)

    def holds(self, line: Line) -> bool:
        if line.is_metric:
            return False
        wanted = {"request_id": self.request, "account": self.account, "outcome": self.outcome}
        return all(not value or str(line.fields.get(name)) == value for name, value in wanted.items())

    @property
    def pattern(self) -> str:
        """The same conditions as a filter pattern of CloudWatch, as far as possible, so that not all lines have to be read."""
        return " ".join(f'"{value}"' for value in (self.request, self.account, self.outcome) if value)


class Reader:
    """The functions' log lines, oldest first, each of them once."""

    def __init__(self, env: Environment, since_ms: int, pattern: str = "") -> None:
        self._env, self._client = env, env.client("logs")
        self._since, self._pattern = since_ms, pattern
        self._seen: set[Any] = set()

    def new(self) -> list[Line]:
        lines: list[Line] = []
        prefix = f"/aws/lambda/{self._env.name}-"
        groups = [group for group in self._env.names("AWS::Logs::LogGroup").values() if group.startswith(prefix)]
        for group in groups:
            lines += self._of(group, group.removeprefix(prefix))
        lines.sort(key=lambda line: line.at_ms)
        if lines:
            self._since = max(self._since, lines[-1].at_ms - OVERLAP_MS)
        return lines

    def _of(self, group: str, function: str) -> Iterator[Line]:
        # The emulator interprets patterns differently.
        pattern = {"filterPattern": self._pattern} if self._pattern and not self._env.is_local else {}
        try:
            for page in self._client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=self._since, **pattern):
                for event in page["events"]:
                    key = (event["logStreamName"], event.get("eventId"), event["timestamp"], event["message"])
                    if key not in self._seen:
                        self._seen.add(key)
                        yield Line(event["timestamp"], function, event["message"].rstrip())
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":  # deleted with its stack
                raise


def logs(env: Environment) -> int:
    """Prints the lines that REQUEST, ACCOUNT and OUTCOME select, of the time in SINCE; with FOLLOW=1 also those that come."""
    wanted, raw = Filter.asked(), bool(os.environ.get("RAW"))
    for line in _lines(env, wanted.pattern):
        if raw and wanted == Filter() or wanted.holds(line) and not line.text.startswith(("START ", "END ", "REPORT ", "INIT_START ")):
            print(line.text if raw else line.shown(), flush=True)
    return 0


def events(env: Environment) -> int:
    """Prints the events that were published: when, what, the account, the event's id. ACCOUNT, SINCE and FOLLOW are as for `make logs`."""
    if "EventBusName" not in env.outputs:
        raise Failure("this stack publishes no events (Events=none).")
    wanted = Filter(account=Filter.asked().account)
    for line in _lines(env, wanted.pattern or '"event published"'):
        if line.function == "events" and line.fields.get("message") == "event published" and wanted.holds(line):
            print(f"{line.time} {line.fields['kind']} {_about(line.fields)} id={line.fields['event']}", flush=True)
    return 0


def _about(fields: dict[str, Any]) -> str:
    """The account of an event; of an export also what was exported and by whom."""
    exported = " ".join(f"{name}={fields[name]}" for name in ("count", "format", "with_hashes", "caller") if name in fields)
    return " ".join(filter(None, [f"account={fields.get('account', 'all')}", exported]))


def _lines(env: Environment, pattern: str) -> Iterator[Line]:
    """The lines since SINCE; with FOLLOW=1 also new lines, without an end."""
    follows = os.environ.get("FOLLOW", "") not in ("", "0")
    reader = Reader(env, since(os.environ.get("SINCE", ""), 0 if env.is_local else 3600), pattern)
    while True:
        yield from reader.new()
        if not follows:
            return
        time.sleep(0.5 if env.is_local else 5)


def since(text: str, default_seconds: int) -> int:
    """The instant in SINCE in milliseconds: one in RFC 3339 notation, or a time ago such as 10m. A default of 0 is the beginning."""
    now = int(time.time() * 1000)
    if not text:
        return now - default_seconds * 1000 if default_seconds else 0
    if ago := re.fullmatch(r"(\d+)\s*([smhd])", text):
        return now - int(ago[1]) * UNITS[ago[2]] * 1000
    if at := instant(text):
        return int(at.timestamp() * 1000)
    raise Failure(f"SINCE: {text!r} is neither a time ago, such as 10m, 2h or 1d, nor an instant such as 2026-01-31T12:00:00Z.")
