"""Events of a deployed stack: from the operation by bus and queue to a receiver that is killed and comes back, as OPERATIONS.md describes."""

import base64
import os
import secrets
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import infra_path
from infra_path import ROOT

from processes import free_port


def secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


class Events(unittest.TestCase):
    def test_every_event_reaches_a_receiver_that_was_away_with_a_signature_that_the_published_library_verifies(self) -> None:
        port = free_port()
        # The receiver knows the new one already.
        old, new = secret(), secret()
        given = f"Events=all WebhookUrl=http://127.0.0.1:{port}/events WebhookPrivate=yes WebhookSecret={old},{new}"
        with tempfile.TemporaryDirectory() as folder:
            inside = [sys.executable, str(Path(__file__).with_name("events_by_webhook.py")), str(port), new, folder]
            variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_") and name not in ("STATE", "PORT", "ARGS", "STACK")}
            command = [sys.executable, str(ROOT / "infra" / "local"), "with_stack", *inside]
            result = subprocess.run(command, cwd=ROOT, env=variables | {"PARAMS": given, "AUTH": "true"}, capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stdout[-8000:] + result.stderr[-4000:])


assert infra_path
if __name__ == "__main__":
    unittest.main()
