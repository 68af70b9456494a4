"""`make verify` on a stack that is well and on one that is broken: it says what is wrong, and leaves nothing behind, whatever happens to it."""

import contextlib
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import infra_path
from infra_path import OPERATE, ROOT, environment, make
from test_doctor import MAILER, client, variables
from test_life import update

from routes import ACTIVATION, CHANGE, CONFIRM, DISAVOW, LOGIN, LOGOUT, REGISTER, RESET, ROUTES, VALIDATE
from stack import Environment  # type: ignore[attr-defined]
from typed import Failure

sys.path.append(str(OPERATE))
from api import Answer, Api, Later  # noqa: E402
from verify import Life  # noqa: E402
from verify import verify as run  # noqa: E402

STEPS = [
    "the API answers", "an account is registered", "its address is confirmed by a link, whose mail is accepted by SES", "it logs in, twice", "the authorizer lets its session pass and no other",
    "a change of the password ends the other session and the old password", "the notice of that is accepted by SES", "a reset link is asked for, and accepted by SES",
    "the link sets a new password, once, and ends every session", "it logs in by its address, and out, here and everywhere", "the notice of the reset is sent, or waits for its turn",
    "\"this wasn't me\" ends sessions and the password, and mails a link", "mail with that link is accepted by SES",
]
Result = subprocess.CompletedProcess[str]


def verify(stack: str = "", *arguments: str) -> Result:
    """Does what `make verify [STACK=stack]` does, without starting a program."""
    said, wrong = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(said):
            run(Environment(stack or "doorward"), None if stack else os.environ["MAIL_URL"], list(arguments))
    except Failure as failure:
        wrong = f"verify: {failure}\n"
    return Result([], 1 if wrong else 0, said.getvalue(), wrong)


def started(**changed: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, str(OPERATE), "verify"], env=environment(**changed), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def done(**changed: str) -> Result:
    process = started(**changed)
    said, wrong = process.communicate()
    return Result([], process.returncode, said, wrong)


def steps(said: str, outcome: str = "ok") -> list[str]:
    return re.findall(rf"^{outcome}\s+[\d.]+ s  (.*)$", said, re.MULTILINE)


def items() -> set[tuple[str, str, str]]:
    """The keys of all accounts and of all mail."""
    found = set()
    for table in ("ACCOUNTS_TABLE", "OUTBOX_TABLE"):
        for page in client("dynamodb").get_paginator("scan").paginate(TableName=os.environ[table], ConsistentRead=True):
            found |= {(table, item["pk"]["S"], item["sk"]["S"]) for item in page["Items"]}
    return found


def mails() -> int:
    """How many mails were sent to an account of a run."""
    with urllib.request.urlopen(os.environ["MAIL_URL"], timeout=60) as answer:
        sent = [mail for each in json.load(answer)["messages"].values() for mail in each]
    return sum(any("+verify-" in to for to in mail["To"]) for mail in sent)


@contextmanager
def no_stream() -> Iterator[None]:
    functions = client("lambda")
    mapping = functions.list_event_source_mappings(FunctionName=MAILER)["EventSourceMappings"][0]["UUID"]
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    try:
        yield
    finally:
        functions.update_event_source_mapping(UUID=mapping, Enabled=True)


@contextmanager
def no_sender() -> Iterator[None]:
    sender = client("lambda").get_function_configuration(FunctionName=MAILER)["Environment"]["Variables"]["SENDER"]
    client("sesv2").delete_email_identity(EmailIdentity=sender)
    try:
        yield
    finally:
        client("sesv2").create_email_identity(EmailIdentity=sender)


@contextmanager
def without(action: str, function: str) -> Iterator[None]:
    """A function whose role may not do this."""
    role = client("lambda").get_function_configuration(FunctionName=f"doorward-{function}")["Role"].rpartition("/")[2]
    policy = {"RoleName": role, "PolicyName": "doorward"}
    document = client("iam").get_role_policy(**policy)["PolicyDocument"]
    kept = [statement for statement in document["Statement"] if action not in statement["Action"]]
    client("iam").put_role_policy(**policy, PolicyDocument=json.dumps(document | {"Statement": kept}))
    try:
        yield
    finally:
        client("iam").put_role_policy(**policy, PolicyDocument=json.dumps(document))


@contextmanager
def operator(*denied: str) -> Iterator[dict[str, str]]:
    """The credentials of an operator who may do everything but this."""
    iam, name = client("iam"), f"operator-{uuid.uuid4().hex[:8]}"
    statements = [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": list(denied), "Resource": "*"}]
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="operator", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    try:
        yield {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    finally:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName=name, PolicyName="operator")
        iam.delete_user(UserName=name)


class Verify(unittest.TestCase):
    def setUp(self) -> None:
        self.before = items()

    def left(self) -> set[tuple[str, str, str]]:
        """What stays: an event goes when it is published."""
        deadline = time.monotonic() + 60
        left = self.new()
        while any(pk.startswith("event#") for _, pk, _ in left) and time.monotonic() < deadline:
            time.sleep(0.1)
            left = self.new()
        return left

    def new(self) -> set[tuple[str, str, str]]:
        """What is new, but for what the mailer does meanwhile for accounts of other tests, whose held notices its timer releases."""
        known = {pk.partition("#")[2] for table, pk, _ in self.before if table == "ACCOUNTS_TABLE" and pk.startswith("account#")}
        return {item for item in items() - self.before if not known & {item[1].partition("#")[2], item[2].rpartition("#")[2]}}

    def works(self, result: Result, taken: list[str] = STEPS) -> None:
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)
        self.assertEqual(steps(result.stdout), taken)
        self.assertIn(f"The account is deleted.\nIt works: {len(taken)} steps in ", result.stdout)
        self.assertEqual(self.left(), set())

    def fails(self, result: Result, says: str) -> None:
        """One sentence, and nothing stays."""
        self.assertNotEqual(result.returncode, 0, result.stdout)
        told = result.stderr.splitlines()
        self.assertEqual(len(told), 1, result.stderr)
        self.assertRegex(told[0], f"^verify: .*{says}")
        self.assertEqual(self.left(), set())

    def test_on_a_stack_that_is_well_every_step_is_taken_and_nothing_stays(self) -> None:
        before = mails()
        result = make("verify")
        self.works(result)
        self.assertRegex(result.stdout, r"^doorward in the emulator\n")
        self.assertEqual(mails() - before, 4, "as OPERATIONS.md says; the notice of the reset waits, and its account is gone by then")

    def test_in_aws_where_nobody_reads_the_mail_an_operator_puts_a_link_in_its_place(self) -> None:
        self.works(verify("doorward"))

    def test_what_is_broken_is_named_with_what_to_look_at(self) -> None:
        log = r"its log /aws/lambda/doorward-"
        # A short wait for what never comes.
        brief = ("", "--patience", "3")
        cases: list[tuple[AbstractContextManager[Any], str] | tuple[AbstractContextManager[Any], str, tuple[str, ...]]] = [
            (variables("doorward-login", LOGIN_CLIENT_LIMIT="sixty"), rf"{LOGIN} answers 50\d to a login with an unknown name, and not 401: the function does not start or fails; {log}login says why\.", brief),
            (variables("doorward-login", LIMITS_TABLE="none"), rf"{LOGIN} answers 503 .* a service that the function calls refuses or fails; {log}login says which", brief),
            (variables("doorward-register", REGISTRATION="ajar"), rf"{REGISTER} answers 50\d to a registration, and not 201: .*{log}register"),
            (variables("doorward-register", REGISTRATION="closed"), rf"{REGISTER} answers 403 to a registration, and not 201: .*{log}register"),
            (without("dynamodb:BatchWriteItem", "login"), rf"{LOGIN} answers 503 to the right password, and not 200: .*{log}login says which \(a table, a permission\)"),
            (variables("doorward-authorizer", SESSIONS_NOT_BEFORE="ever"), r"the authorizer fails: its log /aws/lambda/doorward-authorizer says why"),
            (variables("doorward-verify-address", ACCOUNTS_TABLE="none"), rf"{ACTIVATION} answers 503 to the token of a verification link, and not 204: .*{log}verify-address"),
            (variables("doorward-change-password", OUTBOX_TABLE="none"), rf"{CHANGE} answers 503 to a change of the password, and not 200: .*{log}change-password"),
            (variables("doorward-password-reset", OUTBOX_TABLE="none"), rf"{RESET} answers 503 to a request for a reset link, and not 200: .*{log}password-reset"),
            (no_stream(), r"mail is not sent, because nothing reads the Outbox's stream"),
            (no_sender(), r"mail is not sent \(.+\): `make doctor` says more, and the mailer's log /aws/lambda/doorward-mailer"),
            (variables(MAILER, LINK_BASE="nowhere"), r"mail is not sent within 3 s \(mailer fails: .*LINK_BASE.*\): `make doctor` says more", brief),
            (variables(f"doorward-{ROUTES[VALIDATE]}", ACCOUNTS_TABLE="none"), rf"{VALIDATE} answers 503 .*{log}{ROUTES[VALIDATE]}"),
            (variables("doorward-confirm-reset", OUTBOX_TABLE="none"), rf"{CONFIRM} answers 503 .*{log}confirm-reset"),
            (variables("doorward-logout", ACCOUNTS_TABLE="none"), rf"{LOGOUT} answers 503 to a session, and not 200: .*{log}logout"),
            (variables("doorward-disavow", OUTBOX_TABLE="none"), rf"{DISAVOW} answers 503 to the link of a notice, and not 200: .*{log}disavow"),
        ]
        for broken, says, *arguments in cases:
            with self.subTest(says), broken:
                self.fails(verify(*(arguments[0] if arguments else ())), says)

    def test_a_page_of_a_listed_origin_may_ask_and_a_proxys_secret_is_no_obstacle(self) -> None:
        self.addCleanup(update, AllowedOrigins="", ProxySecret="", TrustedProxyHops="0")
        update(AllowedOrigins="https://app.doorward.example", ProxySecret="0123456789abcdef" * 2, TrustedProxyHops="1")
        result = verify()
        self.works(result)
        self.assertNotIn("0123456789abcdef", result.stdout)
        with variables("doorward-login", ALLOWED_ORIGINS="https://other.doorward.example"):
            self.fails(verify(), "allows no requests of pages of https://app.doorward.example, which AllowedOrigins names")

    def test_where_registration_is_closed_an_operator_creates_the_account(self) -> None:
        self.addCleanup(update, Registration="open")
        update(Registration="closed")
        first = ["the API answers", "registration is closed, and an operator creates an account", "mail to it is accepted by SES", "the link sets a password, once"]
        for stack in ("", "doorward"):
            self.works(verify(stack), first + STEPS[3:])
        with mock.patch("cargo.built", side_effect=Failure("doorward-admin is not in this release.")):
            self.fails(verify(), "registration is closed, and doorward-admin is not in this release")

    def test_without_a_mailer_the_steps_with_mail_are_left_out(self) -> None:
        self.addCleanup(update, MailerConcurrency="")
        update(MailerConcurrency="0")
        result = verify()
        self.works(result, [*STEPS[:2], *STEPS[3:6], STEPS[9]])
        self.assertIn("MailerConcurrency=0 stops all mail, so every step with mail is left out", result.stdout)

    def test_what_the_operator_may_not_do_is_left_out_and_said(self) -> None:
        with operator("lambda:InvokeFunction", "dynamodb:UpdateItem", "dynamodb:PutItem") as credentials:
            result = done(STACK="doorward", **credentials)
        self.works(result, [step for step in STEPS if step not in (STEPS[2], STEPS[4], STEPS[8], STEPS[10], *STEPS[11:])])
        skipped = steps(result.stdout, "skip")
        self.assertEqual([line.partition(": ")[0] for line in skipped], [STEPS[2], STEPS[4], STEPS[8], STEPS[11]])
        self.assertIn("these credentials may not call a function", skipped[1])
        self.assertIn("may not put one of their own in its place", skipped[2])

    def test_who_may_not_delete_makes_nothing(self) -> None:
        with operator("dynamodb:DeleteItem") as credentials:
            self.fails(done(STACK="doorward", **credentials), r"AWS refuses \(DeleteItem: .*\): use credentials that may do what `make admin` does")

    def test_its_own_requests_reach_no_limit_and_where_others_did_it_says_so(self) -> None:
        self.addCleanup(update, LoginClientLimit="100000/5m", RegisterClientLimit="100000/1h")
        update(LoginClientLimit="3/5m")
        self.fails(verify(), "LoginClientLimit=3/5m allows fewer than the 14 requests that this makes: raise it for that time")
        # A window of its own, in which nothing was counted by a run before, and which does not end soon.
        now = int(time.time())
        window = next(length for length in random.sample(range(70_000, 86_400), 100) if now % length < length - 1000)
        update(LoginClientLimit=f"14/{window}s", RegisterClientLimit=f"1/{window}s")
        self.works(verify())
        self.fails(verify(), r"takes no more requests from here for \d+ more seconds \(its limit for one client\): try again later, or from another address")

    def until(self, process: "subprocess.Popen[str]", step: str) -> None:
        assert process.stdout
        for line in process.stdout:
            if step in line:
                return
        self.fail(f"it did not come to {step}: {process.communicate()[1]}")

    def test_stopped_at_any_step_it_deletes_all_the_same(self) -> None:
        for end, step in ((signal.SIGINT, STEPS[0]), (signal.SIGTERM, STEPS[1]), (signal.SIGHUP, STEPS[5]), (signal.SIGTERM, STEPS[7])):
            with self.subTest(end=end, step=step):
                process = started()
                self.until(process, step)
                process.send_signal(end)
                said, wrong = process.communicate(timeout=120)
                self.assertEqual((process.returncode, wrong), (130, "\nverify: stopped.\n"), said)
                self.assertEqual(self.left(), set())

    def killed(self) -> None:
        process = started()
        self.until(process, STEPS[4])
        process.kill()
        process.communicate()
        self.assertNotEqual(self.left(), set())

    def test_what_a_killed_run_has_left_the_next_one_deletes(self) -> None:
        self.killed()
        result = verify()
        self.assertIn("note            1 accounts that earlier runs have left are deleted", result.stdout)
        self.works(result)

    def test_what_a_run_on_another_machine_has_left_is_deleted_when_it_can_be_at_work_no_more(self) -> None:
        notes = Path(os.environ["STATE"]) / "verify"
        self.killed()
        shutil.rmtree(notes)
        left = self.left()
        result = verify()
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertNotIn("earlier runs", result.stdout)
        self.assertLessEqual({each for each in left if each[0] == "ACCOUNTS_TABLE"}, self.left(), "it may be at work yet")
        account = next(pk for table, pk, sk in left if (table, sk) == ("ACCOUNTS_TABLE", "account"))
        client("dynamodb").update_item(
            TableName=os.environ["ACCOUNTS_TABLE"], Key={"pk": {"S": account}, "sk": {"S": "account"}}, UpdateExpression="SET created_at = :then",
            ExpressionAttributeValues={":then": {"N": str(int((time.time() - 31 * 60) * 1000))}},
        )
        result = verify()
        self.assertIn("1 accounts that earlier runs have left are deleted", result.stdout)
        self.works(result)

    def test_an_account_that_cannot_be_deleted_is_said_beside_what_is_wrong_and_the_next_run_deletes_it(self) -> None:
        with operator("dynamodb:Query") as credentials:
            result = done(STACK="doorward", **credentials)
        self.assertNotEqual(result.returncode, 0, result.stdout)
        self.assertRegex(result.stderr, r"^verify: AWS refuses \(Query: .*\n$")
        self.assertRegex(result.stdout, r"(?m)^wrong           verify-\w+ is not deleted \(.*\): the next `make verify` does that, or `make admin ARGS='delete verify-\w+'`\.$")
        self.assertNotEqual(self.left(), set())
        result = verify()
        self.assertIn("1 accounts that earlier runs have left are deleted", result.stdout)
        self.works(result)

    def test_two_at_once_do_not_meet(self) -> None:
        both = [started(), started()]
        for process in both:
            said, wrong = process.communicate(timeout=300)
            self.assertEqual((process.returncode, wrong), (0, ""), said)
            self.assertIn(f"It works: {len(STEPS)} steps", said)
        self.assertEqual(self.left(), set())

    def test_a_run_elsewhere_that_takes_the_same_address_at_the_same_time_is_said(self) -> None:
        env = Environment("doorward")
        first, second = (Life(env, None, 60) for _ in range(2))
        first.own.open()
        self.addCleanup(first.own.close)
        second.own.email = first.own.email  # which only another machine can do
        first.register()
        with self.assertRaisesRegex(Later, "a run on another machine has taken the same address just now"):
            second.register()
        self.assertFalse(second.own.close(), "it deletes its own account and no other")
        self.assertTrue(first.own.is_registered())

    def test_an_api_that_leads_elsewhere_is_said(self) -> None:
        life = Life(Environment("doorward"), None, 60)
        life.own.open()
        self.addCleanup(life.own.close)
        table = life.env.outputs["AccountsTable"]
        life.env.outputs["AccountsTable"] = life.env.outputs["LimitsTable"]
        with self.assertRaisesRegex(Failure, "leads to another stack; delete the account there"):
            life.register()
        life.env.outputs["AccountsTable"] = table

    def test_a_domain_that_dns_does_not_know_yet_is_gone_around_while_that_is_open(self) -> None:
        env = Environment("doorward")
        env.parameters["DomainName"] = "accounts.doorward.example"
        life = Life(env, None, 1)
        life.api.url = "http://127.0.0.1:1"
        with contextlib.redirect_stdout(io.StringIO()) as said:
            life.wait_for_api()
        self.assertRegex(said.getvalue(), r"^note            http://127.0.0.1:1 does not answer \(.*\), as long as DNS does not lead there; asking http://.*/doorward/v1\n$")
        env.parameters["DefaultEndpoint"], life.api.url = "off", "http://127.0.0.1:1"
        with self.assertRaisesRegex(Failure, rf"{LOGIN} does not answer \(.*refused.*\) to a login with an unknown name, and not 401: look at DNS and the certificate"):
            life.wait_for_api()

    def test_a_stack_that_is_not_there_is_said(self) -> None:
        self.fails(done(STACK="none-such"), "There is no stack none-such")
        self.fails(done(URL=os.environ["API_URL"]), "a URL is not enough")
        self.fails(done(ARGS="--patince 1"), "it takes no ARGS but `--patience SECONDS`")


class Answers(unittest.TestCase):
    """What an answer means that the emulator does not give."""

    def cause(self, answer: Answer, **given: str) -> str:
        api = object.__new__(Api)
        api.url = "https://accounts.doorward.example"

        class Stack:
            name = "doorward"
            parameters = given

        api._env = Stack()  # type: ignore[assignment]
        return api._cause(answer, CHANGE)

    def test_each_has_a_cause_of_its_own(self) -> None:
        for answer, given, says in [
            (Answer(500, {"message": None}, {}), {"ChangePasswordConcurrency": "0"}, "change-password is stopped by ChangePasswordConcurrency=0"),
            (Answer(0, "Name or service not known", {}), {}, "look at DNS and the certificate of https://accounts.doorward.example"),
            (Answer(403, {"detail": "Request was refused."}, {}), {"WebAclArn": "arn:x"}, "the web ACL WebAclArn refuses this address"),
            (Answer(403, {"message": "Forbidden"}, {}), {}, "API Gateway does not know the route"),
            (Answer(404, {"detail": "Not found."}, {}), {}, "API Gateway does not know the route"),
            (Answer(301, "", {}), {}, "its log /aws/lambda/doorward-change-password says what it found"),
        ]:
            with self.subTest(says):
                self.assertIn(says, self.cause(answer, **given))

    def test_every_route_has_its_function(self) -> None:
        deployed = client("cloudformation").get_template(StackName="doorward", TemplateStage="Processed")["TemplateBody"]["Resources"]["Api"]["Properties"]["Body"]["paths"]
        self.assertEqual(set(ROUTES), set(deployed))
        self.assertLessEqual(set(ROUTES.values()), {path.stem for path in (ROOT / "functions" / "src" / "bin").glob("*.rs")})


assert infra_path
if __name__ == "__main__":
    unittest.main()
