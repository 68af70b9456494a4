"""`cargo lambda watch` and `cargo lambda invoke` as their users know them, beside the stack that is up: same tables, same mail."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import infra_path
from infra_path import ROOT
from test_life import client, register

PATIENCE_SECONDS = 600  # the first request compiles
WATCH = json.loads(subprocess.run(["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=ROOT, capture_output=True, check=True).stdout)["metadata"]["lambda"]["watch"]


def environment() -> dict[str, str]:
    return os.environ | {"PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}"}


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
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        cls.port = str(port)
        cls.url = f"http://127.0.0.1:{port}"
        command = ["cargo", "lambda", "watch", "--invoke-port", cls.port, "--env-file", f"{os.environ['STATE']}/functions.env"]
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
        command = ["cargo", "lambda", "invoke", "login", "--data-file", "events/login.json", "--invoke-port", self.port]
        result = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        # The account of the event does not exist here, so this shows that the function looked for it.
        self.assertEqual((json.loads(result.stdout)["statusCode"], json.loads(json.loads(result.stdout)["body"])), (401, {"error": "Invalid credentials"}))

    def test_every_route_of_the_template_is_routed_to_its_function_and_no_other(self) -> None:
        self.assertEqual(WATCH["router"], routes())

    def test_it_finds_what_make_up_writes(self) -> None:
        self.assertEqual(WATCH["env_file"], ".local/functions.env")
        written = (Path(os.environ["STATE"]) / "functions.env").read_text()
        for name in ("ACCOUNTS_TABLE", "OUTBOX_TABLE", "AWS_ENDPOINT_URL", "AWS_REGION", "SENDER"):
            self.assertRegex(written, rf"(?m)^{name}=\S")


assert infra_path
if __name__ == "__main__":
    unittest.main()
