"""The life of an account, whatever client sends its requests."""

import json
import os
import re
import time
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

API = os.environ["API_URL"]  # `make clients` sets it, and so does .local/stack.env
FIRST, SECOND, THIRD = "Correct-Horse-42", "seven quiet lighthouses", "nine brisk umbrellas"
DEAD = {"detail": "The OTP password entered is not valid. Please check and try again."}
PATIENCE_S = 20

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
        with urllib.request.urlopen(os.environ["MAIL_URL"], timeout=10) as answer:
            mails = [mail for each in json.load(answer)["messages"].values() for mail in each if address in mail["To"]]
        for mail in mails:
            if found := re.search(r"dwr_[\w-]{64}", mail["BodyText"]):
                return found[0]
        time.sleep(0.1)
    raise AssertionError(f"no reset mail in {PATIENCE_S} s")


def live(send: Send) -> None:
    """Registers, logs in, changes and resets the password, and logs out."""
    username, email = new_account()

    def expect(status: int, body: Any, path: str, fields: dict[str, str], token: str | None = None) -> None:
        answer = send(path, fields, token)
        assert answer == (status, body), f"{path}: {answer}"

    def log_in(name: str, password: str) -> str:
        status, body = send("/api/login/", {"username": name, "password": password}, None)
        assert status == 200, body
        return str(body["token"])

    expect(400, {"email": ["This field is required."]}, "/api/register/", {"username": username, "password": FIRST})
    expect(201, {"username": username, "email": email}, "/api/register/", {"username": username, "email": email, "password": FIRST})
    expect(401, {"error": "Invalid credentials"}, "/api/login/", {"username": username, "password": SECOND})
    token = log_in(email, FIRST)
    expect(200, {"message": "Password changed successfully."}, "/api/change_password/", {"old_password": FIRST, "new_password": SECOND}, token)

    expect(200, {"status": "OK"}, "/api/password_reset/", {"email": email})
    mailed = mailed_token(email)
    expect(200, {"status": "OK"}, "/api/password_reset/validate_token/", {"token": mailed})
    expect(400, {"password": ["This password is too common."]}, "/api/password_reset/confirm/", {"token": mailed, "password": "password"})
    expect(200, {"status": "OK"}, "/api/password_reset/confirm/", {"token": mailed, "password": THIRD})
    expect(404, DEAD, "/api/password_reset/confirm/", {"token": mailed, "password": THIRD})

    expect(401, {"detail": "Invalid token."}, "/api/logout/", {}, token)
    expect(200, {"message": "Successfully logged out."}, "/api/logout/", {}, log_in(username, THIRD))
