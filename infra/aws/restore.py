"""`make restore`: restores the table of accounts to an instant within the last 35 days, under its own name.

Each step checks what exists and does what is missing, so that the same command continues after any interruption. The live table is deleted only when
the copy is ACTIVE, its backup is AVAILABLE, and the operator has confirmed.
"""

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import ClientError

import answers
from place import Place, confirm, outputs, parameters, say
from root import ROOT
from typed import Failure

PLAN = """\
Restores {table} in {place}.
  1 closes Registration and ends every session by SessionsNotBefore: a restored table revives those that had ended   a minute or two
  2 copies the table as it was at that instant                                                                        at least 20 minutes, whatever its size; hours for a large one
  3 backs the copy up                                                                                                 seconds to minutes
  4 asks you; then deletes the live table (AWS keeps a backup of it for 35 days)                                      a minute; from here on the API answers 503
  5 restores the backup under the table's own name                                                                    20 to 60 minutes, longer for a large one; then the API answers
  6 turns expiry, point-in-time recovery and protection on again, takes the copy and its backup away                  a minute
Interrupted, the same command goes on where it was."""


def restore(stack: str) -> None:
    place = Place.found(answers.read(stack)[0])
    running = place.existing(stack)
    work = Restore(place, stack, outputs(running)["AccountsTable"], place.client("dynamodb"))
    say(PLAN.format(table=work.table, place=place))
    at = work.instant(os.environ.get("AT", ""))
    work.set_switches(parameters(running), at)
    backup = work.backup_of(work.copy_of(at))
    if work.is_live(backup):
        work.delete_live(backup["BackupArn"])
    work.put_in_place(backup)
    work.set_up(parameters(running))
    work.clean_up(backup["BackupArn"])
    say(
        f"\nRestored: {work.table} is as it was at {shown(at)}. Whoever registered since is gone, and a password changed since is the older one again.\n"
        f"next  make doctor STACK={stack}\n      make set STACK={stack} PARAMS=Registration=open   (or silent, if it was)"
    )


@dataclass(frozen=True)
class Restore:
    """A restore of one table, at any step."""

    place: Place
    stack: str
    table: str
    database: Any

    @property
    def copy(self) -> str:
        return f"{self.table}-restored"

    def instant(self, text: str) -> datetime:
        """The instant in AT, or that of an existing copy."""
        copy = self.described(self.copy)
        begun = (copy or {}).get("RestoreSummary", {}).get("RestoreDateTime")
        if not text and copy:
            return begun or copy["CreationDateTime"]  # the emulator does not say of when it is
        try:
            at = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)
        except ValueError:
            raise Failure(f"say the instant to go back to, in UTC: make restore STACK={self.stack} AT=2026-01-31T12:00:00Z.") from None
        if begun and begun.replace(microsecond=0) != at.replace(microsecond=0):
            raise Failure(f"{self.copy} is there already, as of {shown(begun)}: go on with AT={shown(begun)}, or delete it first.")
        if copy or self.place.is_emulator:  # whose window does not move on
            return at
        backups = self.database.describe_continuous_backups(TableName=self.table)["ContinuousBackupsDescription"]
        window = backups.get("PointInTimeRecoveryDescription", {})
        first, last = window.get("EarliestRestorableDateTime"), window.get("LatestRestorableDateTime")
        if (first and at < first) or (last and at > last):
            raise Failure(f"{self.table} can go back to {shown(first)} at the earliest and {shown(last)} at the latest.")
        return at

    def set_switches(self, given: dict[str, str], at: datetime) -> None:
        wanted = []
        ended = given["SessionsNotBefore"]
        if not ended or datetime.fromisoformat(ended.replace("Z", "+00:00")) < at:
            wanted.append("SessionsNotBefore=now")
        if given["Registration"] != "closed":
            wanted.append("Registration=closed")
        if not wanted:
            return
        say(f"\n==> {' '.join(wanted)}")
        environment = {**os.environ, "AWS_REGION": self.place.region, "AWS_DEFAULT_REGION": self.place.region}
        command = ["make", "--no-print-directory", "set", f"STACK={self.stack}", f"PARAMS={' '.join(wanted)}"]
        if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode != 0:
            raise Failure("the emergency switches were not set, so nothing was restored.")

    def copy_of(self, at: datetime) -> str:
        """Waits until the copy is ACTIVE."""
        if not self.described(self.copy):
            say(f"\n==> {self.copy} as of {shown(at)}")
            self.database.restore_table_to_point_in_time(SourceTableName=self.table, TargetTableName=self.copy, RestoreDateTime=at)
        self.wait(f"{self.copy} is being made", lambda: (self.described(self.copy) or {}).get("TableStatus") == "ACTIVE")
        return self.copy

    def backup_of(self, copy: str) -> dict[str, Any]:
        """Waits until the newest backup of the copy is AVAILABLE."""
        def newest() -> dict[str, Any] | None:
            made = self.database.list_backups(TableName=copy, BackupType="USER")["BackupSummaries"]
            return max((each for each in made if each["BackupName"] == copy[-255:]), key=lambda each: each["BackupCreationDateTime"], default=None)

        if not newest():
            say(f"\n==> A backup of {copy}")
            self.database.create_backup(TableName=copy, BackupName=copy[-255:])
        self.wait("the backup is being made", lambda: (newest() or {}).get("BackupStatus") == "AVAILABLE")
        return newest() or {}

    def is_live(self, backup: dict[str, Any]) -> bool:
        """Whether the table with the live name is still the old one, which is older than the backup; the restored one is younger."""
        live = self.described(self.table)
        if live is None or live["TableStatus"] == "DELETING":
            return False
        return live["CreationDateTime"] < backup["BackupCreationDateTime"].replace(microsecond=0)

    def delete_live(self, backup: str) -> None:
        self.require_whole(backup)
        say(f"\n{self.copy} holds {self.accounts(self.copy):,} accounts, {self.table} {self.accounts(self.table):,}. Look into the copy: is it what you want?")
        confirm(f"The API answers 503 from now until {self.table} is restored.", self.stack)
        self.require_whole(backup)
        say(f"\n==> {self.table} is deleted")
        if self.described(self.table).get("DeletionProtectionEnabled"):  # type: ignore[union-attr]
            self.database.update_table(TableName=self.table, DeletionProtectionEnabled=False)
            self.wait("its protection is taken away", lambda: (self.described(self.table) or {}).get("TableStatus") == "ACTIVE")
        self.database.delete_table(TableName=self.table)

    def require_whole(self, backup: str) -> None:
        """Fails unless the copy could replace the live table at once."""
        copy = self.described(self.copy) or {}
        status = self.database.describe_backup(BackupArn=backup)["BackupDescription"]["BackupDetails"]["BackupStatus"]
        if (copy.get("TableStatus"), status) != ("ACTIVE", "AVAILABLE"):
            raise Failure(f"{self.copy} is {copy.get('TableStatus', 'gone')} and its backup {status}: {self.table} stays.")

    def put_in_place(self, backup: dict[str, Any]) -> None:
        def status() -> str:
            return (self.described(self.table) or {}).get("TableStatus", "GONE")

        self.wait(f"{self.table} is being deleted", lambda: status() != "DELETING" and not self.is_live(backup))
        if status() == "GONE":
            say(f"\n==> {self.table} from the backup")
            self.database.restore_table_from_backup(TargetTableName=self.table, BackupArn=backup["BackupArn"])
        self.wait(f"{self.table} is being restored", lambda: status() == "ACTIVE")

    def set_up(self, given: dict[str, str]) -> None:
        """Sets the table's settings that a restore does not copy."""
        say("\n==> Expiry, point-in-time recovery, protection")
        expiry = self.database.describe_time_to_live(TableName=self.table)["TimeToLiveDescription"]["TimeToLiveStatus"]
        if expiry not in ("ENABLED", "ENABLING"):
            self.database.update_time_to_live(TableName=self.table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"})
        self.database.update_continuous_backups(TableName=self.table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
        bounds = {"MaxReadRequestUnits": int(given["TableMaxReads"]), "MaxWriteRequestUnits": int(given["TableMaxWrites"])}
        if bounds := {name: units for name, units in bounds.items() if units}:
            self.database.update_table(TableName=self.table, OnDemandThroughput=bounds)
            self.wait("its bounds are set", lambda: (self.described(self.table) or {}).get("TableStatus") == "ACTIVE")
        if given["TableRetention"] == "Retain":
            self.database.update_table(TableName=self.table, DeletionProtectionEnabled=True)

    def clean_up(self, backup: str) -> None:
        self.database.delete_table(TableName=self.copy)
        self.database.delete_backup(BackupArn=backup)

    def described(self, table: str) -> dict[str, Any] | None:
        try:
            return self.database.describe_table(TableName=table)["Table"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return None

    def accounts(self, table: str) -> int:
        """Counts the accounts in a table, because DynamoDB's own count is up to six hours old."""
        request: dict[str, Any] = {"TableName": table, "Select": "COUNT", "FilterExpression": "begins_with(pk, :account) AND sk = :own"}
        request["ExpressionAttributeValues"] = {":account": {"S": "account#"}, ":own": {"S": "account"}}
        return sum(page["Count"] for page in self.database.get_paginator("scan").paginate(**request))

    def wait(self, until: str, done: Callable[[], bool]) -> None:
        """Waits without a time-out, which would only force the operator to start again."""
        began = told = time.monotonic()
        while not done():
            if time.monotonic() - told > 60:
                told = time.monotonic()
                say(f"    {until}, for {(told - began) / 60:.0f} minutes")
            time.sleep(0.1 if self.place.is_emulator else 15)


def shown(instant: datetime | None) -> str:
    return instant.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if instant else "any time"
