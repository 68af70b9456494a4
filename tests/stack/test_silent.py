"""Registration that does not tell who has an account, on a deployed stack: with its permissions, and with the mail to the owner of the address."""

import json
import os
import re
import time
import unittest
import urllib.request
from typing import Any

from test_life import PASSWORD, client, post, register, update

from routes import ACTIVATION, LOGIN, REGISTER

PATIENCE_SECONDS = 60


def mails(address: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(os.environ["MAIL_URL"], timeout=60) as response:
        found = [mail for account in json.load(response)["messages"].values() for mail in account if address in mail["To"]]
    return sorted(found, key=lambda mail: mail["Timestamp"])


def mail_with(address: str, text: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for mail in mails(address):
            if text in mail["BodyText"]:
                return mail
        time.sleep(0.2)
    raise AssertionError(f"no mail to {address} with {text!r}")


class Silent(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.addClassCleanup(update, Registration="open", AddressVerification="optional")
        update(Registration="silent", AddressVerification="mandatory")

    def test_a_taken_address_is_answered_like_a_free_one_and_its_owner_is_told(self) -> None:
        name = register()
        address = f"{name}@example.com"
        self.assertEqual(post(LOGIN, username=name, password=PASSWORD), (401, {"error": "Invalid credentials"}))
        link = re.search(r"dwv_[\w-]+", mail_with(address, "dwv_")["BodyText"])
        assert link
        self.assertEqual(post(ACTIVATION, token=link[0])[0], 204)
        self.assertEqual(post(LOGIN, username=name, password=PASSWORD)[0], 200)
        # The owner of an account that is an hour old is told.
        database, table = client("dynamodb"), os.environ["ACCOUNTS_TABLE"]
        claim = database.get_item(TableName=table, Key={"pk": {"S": f"email#{address}"}, "sk": {"S": "claim"}})["Item"]
        account = {"pk": {"S": f"account#{claim['account_id']['S']}"}, "sk": {"S": "account"}}
        database.update_item(TableName=table, Key=account, UpdateExpression="SET created_at = created_at - :hours", ExpressionAttributeValues={":hours": {"N": "7200000"}})
        second = {"username": f"{name}-2", "email": address}
        status, answer = post(REGISTER, **second, password="Second-Horse-43")
        self.assertEqual((status, answer | second), (201, answer))
        for username in (address, second["username"]):
            self.assertEqual(post(LOGIN, username=username, password="Second-Horse-43"), (401, {"error": "Invalid credentials"}))
        self.assertEqual(post(REGISTER, username=second["username"], email=f"{name}-3@example.com", password=PASSWORD)[0], 400)
        self.assertIn("already", mail_with(address, "/api/password_reset/\n")["Subject"])
        self.assertEqual(post(LOGIN, username=address, password=PASSWORD)[0], 200)


if __name__ == "__main__":
    unittest.main()
