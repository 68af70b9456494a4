"""`make logs` and `make metrics` on a running stack: what they print, filter and count."""

import json
import re
import subprocess
import threading
import time
import unittest

import infra_path
from infra_path import ROOT, environment, make
from test_life import PASSWORD, client, post, register

from stack import start_complaints

PATIENCE_SECONDS = 60


def logs(*arguments: str) -> list[str]:
    result = make("logs", *arguments)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    return result.stdout.splitlines()


def until(seen: str, *arguments: str) -> list[str]:
    """The lines, as soon as one of them contains this: a function's lines reach the log after its answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while seen not in "\n".join(lines := logs(*arguments)) and time.monotonic() < deadline:
        time.sleep(0.2)
        flush(deadline)
    return lines


def flush(deadline: float) -> None:
    """Calls the functions once more, when some time is over: the emulator shows what a function says late only with its next call."""
    if time.monotonic() > deadline - PATIENCE_SECONDS + 5:
        start_complaints(client("lambda"), {name: f"doorward-{name}" for name in ("login", "register", "password-reset")})


def account_of(name: str) -> str:
    return str(json.loads(make("admin", f"ARGS=show {name} --json").stdout)["id"])


class Logs(unittest.TestCase):
    def test_every_line_has_its_time_and_a_refused_login_its_account_network_and_request(self) -> None:
        name = register()
        account = account_of(name)
        post("/api/login/", username=name, password="Wrong-Horse-13")
        lines = until("credentials", f"ACCOUNT={account}")
        self.assertTrue(all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [a-z-]+: ", line) for line in lines), lines)
        [refused] = [line for line in lines if " login: " in line]
        self.assertRegex(refused, rf"login: answered: credentials 401 request_id=[0-9a-f-]{{36}} account={account} client=127\.0\.0\.0/24$")
        self.assertTrue(any(" register: registered" in line for line in lines), lines)
        # The request's own lines, and nobody else's.
        request = re.search(r"request_id=(\S+)", refused)[1]  # type: ignore[index]
        self.assertEqual(logs(f"REQUEST={request}"), [refused])
        self.assertEqual(logs(f"REQUEST={request}", "OUTCOME=ok"), [])
        self.assertIn(refused, logs("OUTCOME=credentials", "SINCE=10m"))
        self.assertEqual(logs("SINCE=2999-01-01T00:00:00Z"), [])
        self.assertEqual(json.loads(logs("RAW=1", f"REQUEST={request}")[0])["outcome"], "credentials")
        # With the stack named, as on AWS.
        self.assertEqual(logs("STACK=doorward", f"REQUEST={request}"), [refused])

    def test_a_mail_is_found_by_its_account_and_by_the_request_that_asked(self) -> None:
        name = register()
        post("/api/password_reset/", email=f"{name}@example.com")
        # The first is the one that verifies the address.
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(mailed := [line for line in logs(f"ACCOUNT={account_of(name)}") if " mailer: " in line]) < 2 and time.monotonic() < deadline:
            time.sleep(0.2)
            flush(deadline)
        self.assertRegex(mailed[-1], r"mailer: mail handled: sent .*message_id=\S+")
        requests = [re.search(r"request_id=(\S+)", line)[1] for line in mailed]  # type: ignore[index]
        # The mailer may be through before the function that asked has said that it answered.
        wanted = [["mailer:", "password-reset:"], ["mailer:", "register:"]]
        while (asked := sorted(sorted({line.split()[1] for line in logs(f"REQUEST={request}")}) for request in requests)) != wanted and time.monotonic() < deadline:
            time.sleep(0.2)
            flush(deadline)
        self.assertEqual(asked, wanted)

    def test_what_is_no_time_or_no_id_is_refused_in_a_sentence(self) -> None:
        for argument, says in [("SINCE=yesterday", "SINCE: 'yesterday' is neither a time ago"), ('REQUEST=x" "y', "REQUEST: ")]:
            result = make("logs", argument)
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(f"logs: {says}", result.stderr)

    def test_it_follows_what_comes(self) -> None:
        name = register()
        command = ["make", "-C", str(ROOT), "--no-print-directory", "logs", "FOLLOW=1", f"ACCOUNT={account_of(name)}"]
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert process.stdout
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        late = threading.Timer(120, process.kill)
        late.start()
        self.addCleanup(late.cancel)
        # The account's event is published, and its mail sent, at times of their own.
        lines = (line for line in process.stdout if " events: " not in line and " mailer: " not in line)
        self.assertIn("registered", next(lines))
        self.assertIn("answered", next(lines))
        post("/api/login/", username=name, password=PASSWORD)
        self.assertRegex(next(lines), r"login: answered: \S+ 200 ")

    def test_make_events_prints_the_events_of_an_account(self) -> None:
        account = account_of(register())
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (said := make("events", f"ACCOUNT={account}")).stdout and time.monotonic() < deadline:
            time.sleep(0.2)
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertRegex(said.stdout, rf"^\d{{4}}-\S+Z account\.created account={account} id=[0-9a-f-]{{36}}\n$")


class Metrics(unittest.TestCase):
    def counted(self, *arguments: str) -> dict[str, list[int]]:
        result = make("metrics", *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        rows = [line.split() for line in result.stdout.splitlines() if re.fullmatch(r"[A-Z]\w+( +\d+){3}", line)]
        return {name: [int(count) for count in counts] for name, *counts in rows}

    def test_it_counts_what_happened_in_three_spans(self) -> None:
        name = register()
        before = self.counted()
        post("/api/login/", username=name, password="Wrong-Horse-13")
        post("/api/login/", username=name, password=PASSWORD)
        until("answered: ", f"ACCOUNT={account_of(name)}", "OUTCOME=credentials")
        deadline = time.monotonic() + PATIENCE_SECONDS
        refused = before.get("LoginsRefused", [0, 0, 0])[2]
        while (after := self.counted()).get("LoginsRefused", [0, 0, 0])[2] <= refused and time.monotonic() < deadline:
            time.sleep(0.2)
        self.assertEqual(after["LoginsRefused"][2], refused + 1)
        self.assertTrue(all(counts == sorted(counts) for counts in after.values()), "a longer span counts no less")
        self.assertIn("HashMilliseconds", make("metrics").stdout)


assert infra_path
if __name__ == "__main__":
    unittest.main()
