"""`make delete`: deletes a stack, and with TABLES=yes also its tables of accounts and mail, which otherwise stay."""

import os
import re
import subprocess
import sys
from pathlib import Path

from botocore.exceptions import ClientError

import answers
from place import Place, confirm, parameters, say
from root import ROOT
from typed import Failure


def delete(stack: str) -> None:
    place = Place.found(answers.read(stack)[0])
    running = place.stack(stack)
    with_tables = os.environ.get("TABLES", "") == "yes"
    tables = _tables(place, stack, exists=running is not None)
    if not running and not (with_tables and tables):
        raise Failure(f"there is no stack {stack} in {place}" + (f"; its tables are {' and '.join(tables)} (TABLES=yes deletes them)." if tables else "."))
    stay = bool(running) and parameters(running).get("TableRetention", "Retain") == "Retain" and not with_tables  # type: ignore[arg-type]
    say(f"Deletes {stack} in {place}" + (f", but for {' and '.join(tables)}." if stay and tables else f", with all its accounts ({', '.join(tables)})." if tables else "."))
    confirm("This cannot be undone." if not stay else "The API is gone then.", stack)
    if running:
        command = [str(Path(sys.prefix) / "bin" / "sam"), "delete", "--stack-name", stack, "--region", place.region, "--no-prompts"]
        if subprocess.run(command, cwd=ROOT, env={**os.environ, "SAM_CLI_TELEMETRY": "0"}, check=False).returncode != 0:
            raise Failure(f"{stack} was not deleted; SAM CLI says why above.")
    if with_tables:
        for table in tables:
            _delete_table(place, table)
    say(f"Deleted: {stack} in {place}." + (f" {' and '.join(tables)} stay, protected; make delete STACK={stack} TABLES=yes deletes them." if stay and tables else ""))


def _tables(place: Place, stack: str, *, exists: bool) -> list[str]:
    """The tables that the stack leaves; if the stack does not exist, those with the names that CloudFormation gave them."""
    if exists:
        resources = place.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
        found = [r for page in resources for r in page["StackResourceSummaries"] if r["LogicalResourceId"] in ("Accounts", "Outbox") and r.get("PhysicalResourceId")]
        # A failed first deployment leaves them too, and lists them as skipped.
        return sorted(r["PhysicalResourceId"] for r in found if r["ResourceStatus"] != "DELETE_COMPLETE")
    names = place.client("dynamodb").get_paginator("list_tables").paginate()
    own = re.compile(rf"{re.escape(stack)}-(Accounts|Outbox)-[A-Z0-9]+", re.ASCII)
    return sorted(name for page in names for name in page["TableNames"] if own.fullmatch(name))


def _delete_table(place: Place, table: str) -> None:
    database = place.client("dynamodb")
    try:
        if database.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
            database.update_table(TableName=table, DeletionProtectionEnabled=False)
            database.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1 if place.is_emulator else 5})
        database.delete_table(TableName=table)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
