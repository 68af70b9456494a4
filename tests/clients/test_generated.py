"""A client in Python, made of docs/openapi.json by openapi-python-client, is used against the deployed stack."""

import importlib
import json
import subprocess
import sys
import tempfile
import unittest
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
from account import API, FIRST, SECOND, THIRD, mailed_token, new_account

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "doorward_client"


class Generated(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        config = Path(folder.name) / "config.json"
        config.write_text(json.dumps({"post_hooks": []}))  # by default it asks ruff to format what nobody reads here
        command = [
            sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning", "--config", str(config),
            "--path", str(ROOT / "docs" / "openapi.json"), "--output-path", str(Path(folder.name) / PACKAGE),
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        sys.path.insert(0, folder.name)
        cls.addClassCleanup(sys.path.remove, folder.name)
        cls.package = importlib.import_module(PACKAGE)
        cls.models = importlib.import_module(f"{PACKAGE}.models")

    package: Any
    models: Any

    def call(self, operation: str, body: Any = None, token: str | None = None) -> Any:
        """Calls an operation, and returns the model that the answer became."""
        module = importlib.import_module(f"{PACKAGE}.api.default.{operation}")
        with self.package.AuthenticatedClient(base_url=API, token=token, prefix="Token") if token else self.package.Client(base_url=API) as client:
            return module.sync_detailed(client=client, **({"body": body} if body else {})).parsed

    def test_it_registers_logs_in_changes_resets_and_logs_out_with_every_kind_of_body(self) -> None:
        for kind in ("Json", "Data", "Files"):
            with self.subTest(kind):
                self.live(kind)

    def live(self, kind: str) -> None:
        models, (username, email) = self.models, new_account()

        def body(operation: str, **fields: str) -> Any:
            return getattr(models, f"{operation}{kind}Body")(**fields)

        def log_in(password: str) -> Any:
            return self.call("login", body("Login", username=username, password=password))

        registered = self.call("register", body("Register", username=username, email=email, password=FIRST))
        self.assertEqual(registered, models.Registered(username=username, email=email))
        taken = self.call("register", body("Register", username=username, email=email, password=FIRST))
        self.assertEqual((type(taken), taken.username), (models.RegisterErrors, ["A user with that username already exists."]))
        first = log_in(FIRST)
        self.assertIsInstance(first, models.LoggedIn)
        self.assertGreater(first.expires_at, datetime.now(timezone.utc))
        self.assertIsInstance(log_in(SECOND), models.InvalidCredentials)
        changed = self.call("change_password", body("ChangePassword", old_password=FIRST, new_password=SECOND), first.token)
        self.assertIsInstance(changed, models.Changed)

        self.assertIsInstance(self.call("password_reset", body("PasswordReset", email=email)), models.Ok)
        token = mailed_token(email)
        self.assertIsInstance(self.call("validate_token", body("ValidateToken", token=token)), models.Ok)
        weak = self.call("confirm_reset", body("ConfirmReset", token=token, password="password"))
        self.assertEqual((type(weak), weak.password), (models.ConfirmErrors, ["This password is too common."]))
        self.assertIsInstance(self.call("confirm_reset", body("ConfirmReset", token=token, password=THIRD)), models.Ok)
        self.assertIsInstance(self.call("confirm_reset", body("ConfirmReset", token=token, password=THIRD)), models.InvalidLink)

        self.assertIsInstance(self.call("logout", token=first.token), models.Unauthenticated)
        self.assertIsInstance(self.call("logout_all", token=log_in(THIRD).token), models.LoggedOut)

    def test_it_lists_sessions_and_ends_another_one_with_the_password(self) -> None:
        models, (username, email) = self.models, new_account()
        self.call("register", models.RegisterJsonBody(username=username, email=email, password=FIRST))
        mine, other = (self.call("login", models.LoginJsonBody(username=username, password=FIRST)).token for _ in range(2))
        seen = self.call("list_sessions", token=mine)
        self.assertEqual(sorted(session.is_current for session in seen), [False, True])
        others = [session.id for session in seen if not session.is_current]
        wrong = self.call("end_sessions", models.EndSessionsBody(sessions=others, current_password=SECOND), mine)
        self.assertEqual((type(wrong), wrong.current_password), (models.SessionsErrors, ["Invalid password."]))
        left = self.call("end_sessions", models.EndSessionsBody(sessions=others, current_password=FIRST), mine)
        self.assertEqual([session.is_current for session in left], [True])
        self.assertIsInstance(self.call("list_sessions", token=other), models.Unauthenticated)

    def test_every_refusal_of_a_body_becomes_the_model_that_describes_it(self) -> None:
        parse = importlib.import_module(f"{PACKAGE}.api.default.login")._parse_response
        for answer, model in [
            ({"detail": "JSON parse error - malformed JSON: line 1 column 3"}, "Detail"),
            ({"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}, "NoObject"),
            ({"password": ["This field is required."]}, "LoginErrors"),
        ]:
            self.assertIsInstance(parse(client=self.package.Client(base_url=API), response=httpx.Response(400, json=answer)), getattr(self.models, model))


if __name__ == "__main__":
    unittest.main()
