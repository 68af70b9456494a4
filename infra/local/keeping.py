"""The emulator's own copy of the tables, for the day on which nobody types `make down`: a reboot, or an emulator that is killed.

It is written once a minute and when the emulator is told to end, to the file that `make down` writes as well (keep.py). This runs inside the emulator, which
has this folder and MiniStack, and asks it as a client would, but without a connection: at its end no connection is accepted any more.
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

FILE = "accounts.json"
# Accounts are loaded before the Outbox, whose entries reach the mailer at once. Sent mail is marked and not sent again.
# Each with its variable in stack.env.
TABLES = {"AccountsTable": "ACCOUNTS_TABLE", "LimitsTable": "LIMITS_TABLE", "OutboxTable": "OUTBOX_TABLE"}
SECONDS = 60
# The emulator checks who asks, and not the signature.
SIGNED = b"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"

App = Callable[[dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


def write(file: Path, text: str) -> None:
    """Writes a file completely or not at all. Only its owner can read it, because it contains hashes."""
    new = file.with_name(f"{file.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
    new.replace(file)


def stack_variables(directory: Path) -> dict[str, str]:
    """The variables in stack.env, which is there from the end of a deployment until the stack is stopped; none without it."""
    try:
        lines = (directory / "stack.env").read_text().splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split("=", 1) for line in lines if not line.startswith("export "))


async def save(app: App, directory: Path, port: int) -> None:
    """Saves every item of the stack, unless there is none."""
    variables = stack_variables(directory)
    if not variables:
        return
    began = time.time_ns()
    found = {table: await _scanned(app, variables[name], port) for table, name in TABLES.items() if name in variables}
    items = {table: each for table, each in found.items() if each is not None}
    file = directory / FILE
    # Meanwhile `make down` may have written what is newer.
    is_newer = file.exists() and file.stat().st_mtime_ns > began
    # Half of the tables would be worse than those of the last time. The stack may also have been stopped and its accounts forgotten.
    if items and len(items) == len(found) and not is_newer and (directory / "stack.env").exists():
        write(file, json.dumps(items))


async def _scanned(app: App, table: str, port: int) -> list[Any] | None:
    """Every item of a table; None if the emulator does not answer with them."""
    items: list[Any] = []
    start: dict[str, Any] = {}
    while True:
        status, answer = await _ask(app, {"TableName": table, "ConsistentRead": True} | start, port)
        if status != 200:
            return None
        items += answer["Items"]
        if not answer.get("LastEvaluatedKey"):
            return items
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


async def _ask(app: App, body: dict[str, Any], port: int) -> tuple[int, Any]:
    headers = {
        b"host": f"127.0.0.1:{port}".encode(), b"content-type": b"application/x-amz-json-1.0", b"x-amz-target": b"DynamoDB_20120810.Scan", b"authorization": SIGNED,
    }
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/", "raw_path": b"/", "query_string": b"",
        "root_path": "", "headers": list(headers.items()), "client": ("127.0.0.1", 0), "server": ("127.0.0.1", port),
    }
    status, answer = 0, b""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, answer
        status, answer = message.get("status", status), answer + message.get("body", b"")

    await app(scope, receive, send)
    return status, json.loads(answer)


def kept(app: App, directory: Path, port: int) -> App:
    """The application, which saves its tables once a minute and before it ends."""

    async def lifespan(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        if scope["type"] != "lifespan":
            return await app(scope, receive, send)

        async def repeatedly() -> None:
            while True:
                await asyncio.sleep(SECONDS)
                await _try(app, directory, port)

        task = asyncio.create_task(repeatedly())

        async def received() -> Any:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                task.cancel()
                await _try(app, directory, port)
            return message

        await app(scope, received, send)

    return lifespan


async def _try(app: App, directory: Path, port: int) -> None:
    try:
        await save(app, directory, port)
    except Exception as error:  # whatever it is, the stack goes on
        print(f"The accounts were not saved: {error!r}", flush=True)
