"""What happens to accounts, sessions and links when a stack is deployed again or updated, or its table is restored, as OPERATIONS.md describes it."""

import json
import os
import re
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import boto3
import infra_path

from routes import CHANGE, CONFIRM, LOGIN, REGISTER, VALIDATE

ITEMS = Path(__file__).with_name("items-0.1.0.json")
ROOT, OPERATE = infra_path.ROOT, infra_path.OPERATE
PASSWORD = "Correct-Horse-42"


def client(service: str) -> Any:
    return boto3.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"])


def post(path: str, session: str | None = None, *, method: str = "POST", **body: str | list[str]) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Token {session}"} if session else {})
    request = urllib.request.Request(os.environ["API_URL"] + path, json.dumps(body).encode(), headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read() or "null")  # a 204 has no body
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@contextmanager
def without_timer() -> Iterator[None]:
    """Meanwhile the mailer does nothing by itself: its timer would release held notices of other tests' accounts."""
    events = client("events")
    rule = next(rule["Name"] for rule in events.list_rules()["Rules"] if "MailerHeld" in rule["Name"])
    events.disable_rule(Name=rule)
    try:
        yield
    finally:
        events.enable_rule(Name=rule)


def register() -> str:
    name = f"life{uuid.uuid4().hex[:12]}"
    status, answer = post(REGISTER, username=name, email=f"{name}@example.com", password=PASSWORD)
    assert status == 201, answer
    return name


def login(name: str) -> dict[str, str]:
    status, answer = post(LOGIN, username=name, password=PASSWORD)
    assert status == 200, answer
    return answer


def is_signed_in(token: str) -> bool:
    """Whether a session is valid, tried with a wrong old password, which changes nothing."""
    status, _ = post(CHANGE, token, old_password="Wrong-Horse-13", new_password="Battery-Staple-77")
    return status != 401


def wait_for_mail() -> None:
    """Waits until the mail of the last minutes is sent, for a minute at most: some tests stop the mailer."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        pages = client("dynamodb").get_paginator("scan").paginate(TableName=os.environ["OUTBOX_TABLE"], ConsistentRead=True)
        since = (time.time() - 300) * 1000
        # The list of held notices is no mail.
        waiting = [item for page in pages for item in page["Items"] if "done_at" not in item and not item["pk"]["S"].startswith(("held", "event#"))]
        if not any(float(item.get("requested_at", {}).get("N", 0)) > since for item in waiting):
            return
        time.sleep(0.1)


def set_parameters(**changed: str) -> tuple[int, str]:
    """Runs `make set`; returns its exit code and output."""
    # An update ends the emulator's functions in the middle of a call, and it does not call the mailer once more for what was lost then.
    wait_for_mail()
    environment = os.environ | {"PARAMS": " ".join(f"{name}={value}" for name, value in changed.items())}
    result = subprocess.run([sys.executable, str(OPERATE), "set"], env=environment, capture_output=True, text=True, check=False)
    assert not result.stderr, result.stderr
    return result.returncode, result.stdout


def update(**changed: str) -> str:
    code, said = set_parameters(**changed)
    assert code == 0, said
    return said


def restore(**variables: str) -> tuple[int, str]:
    """`make restore STACK=doorward …`, with nobody at the keyboard. Its exit code, and what it said."""
    command = ["make", "--no-print-directory", "restore", "STACK=doorward", *(f"{name}={value}" for name, value in variables.items())]
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PARAMS")}
    result = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return result.returncode, result.stdout


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Life(unittest.TestCase):
    def test_deploying_again_changes_nothing(self) -> None:
        self.assertIn("It was so already.", update(SessionLifetime="30d"))

    def test_parameters_that_contradict_each_other_are_refused(self) -> None:
        refused = [
            ("DomainName", "accounts.doorward.example", "DomainName needs CertificateArn"),
            ("HostedZoneId", "Z1", "HostedZoneId needs DomainName"),
            ("DefaultEndpoint", "off", "DefaultEndpoint=off needs DomainName"),
            ("Registration", "silent", "Registration=silent needs AddressVerification=mandatory"),
            ("ProxySecret", "short", "must be one secret, or two with a comma between them"),
            ("Sender", "accounts@mail.example.org", "must be one plain address of a domain of yours"),
            ("Nonsense", "1", "The stack has no parameter Nonsense"),
        ]
        for name, value, says in refused:
            with self.subTest(name):
                code, said = set_parameters(**{name: value})
                self.assertEqual(code, 1)
                self.assertIn(says, said)

    def test_an_update_in_place_keeps_accounts_and_sessions_and_takes_effect(self) -> None:
        name = register()
        before = login(name)
        update(SessionLifetime="7d")
        self.addCleanup(update, SessionLifetime="30d")
        after = login(name)
        self.assertTrue(is_signed_in(before["token"]))
        left = [datetime.fromisoformat(session["expires_at"].replace("Z", "+00:00")) - datetime.now(timezone.utc) for session in (before, after)]
        self.assertEqual([round(time.total_seconds() / 86_400) for time in left], [30, 7])

    def test_what_version_0_1_0_stored_is_still_read(self) -> None:
        stored = json.loads(ITEMS.read_text())
        now = int(time.time())
        until = now + 3600
        for item in stored["items"]:
            lifetime = {"valid_until": {"N": str(until * 1000)}, "expires_at": {"N": str(until)}}
            # Another test may have ended everything that is older, and nothing takes that back.
            lifetime |= {name: {"N": str(now * 1000)} for name in ("created_at", "issued_at")}
            client("dynamodb").put_item(TableName=os.environ["ACCOUNTS_TABLE"], Item=item | {name: lifetime[name] for name in lifetime if name in item})
        login(stored["username"])
        self.assertTrue(is_signed_in(stored["session"]))
        self.assertEqual(post(VALIDATE, token=stored["reset"])[0], 200)
        self.assertEqual(post(CONFIRM, token=stored["reset"], password="Third-Password-9")[0], 200)
        self.assertFalse(is_signed_in(stored["session"]))

    def test_a_restore_asks_before_it_deletes_goes_on_where_it_was_and_revives_no_session(self) -> None:
        self.addCleanup(update, Registration="open")
        name = register()
        session = login(name)["token"]
        code, said = restore(AT="yesterday")
        self.assertNotEqual(code, 0)
        self.assertIn("say the instant to go back to", said)

        # The copy and its backup are made, and nothing more: the live table goes on.
        code, said = restore(AT=now(), CONFIRM="no")
        self.assertNotEqual(code, 0, said)
        self.assertIn("'no' is not doorward: nothing was done", said)
        self.assertEqual(post(REGISTER, username="x", email="x@example.com", password=PASSWORD)[0], 403, "registration is closed first")
        self.assertFalse(is_signed_in(session), "and every session ended")
        update(Registration="open")
        late = register()

        code, said = restore(CONFIRM="doorward")
        self.assertEqual(code, 0, said)
        self.assertFalse(is_signed_in(session))
        time.sleep(1)  # SessionsNotBefore has the resolution of a second
        self.assertTrue(is_signed_in(login(name)["token"]))
        self.assertEqual(post(LOGIN, username=late, password=PASSWORD)[0], 401, "made after the copy")
        self.assertEqual([table for table in client("dynamodb").list_tables()["TableNames"] if table.endswith("-restored")], [])
        # The table says that the session is valid, so the switch alone keeps it out, and nothing takes the switch back.
        self.assertEqual(set_parameters(SessionsNotBefore="")[0], 1)
        self.assertFalse(is_signed_in(session))

    def test_a_restore_that_was_interrupted_after_the_deletion_goes_on_without_asking(self) -> None:
        self.addCleanup(update, Registration="open")
        database, table = client("dynamodb"), os.environ["ACCOUNTS_TABLE"]
        name = register()
        self.assertIn("nothing was done", restore(AT=now(), CONFIRM="no")[1])
        database.delete_table(TableName=table)
        self.assertEqual(post(LOGIN, username=name, password=PASSWORD)[0], 503)
        code, said = restore(CONFIRM="")
        self.assertEqual(code, 0, said)
        login(name)

    def test_the_live_table_stays_while_the_copy_is_not_whole(self) -> None:
        unfinished = """
import sys
sys.path[:0] = ["infra/aws", "infra"]
from place import Failure, Place
from restore import Restore
place = Place.found("us-east-1")
work = Restore(place, "doorward", sys.argv[1], place.client("dynamodb"))
backup = work.database.create_backup(TableName=work.table, BackupName="unfinished")["BackupDetails"]["BackupArn"]
described = Restore.described
for status in ("CREATING", "UPDATING", None):
    Restore.described = lambda self, table: {"TableStatus": status} if table.endswith("-restored") and status else None if table.endswith("-restored") else described(self, table)
    try:
        work.delete_live(backup)
    except Failure as failure:
        print(failure)
work.database.delete_backup(BackupArn=backup)
"""
        table = os.environ["ACCOUNTS_TABLE"]
        result = subprocess.run([".tools/aws/bin/python", "-c", unfinished, table], cwd=ROOT, capture_output=True, text=True, check=True)
        self.assertEqual(len(re.findall(rf"{table}-restored is (CREATING|UPDATING|gone) and its backup AVAILABLE: {table} stays.", result.stdout)), 3, result.stdout)
        self.assertEqual(client("dynamodb").describe_table(TableName=table)["Table"]["TableStatus"], "ACTIVE")


if __name__ == "__main__":
    unittest.main()
