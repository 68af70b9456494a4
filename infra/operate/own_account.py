"""The account that `make verify` makes for itself: its address, its items in the tables, and its deletion.

Its address is one of ten at SES's mailbox simulator. So an account that a killed run has left is found by its address, without reading the whole table,
and the mail reaches no person.
"""

import base64
import fcntl
import hashlib
import json
import re
import secrets
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timezone
from functools import cached_property
from typing import Any
from uuid import UUID

from botocore.exceptions import ClientError

from stack import Environment, state_directory
from typed import Failure

SLOTS = 10
# An older account no longer belongs to a run. A run takes less: it waits for mail five times, and only briefly for limits.
ABANDONED_MINUTES = 30
# Error codes of AWS for missing permissions.
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
Item = dict[str, Any]


def digest(text: str) -> str:
    """The form in which tokens and addresses are stored (`shared/src/token.rs`)."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def token(prefix: str, account: str) -> str:
    """A new token in the form of the functions: a prefix, and in base64url the account's id and 256 random bits."""
    while (text := base64.urlsafe_b64encode(UUID(account).bytes + secrets.token_bytes(32)).decode())[-1] in "-_":
        pass
    return prefix + text


class OwnAccount:
    """The test's account. It has its address exclusively until `close`."""

    def __init__(self, env: Environment, mailbox: str | None) -> None:
        """`mailbox` is the URL of sent mail, where mail can be read: on the local stack."""
        self._env = env
        self._mailbox = mailbox
        self._database = env.client("dynamodb")
        self._note: Note | None = None
        self.username = f"verify-{secrets.token_hex(6)}"
        self.email = ""

    def open(self) -> int:
        """Takes an address that no other run has, and deletes the accounts that earlier runs have left. Returns how many there were."""
        # Deletes a claim that does not exist, to find out whether the credentials can delete one, before anything is created.
        self._delete("AccountsTable", f"username#{self.username}", "claim")
        left = 0
        for slot in range(SLOTS):
            email = f"success+verify-{slot}@simulator.amazonses.com"
            if not (note := Note.locked(f"{self._env.account}-{self._env.session.region_name}-{self._env.name}-{slot}")):
                continue
            id = self._holder("email", email)
            if is_free := not id or self._is_abandoned(id, note):
                if id:
                    self._delete_account(id, email)
                    left += 1
            if is_free and not self._note:
                self.email, self._note = email, note
                note.write(self.username)
            else:
                note.close()
        if not self._note:
            raise Failure(f"{SLOTS} runs of it are at work on {self._env.name}, or were killed on another machine within the last half hour: try again then.")
        return left

    def close(self) -> bool:
        """Deletes the account and gives its address back. Returns whether there was one."""
        id = self._holder("username", self.username) if self.email else None
        if id:
            self._delete_account(id, self.email)
        if self._note:
            self._note.write("")
            self._note.close()
        return id is not None

    @cached_property
    def id(self) -> str:
        """Its id, once it is registered."""
        if id := self._holder("username", self.username):
            return id
        raise Failure(f"{self.username} is gone: somebody else has deleted it.")

    def is_registered(self) -> bool:
        """Whether it is in the tables of this stack."""
        return self._holder("username", self.username) is not None

    def reset_link(self) -> Item:
        """The item of the reset link, with `sent_at` once the mail service has accepted its mail."""
        return self._item("AccountsTable", f"account#{self.id}", "reset")

    def verification_link(self) -> Item:
        """The same of the link that confirms its address."""
        return self._item("AccountsTable", f"account#{self.id}", "verify")

    def disavowals(self) -> list[Item]:
        """The items of the "this wasn't me" links in its notices, newest first."""
        found = [item for item in self._items("AccountsTable", f"account#{self.id}") if item["sk"]["S"].startswith("disavow#")]
        return sorted(found, key=lambda item: int(item["issued_at"]["N"]), reverse=True)

    def notices(self) -> list[Item]:
        """The entries of notices to it."""
        return [entry for entry in self.mail() if entry["pk"]["S"].startswith("notice#")]

    def mail(self) -> list[Item]:
        """The entries of all mail to it."""
        return [item for partition in self._outbox(self.id, self.email) for item in self._items("OutboxTable", partition)]

    def mailed_token(self, prefix: str, stored: set[str]) -> str | None:
        """The token in the newest mail to it whose digest is stored, where mail can be read: on the local stack."""
        if not self._mailbox:
            return None
        with urllib.request.urlopen(self._mailbox, timeout=30) as answer:
            mails = [mail for each in json.load(answer)["messages"].values() for mail in each if self.email in mail["To"]]
        found = [text for mail in mails for text in re.findall(rf"{prefix}[\w-]{{64}}", mail["BodyText"]) if digest(text) in stored]
        if not found:
            raise Failure(f"no mail to {self.email} holds the link that is stored: look into {self._mailbox}.")
        return found[-1]

    def replace_link(self, prefix: str, stored: Item) -> str:
        """Replaces the mailed token, whose text only its recipient has, by a token of our own, and returns that."""
        ours = token(prefix, self.id)
        self._database.update_item(
            TableName=self._env.outputs["AccountsTable"],
            Key={"pk": stored["pk"], "sk": stored["sk"]},
            UpdateExpression="SET digest = :ours",
            ConditionExpression="digest = :mailed",
            ExpressionAttributeValues={":ours": {"S": digest(ours)}, ":mailed": stored["digest"]},
        )
        return ours

    def add_disavowal(self, stored: Item) -> str:
        """Adds a link of our own beside a mailed one, with the same validity, and returns its token."""
        ours = token("dwn_", self.id)
        self._database.put_item(TableName=self._env.outputs["AccountsTable"], Item=stored | {"sk": {"S": f"disavow#{digest(ours)}"}})
        return ours

    def _delete_account(self, id: str, email: str) -> None:
        """Deletes an account as `make admin` does: deactivates it first, so that nothing new is written, and deletes it with its claims last."""
        table, key = self._env.outputs["AccountsTable"], {"pk": {"S": f"account#{id}"}, "sk": {"S": "account"}}
        try:
            self._database.update_item(
                TableName=table, Key=key, UpdateExpression="SET active = :no ADD epoch :one", ConditionExpression="attribute_exists(pk)",
                ExpressionAttributeValues={":no": {"BOOL": False}, ":one": {"N": "1"}},
            )
        except ClientError as error:
            # The account no longer exists, or these credentials may only delete. The steps are finished, so nothing new is written in that case either.
            if error.response["Error"]["Code"] not in ("ConditionalCheckFailedException", *DENIED):
                raise
        account = self._item("AccountsTable", f"account#{id}", "account")
        self._clear(id, email)
        claims = [f"email#{email}"] + ([f"username#{account['username_folded']['S']}"] if account else [])
        own = {"ConditionExpression": "attribute_not_exists(pk) OR account_id = :id", "ExpressionAttributeValues": {":id": {"S": id}}}
        claimed = [{"TableName": table, "Key": {"pk": {"S": claim}, "sk": {"S": "claim"}}, **own} for claim in claims]
        self._database.transact_write_items(TransactItems=[{"Delete": {"TableName": table, "Key": key}}, *({"Delete": each} for each in claimed)])
        # A mail may have been in progress, and the mailer stores its outcome with the account.
        self._clear(id, email)

    def _clear(self, id: str, email: str) -> None:
        """Deletes everything that belongs to an account, except the account itself and its claims."""
        partitions = [("AccountsTable", f"account#{id}"), *(("OutboxTable", partition) for partition in self._outbox(id, email))]
        for name, partition in partitions:
            for item in list(self._items(name, partition)):
                if item["sk"]["S"] != "account":
                    self._delete(name, partition, item["sk"]["S"])
        # A notice that follows another soon is held, and its account is in a list.
        for item in list(self._items("OutboxTable", "held")):
            if item["sk"]["S"].endswith(f"#{id}"):
                self._delete("OutboxTable", "held", item["sk"]["S"])

    def _outbox(self, id: str, email: str) -> list[str]:
        return [f"notice#{id}", f"reset#{digest(email)}", f"verify#{digest(email)}"]

    def _is_abandoned(self, id: str, note: "Note") -> bool:
        """Whether no run uses this account any more: it was created on this machine by a run that has ended, or long ago."""
        account = self._item("AccountsTable", f"account#{id}", "account")
        return not account or account["username"]["S"] == note.read() or self._now_ms - int(account["created_at"]["N"]) > ABANDONED_MINUTES * 60_000

    @cached_property
    def _now_ms(self) -> float:
        """The present by AWS's clock, because this machine's may be wrong."""
        headers = self._database.describe_table(TableName=self._env.outputs["AccountsTable"])["ResponseMetadata"]["HTTPHeaders"]
        try:
            return datetime.strptime(headers["date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=timezone.utc).timestamp() * 1000
        except (KeyError, ValueError):
            return datetime.now(timezone.utc).timestamp() * 1000

    def _holder(self, name: str, folded: str) -> str | None:
        """The id of the account that claims this name."""
        return self._item("AccountsTable", f"{name}#{folded}", "claim").get("account_id", {}).get("S")

    def _item(self, table: str, partition: str, sort: str) -> Item:
        key = {"pk": {"S": partition}, "sk": {"S": sort}}
        return self._database.get_item(TableName=self._env.outputs[table], Key=key, ConsistentRead=True).get("Item", {})

    def _items(self, table: str, partition: str) -> Iterator[Item]:
        request = {"TableName": self._env.outputs[table], "KeyConditionExpression": "pk = :pk", "ConsistentRead": True}
        for page in self._database.get_paginator("query").paginate(**request, ExpressionAttributeValues={":pk": {"S": partition}}):
            yield from page["Items"]

    def _delete(self, table: str, partition: str, sort: str) -> None:
        self._database.delete_item(TableName=self._env.outputs[table], Key={"pk": {"S": partition}, "sk": {"S": sort}})


class Note:
    """Stores which account a run on this machine has created at an address. The file is locked until the run ends, however it ends."""

    def __init__(self, file: Any) -> None:
        self._file = file

    @classmethod
    def locked(cls, name: str) -> "Note | None":
        """The note of an address, unless another run on this machine has it."""
        directory = state_directory() / "verify"
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / name).open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        return cls(file)

    def read(self) -> str:
        self._file.seek(0)
        return str(self._file.read())

    def write(self, username: str) -> None:
        self._file.truncate(0)
        self._file.write(username)
        self._file.flush()

    def close(self) -> None:
        self._file.close()
