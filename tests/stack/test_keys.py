"""Compares the keys that each function uses, as recorded by the emulator's CloudTrail, with those that its role allows.

The emulator enforces actions and tables; conditions on keys and attributes it does not know, so they are evaluated here. Permissions that
no call used are reported too.
"""

import json
import os
import re
import sys
import time
import unittest
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, NamedTuple

import infra_path
import yaml
from test_life import PASSWORD, client, post, without_timer

from routes import ACTIVATION, CHANGE, CONFIRM, DISAVOW, EXPORT, LOGIN, LOGOUT, LOGOUT_ALL, ME, REGISTER, RESEND, RESET, ROUTES, SESSIONS, SET_USERNAME, VALIDATE

ROOT = infra_path.ROOT
sys.path.insert(0, str(ROOT / "infra" / "checks"))
from permissions import TEMPLATE, Loader, listed, statements  # noqa: E402

TABLES = {os.environ.get(f"{name.upper()}_TABLE", ""): name for name in ("Accounts", "Limits", "Outbox")}
KEYS, ATTRIBUTES, RETURNS = "dynamodb:LeadingKeys", "dynamodb:Attributes", "dynamodb:ReturnValues"


class Asked(NamedTuple):
    """What IAM decides about: an action on a table, its keys in that table and in the whole call, the attributes, and the return values."""

    action: str
    table: str
    keys: frozenset[str]
    keys_of_call: frozenset[str]
    attributes: frozenset[str]
    returns: str = "NONE"


def asked(event: dict[str, Any]) -> Iterator[Asked]:
    """The parts of one call that IAM evaluates."""
    name, request = event["eventName"], event["requestParameters"]
    parts: list[tuple[str, str, dict[str, Any]]] = []
    if name == "TransactWriteItems":
        actions = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
        parts = [(actions[kind], part["TableName"], part) for item in request["TransactItems"] for kind, part in item.items()]
    elif name == "BatchGetItem":
        parts = [(name, table, {"Key": key}) for table, part in request["RequestItems"].items() for key in part["Keys"]]
    elif name == "BatchWriteItem":
        parts = [(name, table, next(iter(write.values()))) for table, writes in request["RequestItems"].items() for write in writes]
    elif name == "Query":
        parts = [(name, request["TableName"], {"Key": {"pk": request["ExpressionAttributeValues"][":pk"]}})]
    else:
        parts = [(name, request["TableName"], request)]
    keys = [(table, (part.get("Key") or part["Item"])["pk"]["S"]) for _, table, part in parts]
    for action, table, part in parts:
        expressions = f"{part.get('UpdateExpression', '')} {part.get('ConditionExpression', '')}"
        named = set(re.findall(r"(?<![:\w])[a-z_]+\b(?!\()", expressions)) | {"pk", "sk"} | part.get("Item", {}).keys()
        returns = part.get("ReturnValues", "NONE")
        yield Asked(action, TABLES[table], frozenset(k for t, k in keys if t == table), frozenset(k for _, k in keys), frozenset(named), returns)


def allows(statement: dict[str, Any], what: Asked, keys: frozenset[str]) -> bool:
    condition = statement.get("Condition", {})
    patterns = condition.get("ForAllValues:StringLike", {}).get(KEYS)
    attributes = condition.get("ForAllValues:StringEquals", {}).get(ATTRIBUTES) or condition.get("ForAllValues:StringLike", {}).get(ATTRIBUTES)
    returns = condition.get("StringEqualsIfExists", {}).get(RETURNS)
    return (
        f"dynamodb:{what.action}" in listed(statement["Action"])
        and f"{what.table}.Arn" in listed(statement["Resource"])
        and (patterns is None or all(any(fnmatchcase(key, pattern) for pattern in patterns) for key in keys))
        and (attributes is None or all(any(fnmatchcase(name, pattern) for pattern in attributes) for name in what.attributes))
        and (returns is None or what.returns in listed(returns))
    )


# Conditions of permissions that do not hold in the stack of tests: Events=all, SessionIdle, EventData=full and Registration=silent.
NOT_HERE = ("RecordsSessions", "EndsIdleSessions", "TellsNames", "RegistersSilently")
# One that holds and is used by other tests: imported tokens are those of test_django.
USED_ELSEWHERE = ("TakesImportedTokens",)


@cache
def granted() -> list[tuple[str, dict[str, Any]]]:
    """Every allowing statement with its role."""
    return [(role, s) for role, s in statements(yaml.load(TEMPLATE.read_text(), Loader)) if s["Effect"] == "Allow"]


class Keys(unittest.TestCase):
    """Needs CLOUDTRAIL_RECORDING=1 and a stack that nobody else uses."""

    def new_events(self) -> list[dict[str, Any]]:
        """What the functions have asked of the tables since the last look. The emulator answers with the newest 50 events and no token for those before
        them, so a look goes back until it meets the last one."""
        found: list[dict[str, Any]] = []
        of_tables = [{"AttributeKey": "EventSource", "AttributeValue": "dynamodb.amazonaws.com"}]
        until = datetime.now(timezone.utc) + timedelta(seconds=1)
        while True:
            page = client("cloudtrail").lookup_events(LookupAttributes=of_tables, StartTime=self.began, EndTime=until)["Events"]
            new = [event for event in page if event["EventId"] not in self.seen]
            if not new:
                # A function that connects before its first event asks for nothing.
                return [e for e in found if e["userIdentity"]["accessKeyId"].startswith("ASIA") and e["requestParameters"]]
            self.seen |= {event["EventId"] for event in new}
            found += [json.loads(event["CloudTrailEvent"]) for event in new]
            # The emulator's times are finer than those in its answer.
            until = min(event["EventTime"] for event in page) + timedelta(microseconds=1)

    def settle(self) -> None:
        """Waits until the mailer has handled everything."""
        deadline = time.monotonic() + 60
        # The list of held notices is no mail.
        mail = {"FilterExpression": "attribute_not_exists(done_at) AND pk <> :held", "ExpressionAttributeValues": {":held": {"S": "held"}}}
        request = {"TableName": os.environ["OUTBOX_TABLE"], "ConsistentRead": True} | mail
        while client("dynamodb").scan(**request)["Count"]:
            self.assertLess(time.monotonic(), deadline, "mail waits")
            time.sleep(0.1)

    def do(self, path: str, session: str | None = None, *, method: str = "POST", **body: str | list[str]) -> Any:
        """Makes one request. All calls to the tables meanwhile are those of its function or the mailer's."""
        _, answer = post(path, session, method=method, **body)
        self.settle()
        self.attribute(ROUTES[path].title().replace("-", ""))
        return answer

    def attribute(self, function: str) -> None:
        events = self.new_events()
        # Only the mailer writes marks into the Outbox, and only the publisher of events reads it by key.
        keys = {
            role: {e["userIdentity"]["accessKeyId"] for e in events if e["eventName"] == name and TABLES[e["requestParameters"]["TableName"]] == "Outbox"}
            for role, name in (("Mailer", "UpdateItem"), ("EventPublisher", "GetItem"))
        }
        for event in events:
            role = next((role for role, used in keys.items() if event["userIdentity"]["accessKeyId"] in used), function)
            self.asked |= {(role, what) for what in asked(event)}

    def release_held(self, username: str) -> None:
        """Makes the notices that are held for an account due, and calls the mailer as its timer does."""
        database, outbox, accounts = client("dynamodb"), os.environ["OUTBOX_TABLE"], os.environ["ACCOUNTS_TABLE"]
        held = database.query(TableName=outbox, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": "held"}})["Items"]
        claim = database.get_item(TableName=accounts, Key={"pk": {"S": f"username#{username}"}, "sk": {"S": "claim"}})["Item"]
        own = claim["account_id"]["S"]
        self.assertTrue([item for item in held if item["sk"]["S"].endswith(own)], "no notice is held")
        for item in held:
            account = item["sk"]["S"].partition("#")[2]
            # Only that of this test: other tests have left accounts behind, and some of those are gone.
            if account != own:
                continue
            database.delete_item(TableName=outbox, Key={"pk": item["pk"], "sk": item["sk"]})
            database.put_item(TableName=outbox, Item=item | {"sk": {"S": f"{1:014}#{account}"}})
            key = {"pk": {"S": f"account#{account}"}, "sk": {"S": "mail-rate"}}
            database.update_item(TableName=accounts, Key=key, UpdateExpression="SET due_at = :due", ExpressionAttributeValues={":due": {"N": "1"}})
        answer = client("lambda").invoke(FunctionName="doorward-mailer", Payload=json.dumps({"release_held": True}))
        self.assertNotIn("FunctionError", answer)
        self.settle()
        self.attribute("Mailer")

    def token(self, address: str, prefix: str) -> str:
        with urllib.request.urlopen(os.environ["MAIL_URL"], timeout=60) as response:
            mails = [mail for account in json.load(response)["messages"].values() for mail in account if address in mail["To"]]
        found = [match for mail in sorted(mails, key=lambda m: m["Timestamp"]) for match in re.findall(rf"{prefix}_[\w-]+", mail["BodyText"])]
        return found[-1]

    def delete(self, username: str) -> None:
        """Makes an account whose deletion is due, and calls the sweeper as its timer does."""
        database, accounts = client("dynamodb"), os.environ["ACCOUNTS_TABLE"]
        self.do(REGISTER, username=username, email=f"{username}@example.com", password=PASSWORD)
        session = self.do(LOGIN, username=username, password=PASSWORD)["token"]
        self.do(ME, session, method="DELETE", current_password=PASSWORD)
        claim = database.get_item(TableName=accounts, Key={"pk": {"S": f"username#{username}"}, "sk": {"S": "claim"}})["Item"]
        own = claim["account_id"]["S"]
        listed = {"pk": {"S": f"sweep#{own[-1]}"}}
        found = database.query(TableName=accounts, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": listed["pk"]})["Items"]
        for item in found:
            if item["sk"]["S"].endswith(own):
                database.delete_item(TableName=accounts, Key=item)
        database.put_item(TableName=accounts, Item=listed | {"sk": {"S": f"1970-01-01T00:00:00.001Z#{own}"}})
        account = {"pk": {"S": f"account#{own}"}, "sk": {"S": "account"}}
        database.update_item(TableName=accounts, Key=account, UpdateExpression="SET delete_after = :due", ExpressionAttributeValues={":due": {"N": "1"}})
        # It has a token of the site that it came from.
        token = {"pk": {"S": f"token#of-{username}"}, "sk": {"S": "token"}}
        database.put_item(TableName=accounts, Item={"pk": {"S": f"account#{own}"}, "sk": token["pk"]})
        database.put_item(TableName=accounts, Item=token | {"account_id": {"S": own}})
        answer = client("lambda").invoke(FunctionName="doorward-sweeper", Payload="{}")
        self.assertNotIn("FunctionError", answer)
        self.attribute("Sweeper")
        for key in (account, token):
            self.assertNotIn("Item", database.get_item(TableName=accounts, Key=key))

    def move(self, name: str) -> None:
        """Changes the address of an account whose username it is, asks for its deletion, and takes both back from the old mailbox."""
        old, new = f"{name}@example.com", f"{name}@example.org"
        self.do(REGISTER, username=old, email=old, password=PASSWORD)
        session = self.do(LOGIN, username=old, password=PASSWORD)["token"]
        self.do(ME, session, method="PATCH", email=new, current_password=PASSWORD)
        self.do(ACTIVATION, token=self.token(new, "dwc"))
        self.do(ME, session, method="DELETE", current_password=PASSWORD)
        self.do(DISAVOW, token=self.token(old, "dwn"))

    @without_timer()
    def test_a_function_asks_for_what_it_may_and_may_what_it_asks_for(self) -> None:
        self.began = datetime.now(timezone.utc) - timedelta(seconds=1)
        self.seen: set[str] = set()
        self.new_events()
        self.asked: set[tuple[str, Asked]] = set()
        name = f"keys{time.time_ns()}"
        email = f"{name}@example.com"
        # With PARAMS="ProfileFields='{\"nickname\": {\"type\": \"text\"}}'" the permissions for declared fields are looked at too.
        declares = bool(client("lambda").get_function_configuration(FunctionName="doorward-me")["Environment"]["Variables"].get("PROFILE_FIELDS"))
        self.do(REGISTER, username=name, email=email, password=PASSWORD, nickname="Nick")
        self.assertTrue(self.asked, "nothing was recorded: CLOUDTRAIL_RECORDING=1 is for the emulator's environment")
        for address in (email, f"unknown-{email}"):
            self.do(RESEND, email=address)
        link = self.token(email, "dwv")
        with urllib.request.urlopen(f"{os.environ['API_URL']}{ACTIVATION}?token={link}", timeout=60):
            self.attribute("VerifyAddress")
        for _ in ("a click", "another"):
            self.do(ACTIVATION, token=link)
        self.do(LOGIN, username=f"{name}-unknown", password=PASSWORD)
        session = self.do(LOGIN, username=name, password=PASSWORD)["token"]
        client("lambda").invoke(FunctionName="doorward-authorizer", Payload=json.dumps({"type": "REQUEST", "headers": {"authorization": f"Token {session}"}}))
        self.attribute("Authorizer")
        self.do(LOGOUT, session)
        session = self.do(LOGIN, username=email, password=PASSWORD)["token"]
        other = self.do(LOGIN, username=name, password=PASSWORD)["token"]
        seen = self.do(SESSIONS, other, method="GET")
        mine = [one["id"] for one in seen if one["is_current"]]
        self.do(ME, other, method="GET")
        self.do(EXPORT, other, method="GET")
        self.do(ME, other, method="PATCH", nickname="Nicky")
        for username in (f"{name}-renamed", name):
            self.do(SET_USERNAME, other, new_username=username, current_password=PASSWORD)
        self.do(SESSIONS, session, method="DELETE", sessions=mine, current_password=PASSWORD)
        self.do(CHANGE, session, old_password=PASSWORD, new_password="Battery-Staple-77")
        self.do(RESET, email=email)
        self.do(RESET, email=f"unknown-{email}")
        reset = self.token(email, "dwr")
        self.do(VALIDATE, token=reset)
        with urllib.request.urlopen(f"{os.environ['API_URL']}/api/password_reset/confirm/?token={reset}", timeout=60):
            self.attribute("ConfirmReset")
        self.do(CONFIRM, token=reset, password="Third-Password-9")
        # The second change came so soon after the first that its notice is held.
        self.release_held(name)
        session = self.do(LOGIN, username=name, password="Third-Password-9")["token"]
        self.do(LOGOUT_ALL, session)
        event = json.loads((ROOT / "events" / "mail-feedback.json").read_text())
        sent = {"timestamp": datetime.now(timezone.utc).isoformat(), "destination": [email]}
        event["detail"]["mail"] |= sent
        event["detail"]["bounce"]["bouncedRecipients"][0]["emailAddress"] = email
        client("lambda").invoke(FunctionName="doorward-mail-feedback", Payload=json.dumps(event))
        self.attribute("MailFeedback")
        # The link of the newest notice takes the account back, which has asked to be deleted.
        session = self.do(LOGIN, username=name, password="Third-Password-9")["token"]
        self.do(ME, session, method="DELETE", current_password="Third-Password-9")
        link = self.token(email, "dwn")
        with urllib.request.urlopen(f"{os.environ['API_URL']}/api/password_reset/disavow/?token={link}", timeout=60):
            self.attribute("Disavow")
        self.do(DISAVOW, token=link)
        self.delete(f"{name}-leaves")
        self.move(f"{name}-moves")

        # A login writes to an account only if its hash has other parameters or its network is new, neither of which is the case here. tests/api tests both.
        # So is the notice of a login from a new network. A session's use is noted only with SessionIdle. The publisher marks an event only if the bus
        # refuses it, which tests/api tests too.
        # A disavowal reads the account by itself only if something overtakes it.
        # The sweeper takes an account from the list of held notices only if it has some.
        seldom = {("Sweeper", "Outbox", "DeleteItem"), ("Login", "Accounts", "UpdateItem"), ("Login", "Accounts", "ConditionCheckItem"), ("Login", "Outbox", "PutItem"), ("Disavow", "Accounts", "GetItem"), ("EventPublisher", "Outbox", "UpdateItem")}

        allowed = granted()
        for role, what in sorted(self.asked, key=str):
            for keys in (what.keys, what.keys_of_call):  # whichever of the two AWS evaluates the statement with
                with self.subTest(role=role, what=what):
                    self.assertTrue(any(r == role and allows(s, what, keys) for r, s in allowed))
        for role, statement in allowed:
            if statement.condition in NOT_HERE + USED_ELSEWHERE or (statement.condition == "HasProfileFields" and not declares):
                continue
            for resource in listed(statement["Resource"]):
                table = resource.removesuffix(".Arn")
                if table not in TABLES.values():
                    continue
                for action in listed(statement["Action"]):
                    if (role, table, action.removeprefix("dynamodb:")) in seldom:
                        continue
                    used = [what for r, what in self.asked if r == role and allows(statement, what, what.keys_of_call) and action == f"dynamodb:{what.action}" and what.table == table]
                    with self.subTest(role=role, unused=f"{action} on {table}"):
                        self.assertTrue(used)
                patterns = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get(KEYS, [])
                keys = {key for r, what in self.asked if r == role and allows(statement, what, what.keys_of_call) for key in what.keys_of_call}
                for pattern in patterns:
                    if any((role, table, action.removeprefix("dynamodb:")) in seldom for action in listed(statement["Action"])):
                        continue
                    with self.subTest(role=role, table=table, unused=pattern):
                        self.assertTrue(any(fnmatchcase(key, pattern) for key in keys))


if __name__ == "__main__":
    unittest.main()
