"""What happens to accounts, sessions and links when a stack is deployed again, updated, or its table restored. OPERATIONS.md says the same."""

import json
import os
import time
import unittest
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

ITEMS = Path(__file__).with_name("items-0.1.0.json")
PASSWORD = "Correct-Horse-42"


def client(service: str) -> Any:
    return boto3.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"])


def post(path: str, session: str | None = None, **body: str) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Token {session}"} if session else {})
    request = urllib.request.Request(os.environ["API_URL"] + path, json.dumps(body).encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def register() -> str:
    name = f"life{uuid.uuid4().hex[:12]}"
    status, answer = post("/api/register/", username=name, email=f"{name}@example.com", password=PASSWORD)
    assert status == 201, answer
    return name


def login(name: str) -> dict[str, str]:
    status, answer = post("/api/login/", username=name, password=PASSWORD)
    assert status == 200, answer
    return answer


def is_signed_in(token: str) -> bool:
    """Asked of the one route that needs a session and changes nothing when the old password is wrong."""
    status, _ = post("/api/change_password/", token, old_password="Wrong-Horse-13", new_password="Battery-Staple-77")
    return status != 401


def update(**changed: str) -> None:
    """Deploys what is deployed, with other parameters."""
    cloudformation = client("cloudformation")
    there = cloudformation.describe_stacks(StackName="doorward")["Stacks"][0]
    given = {p["ParameterKey"]: p["ParameterValue"] for p in there["Parameters"]} | changed
    cloudformation.update_stack(
        StackName="doorward",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Tags=there.get("Tags", []),
    )
    while (status := cloudformation.describe_stacks(StackName="doorward")["Stacks"][0]["StackStatus"]).endswith("IN_PROGRESS"):
        time.sleep(0.1)
    assert status == "UPDATE_COMPLETE", status


class Life(unittest.TestCase):
    def test_deploying_again_changes_nothing(self) -> None:
        with self.assertRaisesRegex(ClientError, "No updates are to be performed"):
            update()

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
        until = int(time.time()) + 3600
        for item in stored["items"]:
            lifetime = {"valid_until": {"N": str(until * 1000)}, "expires_at": {"N": str(until)}}
            client("dynamodb").put_item(TableName=os.environ["ACCOUNTS_TABLE"], Item=item | {name: lifetime[name] for name in lifetime if name in item})
        login(stored["username"])
        self.assertTrue(is_signed_in(stored["session"]))
        self.assertEqual(post("/api/password_reset/validate_token/", token=stored["reset"])[0], 200)
        self.assertEqual(post("/api/password_reset/confirm/", token=stored["reset"], password="Third-Password-9")[0], 200)
        self.assertFalse(is_signed_in(stored["session"]))

    def test_a_restored_table_revives_what_was_ended_and_sessions_not_before_ends_it(self) -> None:
        database, table = client("dynamodb"), os.environ["ACCOUNTS_TABLE"]
        name = register()
        session = login(name)["token"]
        backup = database.create_backup(TableName=table, BackupName="before")["BackupDetails"]["BackupArn"]
        self.assertEqual(post("/api/logout/", session)[0], 200)
        late = register()

        database.delete_table(TableName=table)
        self.assertEqual(post("/api/login/", username=name, password=PASSWORD)[0], 503)
        database.restore_table_from_backup(TargetTableName=table, BackupArn=backup)
        database.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1})

        self.assertTrue(is_signed_in(session), "this is the danger")
        self.addCleanup(update, SessionsNotBefore="")
        update(SessionsNotBefore=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"))
        self.assertFalse(is_signed_in(session))
        time.sleep(1)  # the lever is a whole second
        self.assertTrue(is_signed_in(login(name)["token"]))
        self.assertEqual(post("/api/login/", username=late, password=PASSWORD)[0], 401, "made after the backup")


if __name__ == "__main__":
    unittest.main()
