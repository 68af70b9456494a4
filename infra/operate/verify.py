"""`make verify`: a smoke test of a deployed stack, which takes an account from registration to deletion.

It creates its own account and deletes it, also after a failure. Steps for which the operator lacks permissions are skipped, and the output says so.
"""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

import cargo
from api import Answer, Api, Later
from own_account import DENIED, Item, OwnAccount
from processes import deferred
from routes import ACTIVATION, CHANGE, CONFIRM, DISAVOW, LOGIN, LOGOUT, LOGOUT_ALL, REGISTER, RESET, VALIDATE
from stack import Environment, reason, start_complaints
from typed import Failure

# How long the API may take to answer after a deployment, in seconds: new routes, roles and names take effect a while after they are made.
START_SECONDS = 60
# How long a mail may take, in seconds. A new stream is read after about a minute.
MAIL_SECONDS, LOCAL_MAIL_SECONDS = 180, 60
# How many requests of one client are counted, by the parameter that limits them; and how many logins may be tried at the account in a row.
COUNTED = {
    "LoginClientLimit": 14, "LoginAccountLimit": 2, "RegisterClientLimit": 1, "ChangeClientLimit": 1, "ChangeAccountLimit": 1, "ResetClientLimit": 1,
    "ValidateClientLimit": 2, "ConfirmClientLimit": 4,
}


class Skipped(Exception):
    """Why a step is skipped."""


def verify(env: Environment, mailbox: str | None = None, arguments: list[str] | None = None) -> int:
    """Prints each step with its time. Raises a `Failure` with what is wrong, after the account is deleted.

    `mailbox` is the URL of sent mail, where mail can be read: on the local stack.
    """
    patience = LOCAL_MAIL_SECONDS if env.is_local else MAIL_SECONDS
    match arguments or []:
        case []:
            pass
        case ["--patience", seconds] if seconds.isdecimal():
            patience = int(seconds)
        case _:
            raise Failure("it takes no ARGS but `--patience SECONDS`, for a mail.")
    began = time.monotonic()
    print(env.place, flush=True)
    with _told():
        steps = Life(env, mailbox, patience).run()
    print(f"It works: {steps} steps in {time.monotonic() - began:.1f} s.", flush=True)
    return 0


class Life:
    """One run."""

    def __init__(self, env: Environment, mailbox: str | None, patience: int) -> None:
        self.env, self.api, self.own = env, Api(env), OwnAccount(env, mailbox)
        self._patience = patience
        self.passwords = [secrets.token_urlsafe(48) for _ in range(3)]  # 64 characters, which every PasswordMinLength and PasswordMaxLength allow
        self.password = self.passwords[0]
        self.session = ""
        self._changes = 0
        self._steps = 0

    def run(self) -> int:
        """Goes through the steps and deletes the account; returns how many were taken."""
        try:
            self._live()
        finally:
            left = self._clean_up()
        if left:
            raise Failure(left)
        return self._steps

    def _live(self) -> None:
        self._check_limits()
        self._step("the API answers", self.wait_for_api)
        with _told():
            if left := self.own.open():
                print(f"note            {left} accounts that earlier runs have left are deleted", flush=True)
        sends_mail = self.env.parameters.get("MailerConcurrency") != "0"
        if not sends_mail:
            print("note            MailerConcurrency=0 stops all mail, so every step with mail is left out", flush=True)
        if self.env.parameters.get("Registration") == "closed":
            self._step("registration is closed, and an operator creates an account", self.create)
            # The mailed link is the only way to log in to it.
            if not sends_mail or not self._step("mail to it is accepted by SES", self.wait_for_reset_mail) or not self._step("the link sets a password, once", self.use_link):
                return
        else:
            self._step("an account is registered", self.register)
            confirms = sends_mail and self.env.parameters.get("AddressVerification", "none") != "none"
            confirmed = confirms and self._step("its address is confirmed by a link, whose mail is accepted by SES", self.confirm_address)
            if not confirmed and self.env.parameters.get("AddressVerification") == "mandatory":
                print("note            AddressVerification=mandatory lets nobody log in without that, so the other steps are left out", flush=True)
                return
        self._step("it logs in, twice", self.log_in)
        self._step("the authorizer lets its session pass and no other", self.ask_authorizer)
        self._step("a change of the password ends the other session and the old password", self.change)
        if sends_mail:
            self._go_on_with_mail()
        else:
            self._step("it logs in by its address, and out, here and everywhere", self.log_out)

    def _go_on_with_mail(self) -> None:
        self._step("the notice of that is accepted by SES", self.wait_for_notice)
        self._step("a reset link is asked for, and accepted by SES", self.ask_for_reset)
        is_reset = self._step("the link sets a new password, once, and ends every session", self.use_link)
        self._step("it logs in by its address, and out, here and everywhere", self.log_out)
        if is_reset:
            self._step("the notice of the reset is sent, or waits for its turn", self.wait_for_notice)
        if self._step("\"this wasn't me\" ends sessions and the password, and mails a link", self.disavow):
            self._step("mail with that link is accepted by SES", self.wait_for_reset_mail)

    def _step(self, title: str, step: Callable[[], None]) -> bool:
        """Takes a step and prints its time; returns False if it was left out."""
        began = time.monotonic()

        def shown(outcome: str, besides: str = "") -> None:
            print(f"{outcome:<5} {time.monotonic() - began:6.1f} s  {title}{besides}", flush=True)

        try:
            with _told():
                step()
        except Skipped as skipped:
            shown("skip", f": {skipped}")
            return False
        except BaseException as error:
            shown("stop" if isinstance(error, (KeyboardInterrupt, Later)) else "wrong")
            raise
        shown("ok")
        self._steps += 1
        return True

    def _clean_up(self) -> str:
        """Deletes the account; signals wait until that is over. Returns what went wrong."""
        with deferred():
            try:
                if self.own.close():
                    print("The account is deleted.", flush=True)
            except (ClientError, BotoCoreError) as error:
                left = f"{self.own.username} is not deleted ({reason(error)}): the next `make verify` does that, or `make admin ARGS='delete {self.own.username}'`."
                print(f"wrong           {left}", flush=True)
                return left
        return ""

    def _check_limits(self) -> None:
        """Its own requests must not reach a limit."""
        for name, needed in COUNTED.items():
            allowed = self.env.parameters.get(name, "").partition("/")[0].strip()
            if allowed.isdecimal() and int(allowed) < needed:
                raise Later(f"{name}={self.env.parameters[name]} allows fewer than the {needed} requests that this makes: raise it for that time.")

    # ---- The steps ----

    def wait_for_api(self) -> None:
        """Until a login with an unknown name is refused, for which gateway, function and table have to work."""
        path = LOGIN
        answer = self._first_answer(path)
        given = self.env.parameters
        if not answer.status and given.get("DomainName") and given.get("DefaultEndpoint") == "on":
            print(f"note            {self.api.url} does not answer ({answer.body}), as long as DNS does not lead there; asking {self.env.direct_url}", flush=True)
            self.api.url = self.env.direct_url
            answer = self._first_answer(path)
        self.api.expect(answer, 401, path, "a login with an unknown name")
        for origin in filter(None, (each.strip() for each in given.get("AllowedOrigins", "").split(","))):
            asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
            allowed = self.api.ask("OPTIONS", path, headers=asked).headers.get("access-control-allow-origin", "")
            if allowed.lower() != origin.lower():
                raise Failure(f"{path} allows no requests of pages of {origin}, which AllowedOrigins names: deploy again, and see that nothing in front of the API drops the headers.")

    def _first_answer(self, path: str) -> Answer:
        deadline = time.monotonic() + min(START_SECONDS, self._patience)
        unknown = {"username": f"verify-{secrets.token_hex(6)}", "password": "nobody has this one"}
        while (answer := self.api.post(path, **unknown)).status != 401 and time.monotonic() < deadline and self.env.parameters.get("LoginConcurrency") != "0":
            time.sleep(2)
        return answer

    def register(self) -> None:
        path = REGISTER
        answer = self.api.post(path, username=self.own.username, email=self.own.email, password=self.password)
        if answer.status == 400 and isinstance(answer.body, dict) and "email" in answer.body:
            raise Later("a run on another machine has taken the same address just now: try again.")
        self.api.expect(answer, 201, path, "a registration")
        if not self.own.is_registered():
            raise Failure(f"{self.own.username} is registered, and not in {self.env.outputs['AccountsTable']}: {self.api.url} leads to another stack; delete the account there.")

    def confirm_address(self) -> None:
        self._wait(lambda: "sent_at" in self.own.verification_link())
        stored = self.own.verification_link()
        with _skipped_if_denied("the link is only in the mail, and these credentials may not put one of their own in its place"):
            token = self.own.mailed_token("dwv_", {stored["digest"]["S"]}) or self.own.replace_link("dwv_", stored)
        self.api.expect(self.api.post(ACTIVATION, token=token), 204, ACTIVATION, "the token of a verification link")

    def create(self) -> None:
        path = REGISTER
        answer = self.api.post(path, username=self.own.username, email=self.own.email, password=self.password)
        self.api.expect(answer, 403, path, "a registration")
        try:
            program = cargo.built("doorward-admin")
        except Failure as failure:
            raise Later(f"registration is closed, and {failure}") from None
        with deferred():
            variables = {**os.environ, **self.env.variables()}
            result = subprocess.run([str(program), "create", self.own.username, self.own.email], env=variables, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise Failure(f"`make admin ARGS='create …'` fails: {(result.stderr or result.stdout).strip()}")

    def log_in(self) -> None:
        self.other, self.session = self._log_in(), self._log_in()

    def ask_authorizer(self) -> None:
        """Calls the authorizer as API Gateway does, in its two formats."""
        name = self.env.outputs["AuthorizerArn"]
        for session, passes in ((self.session, True), (self.session[:-1] + ("a" if self.session[-1] != "a" else "b"), False)):
            headers = {"authorization": f"Bearer {session}"}
            simple = self._invoke(name, {"version": "2.0", "type": "REQUEST", "routeArn": "arn:aws:execute-api:x:0:verify/$default/GET/", "headers": headers})
            policy = self._invoke(name, {"type": "REQUEST", "methodArn": "arn:aws:execute-api:x:0:verify/v1/GET/", "headers": headers})
            effect = policy.get("policyDocument", {}).get("Statement", [{}])[0].get("Effect")
            account = simple.get("context", {}).get("account_id")
            if (simple.get("isAuthorized"), effect, account) != (passes, "Allow" if passes else "Deny", self.own.id if passes else None):
                raise Failure(f"the authorizer {'refuses a session that is valid' if passes else 'accepts a session that nobody has'}: its log {self._log('authorizer')} says what it found.")

    def change(self) -> None:
        path, old = CHANGE, self.password
        answer = self.api.post(path, self.session, old_password=old, new_password=self.passwords[1])
        self.api.expect(answer, 200, path, "a change of the password")
        self.password, self._changes = self.passwords[1], self._changes + 1
        self._require_session(self.session, alive=True, after="a change of the password that it made", function="change-password")
        self._require_session(self.other, alive=False, after="a change of the password by another", function="change-password")
        self._require_password(old)

    def wait_for_notice(self) -> None:
        """Until there is a notice of every change, and each is done."""
        if len(self.own.notices()) < self._changes:
            raise Failure("a change of the password has left no notice in the Outbox, so its owner is not told.")
        self._wait(lambda: all("done_at" in entry for entry in self.own.notices()))

    def wait_for_reset_mail(self) -> None:
        self._wait(lambda: "sent_at" in self.own.reset_link())

    def ask_for_reset(self) -> None:
        path = RESET
        self.api.expect(self.api.post(path, email=self.own.email), 200, path, "a request for a reset link")
        self.wait_for_reset_mail()

    def use_link(self) -> None:
        stored = self.own.reset_link()
        with _skipped_if_denied("the link is only in the mail, and these credentials may not put one of their own in its place"):
            token = self.own.mailed_token("dwr_", {stored["digest"]["S"]}) or self.own.replace_link("dwr_", stored)
        old, self.password = self.password, self.passwords[2]
        path = VALIDATE
        self.api.expect(self.api.post(path, token=token), 200, path, "the token of a reset link")
        path = CONFIRM
        self.api.expect(self.api.post(path, token=token, password=self.password), 200, path, "a new password with a reset link")
        self._changes += 1
        self.api.expect(self.api.post(path, token=token, password=self.passwords[0]), 404, path, "a reset link that was used")
        if self.session:
            self._require_session(self.session, alive=False, after="a reset of the password", function="confirm-reset")
        self._require_password(old)

    def log_out(self) -> None:
        for path in (LOGOUT, LOGOUT_ALL):
            session = self._log_in(self.own.email)
            self.api.expect(self.api.post(path, session), 200, path, "a session")
            self._require_session(session, alive=False, after=f"POST {path}", function="logout")

    def disavow(self) -> None:
        session = self._log_in()
        links = self.own.disavowals()
        if not links:
            raise Failure(f"SES has accepted a notice, and its link is not stored: the mailer's log {self._log('mailer')} says why.")
        with _skipped_if_denied("the link is only in the mail, and these credentials may not put one of their own beside it"):
            newest = {link["sk"]["S"].partition("#")[2] for link in links[:1]}
            token = self.own.mailed_token("dwn_", newest) or self.own.add_disavowal(links[0])
        path = DISAVOW
        self.api.expect(self.api.post(path, token=token), 200, path, "the link of a notice")
        self._require_session(session, alive=False, after="\"this wasn't me\"", function="disavow")
        self.api.expect(self._try_login(self.own.username, self.password), 401, LOGIN, "a password that was disavowed")

    # ---- What they need ----

    def _try_login(self, name: str, password: str) -> Answer:
        return self.api.post(LOGIN, username=name, password=password)

    def _log_in(self, name: str = "") -> str:
        body = self.api.expect(self._try_login(name or self.own.username, self.password), 200, LOGIN, "the right password")
        return str(body["token"])

    def _require_password(self, old: str) -> None:
        """The present password works, and the one before does not."""
        self.api.expect(self._try_login(self.own.username, old), 401, LOGIN, "the password before")
        self.session = self._log_in()

    def _require_session(self, session: str, *, alive: bool, after: str, function: str) -> None:
        """Asks with an empty body, which changes nothing and counts nowhere."""
        path, answer = CHANGE, self.api.post(CHANGE, session)
        if answer.status == (401 if alive else 400):
            raise Failure(f"a session {'is over' if alive else 'goes on'} after {after}, and should {'go on' if alive else 'be over'}: the log {self._log(function)} says what that did.")
        self.api.expect(answer, 400 if alive else 401, path, "a session")

    def _invoke(self, name: str, event: dict[str, Any]) -> dict[str, Any]:
        with _skipped_if_denied("these credentials may not call a function"):
            answer = self.env.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
        text = answer["Payload"].read()
        if "FunctionError" in answer:
            raise Failure(f"the authorizer fails: its log {self._log('authorizer')} says why.")
        return dict(json.loads(text) or {})

    def _wait(self, done: Callable[[], bool]) -> None:
        """Waits for mail, unless it has failed for good."""
        self._check_stream()
        deadline = time.monotonic() + self._patience
        while not done():
            entries = self.own.mail()
            if failed := [entry for entry in entries if {"done_at", "failed_at"} <= entry.keys()]:
                raise Failure(f"mail is not sent ({failed[0]['outcome']['S']}): `make doctor` says more, and the mailer's log {self._log('mailer')}.")
            if time.monotonic() > deadline:
                raise Failure(f"mail is not sent within {self._patience} s ({self._why_it_waits(entries)}): `make doctor` says more, and the mailer's log {self._log('mailer')}.")
            time.sleep(0.1 if self.env.is_local else 1)

    def _check_stream(self) -> None:
        """Mail waits for ever if the mailer does not read the stream."""
        try:
            mappings = self.env.client("lambda").list_event_source_mappings(FunctionName=f"{self.env.name}-mailer")["EventSourceMappings"]
        except ClientError:
            return  # without the permission to ask, the wait shows it
        if not [each for each in mappings if each["State"] not in ("Disabled", "Disabling", "Deleting")]:
            raise Failure("mail is not sent, because nothing reads the Outbox's stream: enable the mailer's event source mapping, or deploy again.")

    def _why_it_waits(self, entries: list[Item]) -> str:
        if tried := [entry["outcome"]["S"] for entry in entries if "failed_at" in entry]:
            return f"the last try ended with {tried[-1]}"
        try:
            complaints = start_complaints(self.env.client("lambda"), {"mailer": f"{self.env.name}-mailer"})
        except ClientError:
            complaints = []
        return complaints[0] if complaints else "the mailer has not seen it"

    def _log(self, function: str) -> str:
        return f"/aws/lambda/{self.env.name}-{function}"


@contextmanager
def _skipped_if_denied(why: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in DENIED:
            raise
        raise Skipped(why) from None


@contextmanager
def _told() -> Iterator[None]:
    """Turns a refusal of AWS into a sentence."""
    try:
        yield
    except ClientError as error:
        raise Failure(f"AWS refuses ({error.operation_name}: {reason(error)}): use credentials that may do what `make admin` does.") from None
    except BotoCoreError as error:
        raise Failure(f"AWS does not answer ({error}): try again.") from None
