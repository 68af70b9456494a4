"""`make set`, `make calibrate`, `make probe`: what they promise to whoever types them."""

import json
import os
import re
import subprocess
import time
import unittest
import urllib.request

import infra_path
from infra_path import ROOT, environment, make
from test_life import client, is_signed_in, login, register, set_parameters


def parameters() -> dict[str, str]:
    return {p["ParameterKey"]: p["ParameterValue"] for p in client("cloudformation").describe_stacks(StackName="doorward")["Stacks"][0]["Parameters"]}


class Set(unittest.TestCase):
    def test_a_value_that_a_function_would_not_start_with_changes_nothing(self) -> None:
        name = register()
        before = parameters()
        for parameter, value in [
            ("SessionsNotBefore", "yesterday"), ("SessionLifetime", "400d"), ("LoginClientLimit", "sixty"), ("AllowedOrigins", "https://app.example.org/"),
            ("LinkBase", "http://accounts.acme.example"), ("ResetCoolDown", "soon"),
        ]:
            with self.subTest(parameter):
                code, said = set_parameters(**{parameter: value})
                self.assertEqual(code, 1, said)
                self.assertIn("wrong ", said)
                self.assertNotIn("Done", said)
                self.assertEqual(parameters(), before)
                login(name)

    def test_sessions_that_were_ended_stay_ended_whatever_is_set_later(self) -> None:
        session = login(register())["token"]
        time.sleep(1)  # the switch has the resolution of a second
        code, said = set_parameters(SessionsNotBefore="now")
        self.assertEqual(code, 0, said)
        ended = parameters()["SessionsNotBefore"]
        for earlier in ("", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "yesterday"):
            code, said = set_parameters(SessionsNotBefore=earlier)
            self.assertEqual((code, parameters()["SessionsNotBefore"]), (1, ended), said)
            self.assertIn(f"wrong SessionsNotBefore stays {ended}", said)
        self.assertFalse(is_signed_in(session))
        code, said = set_parameters(SessionsNotBefore=ended, Registration="open")
        self.assertEqual(code, 0, said)

    def test_a_stopped_function_is_a_switch_and_not_a_failure(self) -> None:
        code, said = set_parameters(LoginConcurrency="0")
        self.addCleanup(set_parameters, LoginConcurrency="")
        self.assertEqual(code, 0, said)

    def test_a_parameter_that_is_unknown_or_no_parameter_is_named(self) -> None:
        code, said = set_parameters(Regstration="open")
        self.assertEqual((code, said.splitlines()[-1]), (1, "wrong The stack has no parameter Regstration; did you mean Registration?"))
        result = make("set", "PARAMS=Registration")
        self.assertIn("'Registration' is not Name=value", result.stdout)


class Deploy(unittest.TestCase):
    def test_no_deployment_revives_a_session_whatever_the_file_of_parameters_says(self) -> None:
        decided = """
import sys
sys.path[:0] = ["infra/aws", "infra", "infra/operate"]
from deploy import Failure, decide
from template import Template
template = Template.read()
running = template.defaults() | {"Sender": "a@doorward.internal", "SessionsNotBefore": "2026-03-01T00:00:00Z"}
for wanted, kept in [({}, {}), ({}, {"SessionsNotBefore": "2026-02-01T00:00:00Z"}), ({"SessionsNotBefore": "2026-04-01T00:00:00Z"}, {})]:
    print(decide(template, wanted, kept, running, template.defaults())[0]["SessionsNotBefore"])
for wanted in ("", "2026-02-28T23:59:59Z"):
    try:
        print(decide(template, {"SessionsNotBefore": wanted}, {}, running, template.defaults()))
    except Failure as failure:
        print(failure)
"""
        result = subprocess.run([".tools/aws/bin/python", "-c", decided], cwd=ROOT, capture_output=True, text=True, check=True)
        stays = "SessionsNotBefore stays 2026-03-01T00:00:00Z, because an earlier instant, or none, would revive the sessions that it ended."
        self.assertEqual(result.stdout.splitlines(), ["2026-03-01T00:00:00Z"] * 2 + ["2026-04-01T00:00:00Z"] + [stays] * 2)


class Operator(unittest.TestCase):
    def test_what_asks_aws_runs_where_every_way_to_log_in_is_at_hand(self) -> None:
        # A profile that `aws login` wrote needs awscrt, which the local stack has no use for.
        self.assertIn("awscrt==", (ROOT / "infra" / "requirements" / "aws.txt").read_text())
        for command in ("doctor", "verify", "set", "admin", "probe"):
            self.assertIn(f".tools/aws/bin/python infra/operate {command}", make("-n", command, "STACK=doorward").stdout)
            self.assertIn(f".tools/local/bin/python infra/operate {command}", make("-n", command).stdout)


class Calibrate(unittest.TestCase):
    def test_it_prints_three_parameters_and_nothing_else_twice(self) -> None:
        for _ in range(2):
            result = make("calibrate", "QUICK=1", "MEMORY_KIB=19456", "BUDGET_MS=100")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertRegex(result.stdout, r"\AArgon2MemoryKib=\d+ Argon2Iterations=\d+ Argon2Parallelism=1\n\Z")
        self.assertRegex(result.stderr, r"\AA hash takes [\d.]+ ms here, .* 100 ms.\n\Z")

    def test_what_is_no_number_is_refused_and_no_shell_reads_it(self) -> None:
        result = make("calibrate", "QUICK=1", "MEMORY_KIB=1; echo hello")
        self.assertNotEqual(result.returncode, 0)
        self.assertNotIn("hello\n", result.stdout)


class Probe(unittest.TestCase):
    def accounts(self) -> set[str]:
        pages = client("dynamodb").get_paginator("scan").paginate(TableName=os.environ["ACCOUNTS_TABLE"])
        names = {item["pk"]["S"] for page in pages for item in page["Items"]}
        return {name for name in names if name.startswith("username#probe-")}

    def sent(self) -> list[str]:
        """The recipients of all mail to accounts of a probe. The mailer's timer may send other mail meanwhile."""
        with urllib.request.urlopen(os.environ["MAIL_URL"], timeout=60) as answer:
            return [to for each in json.load(answer)["messages"].values() for mail in each for to in mail["To"] if "probe-" in to]

    def test_it_says_what_it_will_do_and_deletes_what_it_made(self) -> None:
        before = len(self.sent())
        result = make("probe", f"URL={os.environ['API_URL']}", "ARGS=--samples 10 --plot /dev/null")
        self.assertIn(result.returncode, (0, 1), result.stderr)  # 16 samples cannot say much; make says 1 for every other code
        self.assertRegex(result.stderr, r"^This registers 4 accounts named probe-… at .* The accounts are deleted at the end\.")
        self.assertRegex(result.stderr, r"(?m)^login: \d+ of 32 requests$")
        self.assertRegex(result.stderr, r"(?m)^4 accounts of the probe are deleted\.$")
        self.assertEqual(self.accounts(), set())
        sent = self.sent()
        # A link that confirms the address and a reset link to each.
        self.assertLessEqual(len(sent) - before, 8)
        self.assertTrue(all(re.fullmatch(r"success\+probe-\w+@simulator\.amazonses\.com", to) for to in sent), sent)

    def test_a_probe_that_is_stopped_or_fails_deletes_all_the_same(self) -> None:
        # A plot that cannot be written ends it when all is measured.
        result = make("probe", f"URL={os.environ['API_URL']}", "ARGS=--samples 10 --plot /nowhere/x.svg")
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(self.accounts(), set())
        process = subprocess.Popen(
            ["make", "-C", str(ROOT), "-s", "probe", f"URL={os.environ['API_URL']}", "ARGS=--samples 1000 --plot /dev/null"],
            env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        assert process.stdout
        for line in process.stdout:
            if line.startswith("login: "):
                break
        process.terminate()
        self.assertIn("accounts of the probe are deleted.", process.communicate(timeout=120)[0])
        self.assertEqual(self.accounts(), set())

    def test_at_another_stack_than_ours_it_says_what_stays(self) -> None:
        result = make("probe", "URL=http://127.0.0.1:1", "ARGS=--samples 10")
        self.assertIn("The accounts stay, because this stack's tables are not within reach", result.stderr)
        self.assertNotIn("are deleted", result.stderr)


assert infra_path
if __name__ == "__main__":
    unittest.main()
