"""Runs the store's tests against DynamoDB or another program that speaks its protocol: `make unit STORE=aws`, `make unit STORE=http://…`.

A run deletes its own tables at the end, also after a failure. `make sweep STORE=…` deletes the tables of a run that was killed.
"""

import ctypes
import json
import os
import re
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

import cargo
from processes import started
from root import ROOT
from stack import reason, session
from typed import Failure, leave, nearest, run_command, words

# The prefix of the names of all tables of all runs.
TABLES = "doorward-test-"
# The programs of tests that use a store (tests/api/Cargo.toml).
PROGRAMS = ("api", "admin", "contract", "metrics", "secrets")
# What a run of all tests takes, estimated from one over the emulator that was stopped after a quarter of them (20,348 calls, 23,811 write and 6,033
# read units, 54 tables). The number of tables depends on how many tests run at the same time.
ESTIMATED = {"calls": 80_000, "written": 100_000, "read": 30_000, "tables": 60}
PRICES = ROOT / "tests" / "bench" / "prices.json"
# Used for a URL if the environment has no credentials, because an emulator accepts any.
ANY = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


@dataclass(frozen=True)
class Store:
    """The store that STORE names, with valid credentials."""

    name: str
    session: boto3.Session
    place: str
    is_billed: bool

    @classmethod
    def found(cls) -> "Store":
        name = named()
        endpoint = os.environ.get("AWS_ENDPOINT_URL_DYNAMODB") or os.environ.get("AWS_ENDPOINT_URL")
        if name != "aws":
            found = session()
            given = {} if found.get_credentials() else ANY
            return cls(name, boto3.Session(region_name=found.region_name or "us-east-1", **given), f"the store at {name}", is_billed=False)
        found = session()
        if not found.region_name:
            raise Failure("no Region is chosen: set AWS_REGION, such as AWS_REGION=eu-central-1.")
        try:
            account = found.client("sts", config=CONFIG).get_caller_identity()["Account"]
        except (BotoCoreError, ClientError) as error:
            raise Failure(f"AWS does not know these credentials ({reason(error)}): log in, or set AWS_PROFILE.") from None
        place = f"DynamoDB at {endpoint}" if endpoint else f"DynamoDB in {found.region_name} of {account}"
        return cls(name, found, place, is_billed=not endpoint)

    @property
    def client(self) -> Any:
        return self.session.client("dynamodb", config=CONFIG, endpoint_url=None if self.name == "aws" else self.name)

    def variables(self) -> dict[str, str]:
        """What a program of tests needs to reach it."""
        credentials = self.session.get_credentials()
        if credentials is None:
            raise Failure("AWS gives no credentials: log in, or set AWS_PROFILE.")
        frozen = credentials.get_frozen_credentials()
        return {
            "DOORWARD_STORE": self.name,
            "AWS_REGION": self.session.region_name,
            "AWS_ACCESS_KEY_ID": frozen.access_key,
            "AWS_SECRET_ACCESS_KEY": frozen.secret_key,
            "AWS_SESSION_TOKEN": frozen.token or "",
        }

    def tables(self, prefix: str) -> list[str]:
        """The tables whose names begin like this."""
        pages = self.client.get_paginator("list_tables").paginate()
        return [name for page in pages for name in page["TableNames"] if name.startswith(prefix)]

    def delete(self, prefix: str) -> int:
        """Deletes these tables and waits until they are gone; their number."""
        client, deleted = self.client, set()
        deadline = time.monotonic() + 300
        while left := self.tables(prefix):
            for table in left:
                # A table that is still being created or already being deleted cannot be deleted now.
                with suppress(client.exceptions.ResourceInUseException, client.exceptions.ResourceNotFoundException, client.exceptions.LimitExceededException):
                    client.delete_table(TableName=table)
                deleted.add(table)
            if time.monotonic() > deadline:
                raise Failure(f"{len(left)} tables {prefix}… are still there: `make sweep STORE={self.name}` deletes them.")
            time.sleep(0.2 if len(left) < 10 else 1)
        return len(deleted)


def named() -> str:
    """The value of STORE, which must be aws or a URL."""
    name = os.environ.get("STORE", "")
    if name != "aws" and not re.fullmatch(r"https?://\S+", name):
        raise Failure(f"STORE={name} is neither aws nor a URL{nearest(name, ['aws'])}")
    return name


CONFIG = Config(retries={"max_attempts": 5, "mode": "standard"}, connect_timeout=5, read_timeout=30)


def unit() -> int:
    """Runs the tests, and prints at the end how many calls and units they used."""
    named()
    # Built before credentials are read.
    programs = built()
    store = Store.found()
    prefix = f"{TABLES}{secrets.token_hex(4)}"
    say(f"The tests of the store run on {store.place}, in tables of their own, {prefix}-…, which are deleted at the end.")
    say(f"All of them take {estimate(store)}")
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report"
        variables = os.environ | store.variables() | {"DOORWARD_STORE_PREFIX": prefix, "DOORWARD_STORE_REPORT": str(report)}
        for name in ("STORE", "ARGS", "AWS_PROFILE"):
            variables.pop(name, None)
        try:
            codes = [run(program, variables) for program in programs]
        finally:
            undisturbed()
            count = store.delete(prefix)
            say(f"{count} tables are deleted. {summary(store, report)}")
    return 1 if any(codes) else 0


def sweep() -> int:
    """Deletes the tables of runs that were killed, when that was confirmed."""
    store = Store.found()
    tables = store.tables(TABLES)
    if not tables:
        say(f"No tables {TABLES}… are left on {store.place}.")
        return 0
    for prefix in sorted({prefix_of(table) for table in tables}):
        of_run = [table for table in tables if prefix_of(table) == prefix]
        created = store.client.describe_table(TableName=of_run[0])["Table"].get("CreationDateTime", "at an unknown time")
        say(f"{prefix}: {len(of_run)} tables, made {created:%Y-%m-%d %H:%M}" if hasattr(created, "year") else f"{prefix}: {len(of_run)} tables, made {created}")
    question = f"They are on {store.place}; a run that is still going needs its own. Type delete to delete them all: "
    given = os.environ.get("CONFIRM") or input(question).strip()
    if given != "delete":
        raise Failure(f"{given!r} is not delete: nothing was done.")
    say(f"{store.delete(TABLES)} tables are deleted.")
    return 0


def built() -> list[Path]:
    """The programs of tests, built without credentials."""
    command = ["cargo", "test", "--locked", "--no-run", "--workspace", "--exclude", "doorward-stack-tests", "--message-format=json-render-diagnostics"]
    command += [word for program in PROGRAMS for word in ("--test", program)]
    with started(command, cwd=ROOT, env=cargo.environment(), stdout=-1, text=True) as process:
        assert process.stdout
        messages = [json.loads(line) for line in process.stdout if line.startswith('{"reason":"compiler-artifact"')]
        if process.wait() != 0:
            raise Failure("the tests do not build; cargo says why above.")
    there = {m["target"]["name"]: m["executable"] for m in messages if m.get("executable") and "test" in m["target"]["kind"]}
    return [Path(there[program]) for program in PROGRAMS]


def run(program: Path, variables: dict[str, str]) -> int:
    """Runs a program of tests where cargo runs it; ARGS are its arguments."""
    package = ROOT / "tests" / "api"
    command = [str(program), *words(os.environ.get("ARGS", ""))]
    with started(command, cwd=package, env=variables | {"CARGO_MANIFEST_DIR": str(package)}, preexec_fn=end_with_parent) as process:
        return process.wait()


def end_with_parent() -> None:
    """A program of tests would otherwise go on, and make tables, when this one is killed (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def estimate(store: Store) -> str:
    took = f"about {ESTIMATED['calls']:,} calls, {ESTIMATED['written']:,} write and {ESTIMATED['read']:,} read units, and up to {ESTIMATED['tables']} tables on demand"
    return f"{took}: about {dollars(ESTIMATED):.2f} US dollars." if store.is_billed else f"{took}; this store sends no bill that is known here."


def dollars(took: Mapping[str, float]) -> float:
    prices = json.loads(PRICES.read_text())["prices"]
    return (took["written"] * prices["write_million"]["price"] + took["read"] * prices["read_million"]["price"]) / 1e6


def summary(store: Store, report: Path) -> str:
    """The calls and units of a run, and the tests that were left out."""
    lines = [json.loads(line) for line in report.read_text().splitlines()] if report.exists() else []
    took = {name: sum(line.get(name, 0) for line in lines) for name in ("calls", "written", "read")}
    said = f"It took {took['calls']:,} calls, {took['written']:,.0f} write and {took['read']:,.0f} read units"
    said += f", {dollars(took):.2f} US dollars in us-east-1." if store.is_billed else "."
    left_out = sorted({(line["reason"], line["left_out"]) for line in lines if "left_out" in line})
    if left_out:
        said += f"\nLeft out, as only a store in process can run them: {len(left_out)}\n" + "\n".join(f"  {test}: {why}" for why, test in left_out)
    return said


def prefix_of(table: str) -> str:
    return "-".join(table.split("-")[:3])


def undisturbed() -> None:
    """Ignores further signals, so that the deletion is not interrupted by a second Ctrl-C."""
    for end in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, signal.SIG_IGN)


def say(what: str) -> None:
    print(what, flush=True)


COMMANDS = {"unit": unit, "sweep": sweep}


def main(command: str) -> int:
    try:
        return COMMANDS[command]()
    except (BotoCoreError, ClientError) as error:
        raise Failure(f"the store does not answer as it should ({reason(error)}).") from None


if __name__ == "__main__":
    leave(run_command(sys.argv[1], lambda: main(*sys.argv[1:])))
