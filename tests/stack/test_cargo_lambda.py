"""`cargo lambda watch` and `cargo lambda invoke` as README has them, beside the stack that is up: same tables, same mail."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import unittest
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import infra_path
from documents import inline
from infra_path import ROOT, environment
from test_life import client, login, register

from processes import free_port

PATIENCE_SECONDS = 600  # the first request may compile
README = [command.text for command in inline(ROOT / "README.md")]
# The programs of the tools, as README puts them on the PATH.
[ON_THE_PATH] = [text for text in README if text.startswith("PATH=")]
WATCH = json.loads(subprocess.run(["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=ROOT, capture_output=True, check=True).stdout)["metadata"]["lambda"]["watch"]


def documented(beginning: str, *more: str) -> list[str]:
    """README's command with this beginning, in a shell that it has prepared. `more` is what only a test needs: a port that is free, a stack that is not `.local`."""
    [text] = [text for text in README if text.startswith(beginning)]
    return ["bash", "-c", f'{ON_THE_PATH}; exec {text} "$@"', "bash", *more]


def routes() -> dict[str, str]:
    """The program of every path of the deployed API, with and without a slash at its end."""
    cloudformation = client("cloudformation")
    paths = cloudformation.get_template(StackName="doorward", TemplateStage="Processed")["TemplateBody"]["Resources"]["Api"]["Properties"]["Body"]["paths"]
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName="doorward")
    functions = [r for page in pages for r in page["StackResourceSummaries"] if r["ResourceType"] == "AWS::Lambda::Function"]
    found = {}
    for path, methods in paths.items():
        # A route whose function has a condition is under that condition.
        integrations = json.dumps(methods, default=dict)
        programs = {f["PhysicalResourceId"].removeprefix("doorward-") for f in functions if f"{{{f['LogicalResourceId']}.Arn}}" in integrations}
        [program] = programs
        found |= {path.rstrip("/"): program, f"{path.rstrip('/')}/": program}
    return found


class CargoLambda(unittest.TestCase):
    url: str

    @classmethod
    def setUpClass(cls) -> None:
        port = free_port()
        cls.port = str(port)
        cls.url = f"http://127.0.0.1:{port}"
        command = documented("cargo lambda watch", "--invoke-port", cls.port, "--env-file", f"{os.environ['STATE']}/functions.env")
        cls.log = Path(os.environ["STATE"]) / "watch.log"
        with cls.log.open("w") as log:
            cls.watch = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        cls.addClassCleanup(cls.end)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError(cls.log.read_text())

    @classmethod
    def end(cls) -> None:
        os.killpg(cls.watch.pid, signal.SIGTERM)
        try:
            cls.watch.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(cls.watch.pid, signal.SIGKILL)

    def asked(self, url: str, path: str, session: str) -> tuple[int, list[str]]:
        """The status of an answer and the names in it, which tell the functions apart. Nothing is changed: every form lacks its fields."""
        headers = {"Content-Type": "application/json"} | ({} if "logout" in path else {"Authorization": f"Token {session}"})
        is_read = path.strip("/").removeprefix("api/") in ("sessions", "users/me", "users/me/export")
        request = urllib.request.Request(url + path, None if is_read else b"{}", headers, method="GET" if is_read else "POST")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                return answer.status, sorted(json.loads(answer.read() or "{}"))
        except urllib.error.HTTPError as error:
            return error.code, sorted(json.loads(error.read() or "{}"))

    def post(self, path: str, **body: str) -> tuple[int, Any]:
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def test_a_route_of_the_api_reaches_its_function_on_the_tables_of_the_stack(self) -> None:
        name = register()  # by the stack's own API
        for path in ("/api/login/", "/api/login"):
            status, answer = self.post(path, username=name, password="Correct-Horse-42")
            self.assertEqual(status, 200, f"{answer}\n{self.log.read_text()[-2000:]}")
            self.assertTrue(answer["token"].startswith("dws_"))

    def test_invoke_answers_with_an_event(self) -> None:
        command = documented("cargo lambda invoke", "--invoke-port", self.port)
        result = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        # The account of the event does not exist here, so this shows that the function looked for it.
        self.assertEqual((json.loads(result.stdout)["statusCode"], json.loads(json.loads(result.stdout)["body"])), (401, {"error": "Invalid credentials"}))

    def test_every_route_of_the_template_is_routed_to_its_function_and_no_other(self) -> None:
        self.assertEqual(WATCH["router"], routes())

    def test_every_route_is_answered_by_its_function_as_by_the_stack(self) -> None:
        session = login(register())["token"]
        router: dict[str, str] = WATCH["router"]
        with ThreadPoolExecutor(4) as several:  # each function starts at its first request, by cargo
            answers = dict(zip(router, several.map(lambda path: self.asked(self.url, path, session), router), strict=True))
            wanted = dict(zip(router, several.map(lambda path: self.asked(os.environ["API_URL"], path, session), router), strict=True))
        self.assertEqual(answers, wanted, self.log.read_text()[-2000:])
        self.assertGreater(len({str(answer) for answer in answers.values()}), 5, "they tell functions apart")
        started = set(re.findall(r"spawning function instance function=\W*([a-z-]+)", re.sub(r"\x1b\[[\d;]*m", "", self.log.read_text())))
        self.assertEqual(started, set(router.values()))

    def test_it_finds_what_make_up_writes(self) -> None:
        self.assertEqual(WATCH["env_file"], ".local/functions.env")
        written = (Path(os.environ["STATE"]) / "functions.env").read_text()
        for name in ("ACCOUNTS_TABLE", "OUTBOX_TABLE", "AWS_ENDPOINT_URL", "AWS_REGION", "SENDER"):
            self.assertRegex(written, rf"(?m)^{name}=\S")


assert infra_path
if __name__ == "__main__":
    unittest.main()
