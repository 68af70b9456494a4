"""The local stack as somebody uses it for days: what it keeps, what it remembers, and that it ends when it is told to."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
import uuid
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import boto3
import infra_path
from infra_path import LOCAL, OF_MAKE, ROOT, make
from test_life import without_timer

from processes import free_port
from settings import Settings
from stack import remember

PATIENCE_SECONDS = 120
PASSWORD = "Correct-Horse-42"


class Parameters(unittest.TestCase):
    def test_other_parameters_revive_no_session(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            ended = {"SessionsNotBefore": "2026-03-01T00:00:00Z"}
            remember(Path(directory), ended | {"SessionLifetime": "7d"})
            for said in ("", "SessionsNotBefore=", "SessionsNotBefore=2026-02-01T00:00:00Z"):
                self.assertEqual(Settings(directory=Path(directory), said=said).requested, ended, said)
            later = {"SessionsNotBefore": "2026-03-02T00:00:00Z"}
            self.assertEqual(Settings(directory=Path(directory), said="SessionsNotBefore=2026-03-02T00:00:00Z").requested, later)


class Local(unittest.TestCase):
    """A stack of its own, beside the one of the other tests."""

    def setUp(self) -> None:
        self.state = ROOT / ".local" / f"test-local-{uuid.uuid4().hex[:8]}"
        # All stacks share the folder of built functions.
        self.port = str(free_port())
        self.addCleanup(shutil.rmtree, self.state, ignore_errors=True)
        self.addCleanup(self.run_local, "down")

    def environment(self, **changed: str) -> dict[str, str]:
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AUTH", "CLOUDTRAIL")) and name not in ("PARAMS", "PORT", *OF_MAKE)}
        return mine | {"STATE": str(self.state), "PORT": self.port} | changed

    def left(self) -> list[bytes]:
        """The command lines that name this stack's folder. A process may end while it is read."""
        lines = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                lines.append(file.read_bytes())
        return [line for line in lines if str(self.state).encode() in line]

    def run_local(self, command: str, **changed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, str(LOCAL), command], env=self.environment(**changed), capture_output=True, text=True, check=False)

    def done(self, command: str, **changed: str) -> str:
        result = self.run_local(command, **changed)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def variables(self) -> dict[str, str]:
        lines = (self.state / "stack.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if not line.startswith("export "))

    def post(self, path: str, **body: str) -> tuple[int, Any]:
        request = urllib.request.Request(self.variables()["API_URL"] + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def has_ended(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(self.port))) != 0

    def test_accounts_and_parameters_outlive_a_restart_until_they_are_forgotten(self) -> None:
        self.done("up", PARAMS="ProductName='Acme Cloud' SessionLifetime=7d")
        self.assertEqual(self.post("/api/register/", username="ada", email="ada@example.org", password=PASSWORD)[0], 201)
        self.assertEqual(self.post("/api/password_reset/", email="ada@example.org")[0], 200)
        self.settled()
        self.done("mail")
        said = self.done("up")
        self.assertIn("Parameters as the last time: ProductName=Acme Cloud SessionLifetime=7d; `make up PARAMS=` puts them back", said)

        self.done("down")
        self.assertTrue(self.has_ended())
        self.assertEqual((self.state / "accounts.json").stat().st_mode & 0o077, 0, "it holds hashes")
        # A parameter that today's template does not have, and another port.
        remembered = json.loads((self.state / "parameters.json").read_text())
        (self.state / "parameters.json").write_text(json.dumps(remembered | {"OfAnotherDay": "1"}))
        self.port = str(free_port())
        said = self.done("up")
        self.assertIn("1 accounts of the last time are there again", said)
        self.assertIn("ProductName=Acme Cloud", said)
        self.assertEqual(self.post("/api/login/", username="ada", password=PASSWORD)[0], 200)
        self.assertEqual(self.run_local("mail").returncode, 1, "what was mailed is not mailed again")

        self.assertNotIn("as the last time", self.done("up", PARAMS=""))
        self.assertNotIn("as the last time", self.done("up"))
        self.assertEqual(self.post("/api/login/", username="ada", password=PASSWORD)[0], 200)
        # As a machine that shuts down ends everything, without `make down`.
        self.assertEqual(self.post("/api/register/", username="bob", email="bob@example.org", password=PASSWORD)[0], 201)
        os.kill(json.loads((self.state / "emulator.json").read_text())["pid"], signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.left() and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(self.left(), [])
        self.assertIn("2 accounts of the last time are there again", self.done("up"))
        self.assertEqual(self.post("/api/login/", username="bob", password=PASSWORD)[0], 200)
        self.done("reset")
        self.done("up")
        self.assertEqual(self.post("/api/login/", username="ada", password=PASSWORD)[0], 401)

    def settled(self) -> None:
        """Waits until every mail that was asked for is sent and marked as sent."""
        variables = self.variables()
        database = boto3.client(
            "dynamodb", endpoint_url=variables["AWS_ENDPOINT_URL"], region_name=variables["AWS_REGION"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"], aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            # An answer comes after its entry is written, so there are some. The list of held notices is no mail.
            entries = [item for item in database.scan(TableName=variables["OUTBOX_TABLE"], ConsistentRead=True)["Items"] if item["pk"]["S"] != "held"]
            if entries and all("done_at" in entry for entry in entries):
                return
            self.assertLess(time.monotonic(), deadline, entries)
            time.sleep(0.1)

    def test_accounts_that_do_not_fit_are_put_aside_and_the_stack_comes_up(self) -> None:
        self.state.mkdir(parents=True)
        for text in ("nonsense", "[]", json.dumps({"AccountsTable": [{"other_key": {"S": "x"}}]})):
            with self.subTest(text):
                (self.state / "accounts.json").write_text(text)
                self.done("up", PARAMS="")
                self.done("down")

    def test_changed_routes_start_the_emulator_afresh_and_keep_accounts(self) -> None:
        self.done("up")
        self.assertEqual(self.post("/api/register/", username="ada", email="ada@example.org", password=PASSWORD)[0], 201)
        with mock.patch.dict(os.environ, self.environment(), clear=True):
            import commands

            deploy = commands.deploy.deploy
            answers: list[Any] = [commands.deploy.RoutesChanged, None]

            def once(*arguments: Any) -> Any:
                if answer := answers.pop(0):
                    raise answer
                return deploy(*arguments)

            with mock.patch.object(commands.deploy, "deploy", once), mock.patch("builtins.print"):
                commands.up()
        self.assertEqual(self.post("/api/login/", username="ada", password=PASSWORD)[0], 200)

    def test_a_port_that_another_program_takes_meanwhile_is_replaced_by_another(self) -> None:
        with mock.patch.dict(os.environ, self.environment(), clear=True):
            import commands
            import emulator

            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                taken.listen()
                ports = [taken.getsockname()[1], free_port()]

                def start(settings: Settings) -> dict[str, str]:
                    emulator.require_free(settings)
                    return {"port": str(settings.port)}

                with mock.patch.object(commands, "free_port", side_effect=ports):
                    self.assertEqual(commands.on_a_free_port(Settings(directory=self.state), start)[1], {"port": str(ports[1])})
                with mock.patch.object(commands, "free_port", return_value=ports[0]), self.assertRaises(emulator.PortTaken):
                    commands.on_a_free_port(Settings(directory=self.state), start)

    def test_an_emulator_that_another_program_answers_for_is_not_taken_for_ours(self) -> None:
        state, port = Path(os.environ["STATE"]), urlsplit(os.environ["AWS_ENDPOINT_URL"]).port
        with mock.patch.dict(os.environ, self.environment(), clear=True):
            import emulator

            theirs = Settings(directory=self.state, requested_port=str(port))
            pid = emulator.remembered(state).pid  # type: ignore[union-attr]
            self.assertTrue(emulator._answers(theirs, pid))
            self.assertFalse(emulator._answers(theirs, pid + 1))

    def test_it_ends_on_sigterm_wherever_it_was_started_from_and_leaves_nothing_running(self) -> None:
        # CI, nohup and a shell's background jobs start programs with SIGINT or SIGHUP ignored.
        for command, ended, start in [
            (["make", "-C", str(ROOT), "--no-print-directory", "dev"], signal.SIGTERM, "trap '' INT"),
            ([sys.executable, str(LOCAL), "dev"], signal.SIGHUP, "trap '' INT"),
            ([sys.executable, str(LOCAL), "dev"], signal.SIGTERM, "trap '' INT HUP QUIT"),
            ([sys.executable, str(LOCAL), "with_stack", "sh", "-c", "echo Watching; sleep 1000 & wait"], signal.SIGTERM, "trap '' INT"),
        ]:
            with self.subTest(command=command[-1], start=start):
                whole = ["bash", "-c", f'{start}; exec "$@"', "bash", *command]
                with subprocess.Popen(whole, env=self.environment(), stdout=subprocess.PIPE, text=True) as process:
                    assert process.stdout
                    self.addCleanup(process.kill)
                    for line in process.stdout:
                        if line.startswith("Watching"):
                            break
                    process.send_signal(ended)
                    process.communicate(timeout=PATIENCE_SECONDS)
                deadline = time.monotonic() + 60
                while (self.left() or not self.has_ended()) and time.monotonic() < deadline:
                    time.sleep(0.1)
                self.assertTrue(self.has_ended())
                self.assertEqual(self.left(), [], "something still runs")

    def test_whoever_is_told_to_end_while_it_starts_a_program_ends_that_too(self) -> None:
        # Between the start and the knowledge of it, which takes a moment: the signal comes while Popen is at work.
        script = (
            "import os, signal, subprocess, sys; sys.path.insert(0, sys.argv[1]); import processes\n"
            "def interrupt(*_): raise KeyboardInterrupt\n"
            "signal.signal(signal.SIGTERM, interrupt); start = subprocess.Popen\n"
            "def at_work(*a, **o): p = start(*a, **o); print(p.pid, flush=True); os.kill(os.getpid(), signal.SIGTERM); return p\n"
            "subprocess.Popen = at_work\n"
            "try: processes.run(['sleep', '1000'])\n"
            "except KeyboardInterrupt: print('told')\n"
        )
        result = subprocess.run([sys.executable, "-c", script, str(ROOT / "infra")], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(result.stdout.split()[1:], ["told"], result.stderr)
        self.assertFalse(Path(f"/proc/{result.stdout.split()[0]}").exists())

    def test_sigterm_while_it_builds_ends_the_build_too(self) -> None:
        self.state.mkdir(parents=True)
        cargo = self.state / "cargo"
        cargo.write_text("#!/bin/sh\nsleep 1000 &\necho $! > \"$STATE/new\"\nmv \"$STATE/new\" \"$STATE/child\"\nwait\n")
        cargo.chmod(0o755)
        environment = self.environment(PATH=f"{self.state}:{os.environ['PATH']}")
        process = subprocess.Popen([sys.executable, str(LOCAL), "up"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (self.state / "child").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.terminate()
        self.assertNotEqual(process.wait(timeout=PATIENCE_SECONDS), 0)
        command = Path(f"/proc/{int((self.state / 'child').read_text())}/cmdline")

        def runs() -> bool:
            try:
                return b"sleep" in command.read_bytes()
            except OSError:
                return False

        while runs() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertFalse(runs())


class Replay(unittest.TestCase):
    """Against the stack of all tests."""

    def replayed(self, event: str, **changed: str) -> tuple[int, str]:
        environment = os.environ | {"EVENT": event} | changed
        result = subprocess.run([sys.executable, str(LOCAL), "replay"], env=environment, capture_output=True, text=True, check=False)
        return result.returncode, result.stdout + result.stderr

    def test_every_event_shows_a_success(self) -> None:
        for file in sorted((ROOT / "events").glob("*.json")):
            with self.subTest(file.stem):
                code, said = self.replayed(file.stem)
                if file.stem == "webhook":  # there is none in this stack
                    self.assertEqual((code, said), (1, "replay: webhook is not in this stack: it is there only with a parameter that asks for it (docs/configuration.md).\n"))
                    continue
                self.assertEqual(code, 0, said)
                if status := re.search(r"^\d{3}$", said, re.MULTILINE):
                    self.assertTrue(status[0].startswith("2"), said)
                elif file.stem == "authorizer":
                    self.assertIn('"Effect": "Allow"', said)
                elif file.stem == "authorizer.http":
                    self.assertIn('"isAuthorized": true', said)
                elif file.stem in ("mailer", "events"):
                    self.assertRegex(said, r'"batchItemFailures": \[\]')
                else:
                    self.assertIn("null", said)

    @without_timer()
    def test_what_the_two_without_an_answer_did_is_there_to_see(self) -> None:
        _, said = self.replayed("mail-feedback")
        name = re.search(r"show (\w+)", said)
        shown = make("admin", f"ARGS=show {name[1]}")  # type: ignore[index]
        self.assertIn("bounced", shown.stdout)
        _, said = self.replayed("mailer")
        own = f"{re.search(r' as ([a-z0-9]+):', said)[1]}@example.org"  # type: ignore[index]
        # The verification mail, the link, the notice by the stream, and the notice once more by the event. The first is not waited for by the replay.
        deadline = time.monotonic() + 60
        while self.mails(own) < 4 and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(self.mails(own), 4)

    def mails(self, to: str) -> int:
        with urllib.request.urlopen(os.environ["MAIL_URL"], timeout=60) as answer:
            return sum(to in mail["To"] for each in json.load(answer)["messages"].values() for mail in each)

    def test_an_event_is_named_as_it_comes_to_mind(self) -> None:
        for name in ("login", "login.json", "events/login.json", "./events/login.json", str(ROOT / "events" / "login.json")):
            with self.subTest(name):
                self.assertEqual(self.replayed(name)[0], 0)
        for name, says in [("lgin", "did you mean login?"), ("", "say which event"), ("logn.json", "did you mean login?"), ("`id`", "there is no event")]:
            code, said = self.replayed(name)
            self.assertEqual((code, says in said), (1, True), said)

    def test_a_page_is_cut_short_and_raw_is_not(self) -> None:
        _, said = self.replayed("confirm-reset.page")
        self.assertLess(len(said), 2000)
        self.assertIn("RAW=1", said)
        _, raw = self.replayed("confirm-reset.page", RAW="1")
        self.assertIn("</html>", json.loads(raw)["body"])


assert infra_path
if __name__ == "__main__":
    unittest.main()
