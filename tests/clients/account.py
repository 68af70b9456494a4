"""The life of an account (life.json), whatever client sends its requests."""

import json
import os
import re
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

API = os.environ["API_URL"]  # `make clients` sets it, and so does .local/stack.env
FIRST, SECOND, THIRD = "Correct-Horse-42", "seven quiet lighthouses", "nine brisk umbrellas"
LIFE = json.loads(Path(__file__).with_name("life.json").read_text())
PATIENCE_S = 60

# Posts fields to a path, with a session's token if there is one. Returns the status and the body, read as the client reads it.
Send = Callable[[str, dict[str, str], str | None], tuple[int, Any]]


def new_account() -> tuple[str, str]:
    """A username and an address that nobody has registered yet."""
    username = f"mara.{uuid.uuid4().hex[:12]}"
    return username, f"{username}@example.com"


def mailed_token(address: str) -> str:
    """The reset token in the first mail to this address that has one."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with urllib.request.urlopen(os.environ["MAIL_URL"], timeout=60) as answer:
            mails = [mail for each in json.load(answer)["messages"].values() for mail in each if address in mail["To"]]
        for mail in mails:
            if found := re.search(r"dwr_[\w-]{64}", mail["BodyText"]):
                return found[0]
        time.sleep(0.1)
    raise AssertionError(f"no reset mail in {PATIENCE_S} s")


def live(send: Send) -> None:
    """Registers, logs in, changes and resets the password, and logs out. An answer with 200 and no expected body has the token of a session."""
    username, email = new_account()
    values = {"username": username, "email": email, "first": FIRST, "second": SECOND, "third": THIRD}
    token = None

    def filled(fields: dict[str, Any]) -> dict[str, Any]:
        if "{mailed}" in fields.values():
            values["mailed"] = values.get("mailed") or mailed_token(email)
        return {name: values.get(value[1:-1], value) if isinstance(value, str) else value for name, value in fields.items()}

    for step in LIFE:
        status, body = send(step["path"], filled(step["fields"]), token if step.get("session") else None)
        assert status == step["status"], f"{step['path']}: {status} {body}"
        if "body" in step:
            assert body == filled(step["body"]), f"{step['path']}: {body}"
        else:
            token = str(body["token"])
