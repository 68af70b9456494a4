"""Saves the items of the stack's tables as JSON in the state directory, because the emulator keeps everything in memory.

Items, unlike the emulator's own state, fit a changed template, another version of the emulator, and an API with other routes.
"""

import json
import os
import time
from itertools import islice
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

import deploy
from keeping import FILE, TABLES, write
from settings import Settings

# Maximum number of writes of one BatchWriteItem.
BATCH = 25


def save(settings: Settings, variables: dict[str, str]) -> bool:
    """Saves every item of the running stack. Returns False, and leaves the file unchanged, if the stack does not answer."""
    tables = {table: variables[name] for table, name in TABLES.items() if name in variables}
    try:
        database = deploy.client(settings, "dynamodb", patience=60)
        pages = {table: database.get_paginator("scan").paginate(TableName=name, ConsistentRead=True) for table, name in tables.items()}
        items = {table: [item for page in each for item in page["Items"]] for table, each in pages.items()}
    except (BotoCoreError, ClientError):
        return False
    if tables:
        write(settings.directory / FILE, json.dumps(items))
    return True


def load(settings: Settings, outputs: dict[str, str]) -> int:
    """Loads the saved items into a new stack, except those that have expired; returns the number of accounts."""
    try:
        saved = json.loads((settings.directory / FILE).read_text())
    except FileNotFoundError:
        return 0
    except ValueError:
        saved = {}
    try:
        database = deploy.client(settings, "dynamodb")
        for table in filter(outputs.__contains__, TABLES):
            _put(database, outputs[table], [item for item in saved.get(table, []) if not _is_over(item)])
    except (BotoCoreError, ClientError, AttributeError) as error:
        aside = settings.directory / f"accounts-{int(time.time())}.json"
        (settings.directory / FILE).rename(aside)
        print(f"==> The accounts of the last time do not fit this template ({error}); they are in {os.path.relpath(aside)}", flush=True)
        return 0
    return sum(item.get("sk", {}).get("S") == "account" for item in saved.get("AccountsTable", []))


def forget(directory: Path) -> None:
    (directory / FILE).unlink(missing_ok=True)


def _put(database: Any, table: str, items: list[dict[str, Any]]) -> None:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        requests = {table: [{"PutRequest": {"Item": item}} for item in batch]}
        while requests:
            requests = database.batch_write_item(RequestItems=requests)["UnprocessedItems"]


def _is_over(item: dict[str, Any]) -> bool:
    return float(item.get("expires_at", {}).get("N", "inf")) < time.time()
