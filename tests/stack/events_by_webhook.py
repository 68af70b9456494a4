"""What test_events.py does on a stack of its own: events reach the receiver of examples/webhook-receiver although it is killed meanwhile.

Every event that the publisher logs as published has to be printed by the receiver, which verifies signatures with the published library.
"""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from test_life import PASSWORD, client, login, post, register, set_parameters

ROOT = Path(__file__).resolve().parents[2]
RECEIVER = ROOT / "examples" / "webhook-receiver" / "receiver.py"
PYTHON = ROOT / ".tools" / "webhook" / "bin" / "python"
# Programs of other users of this machine may use its processors for a long time.
PATIENCE = 120


def until(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {PATIENCE} s: {what}")
        time.sleep(0.2)


def resources() -> dict[str, str]:
    pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName="doorward")
    return {r["LogicalResourceId"]: r["PhysicalResourceId"] for page in pages for r in page["StackResourceSummaries"]}


def logged(function: str, message: str) -> list[dict[str, Any]]:
    """The lines of a function with this message."""
    lines = []
    for page in client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/doorward-{function}"):
        for event in page["events"]:
            try:
                line = json.loads(event["message"])
            except ValueError:
                continue
            if isinstance(line, dict) and line.get("message") == message:
                lines.append(line)
    return lines


class Receiver:
    """The example, which may be killed and started again. What it printed stays."""

    def __init__(self, port: int, secret: str, folder: Path) -> None:
        self.port, self.secret, self.folder, self.starts = port, secret, folder, 0

    def start(self) -> None:
        self.starts += 1
        printed = (self.folder / f"printed-{self.starts}").open("w")
        self.process = subprocess.Popen([PYTHON, RECEIVER, str(self.port)], env=os.environ | {"WEBHOOK_SECRET": self.secret}, stdout=printed)
        until("the receiver answers", lambda: self.answers(b"{}", {}) == 400)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def answers(self, body: bytes, headers: dict[str, str]) -> int:
        """The status of its answer to this; 0 if it does not run."""
        try:
            with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{self.port}/events", body, headers), timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def printed(self) -> list[tuple[str, str, str]]:
        """Type, account and id of every event that it handled, by all its lives."""
        text = "".join(path.read_text() for path in sorted(self.folder.glob("printed-*")))
        return [(words[0], words[1], words[2]) for line in text.splitlines() if len(words := line.split()) == 3]

    def types(self) -> list[str]:
        return sorted(kind for kind, _, _ in self.printed())


def deliver(receiver: Receiver) -> None:
    receiver.start()
    name = register()
    session = login(name)["token"]
    expected = ["account.created", "session.opened"]
    until("the first events", lambda: receiver.types() == expected)

    receiver.kill()
    # A quarter of an hour is long for a test. Not before: the first calls of the function may take longer than two seconds.
    client("sqs").set_queue_attributes(QueueUrl=resources()["WebhookQueue"], Attributes={"VisibilityTimeout": "2"})
    assert post("/api/change_password/", session, old_password=PASSWORD, new_password="Battery-Staple-77")[0] == 200
    assert post("/api/logout/", session)[0] == 200
    assert post("/api/password_reset/", email=f"{name}@example.com")[0] == 200
    assert post("/api/password_reset/", email=f"nobody-{name}@example.com")[0] == 200
    expected = sorted([*expected, "password.changed", "password.reset_requested", "session.ended"])
    published = lambda: {line["event"] for line in logged("events", "event published")}  # noqa: E731
    until("all are published", lambda: len(published()) == len(expected))
    refused = lambda: [line["event"] for line in logged("webhook", "event not delivered")]  # noqa: E731

    def each_twice() -> bool:
        ids = refused()
        return len(set(ids)) == 3 and all(ids.count(id) >= 2 for id in ids)

    until("each waiting event was tried twice in vain", each_twice)
    waiting = set(refused())

    receiver.start()
    until("the rest", lambda: receiver.types() == expected)
    assert {id for _, _, id in receiver.printed()} == published(), "an event was lost, or came under another id"
    # The receiver prints before it answers.
    until("their lines", lambda: waiting < {line["event"] for line in logged("webhook", "event delivered")})
    assert {account for _, account, _ in receiver.printed()} == {line["account"] for line in logged("events", "event published")}
    attributes = client("sqs").get_queue_attributes(QueueUrl=resources()["WebhookFailures"], AttributeNames=["ApproximateNumberOfMessages"])
    assert attributes["Attributes"]["ApproximateNumberOfMessages"] == "0"
    outbox = client("dynamodb").scan(TableName=os.environ["OUTBOX_TABLE"], ConsistentRead=True)["Items"]
    assert not [item for item in outbox if item["pk"]["S"].startswith("event#")], "published events are deleted"


SIGNED = """
import os, sys
from datetime import datetime, timedelta, timezone
from standardwebhooks.webhooks import Webhook
age, body = int(sys.argv[1]), sys.argv[2]
print(Webhook(os.environ["WEBHOOK_SECRET"]).sign("id", datetime.now(timezone.utc) - timedelta(seconds=age), body))
"""


def refuse_copies(receiver: Receiver) -> None:
    """A copy that comes late, and what somebody else has signed."""
    body = json.dumps({"id": "x", "type": "account.created", "data": {"account_id": "x"}})
    for age, secret, status in ((0, receiver.secret, 204), (600, receiver.secret, 400), (0, "whsec_" + "A" * 32, 400)):
        now = int(time.time())
        signature = subprocess.run([PYTHON, "-c", SIGNED, str(age), body], env=os.environ | {"WEBHOOK_SECRET": secret}, capture_output=True, text=True, check=True).stdout.strip()
        # The second in which it was signed may have been one of the next ones.
        answers = {receiver.answers(body.encode(), {"webhook-id": "id", "webhook-timestamp": str(now - age + late), "webhook-signature": signature}) for late in range(60)}
        assert (204 in answers) == (status == 204), (age, answers)


def leave_nothing_without_events() -> None:
    code, said = set_parameters(WebhookUrl="", WebhookSecret="", Events="none")
    assert code == 0, said
    left = [name for name in resources() if name.startswith(("Event", "Webhook"))]
    assert not left, left
    register()
    outbox = client("dynamodb").scan(TableName=os.environ["OUTBOX_TABLE"], ConsistentRead=True)["Items"]
    assert not [item for item in outbox if item["pk"]["S"].startswith("event#")]


if __name__ == "__main__":
    receiver = Receiver(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
    try:
        deliver(receiver)
        refuse_copies(receiver)
    finally:
        receiver.kill()
    leave_nothing_without_events()
