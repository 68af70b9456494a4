"""Moving in from a Django site and out again, with Django's own code on the other side: `examples/from-django`, and the fixture of `export`."""

import json
import re
import subprocess
import tempfile
import unittest
import uuid
from pathlib import Path
from typing import Any

from infra_path import ROOT, environment, make
from test_life import PASSWORD, client, post

PYTHON = ROOT / ".tools" / "django" / "bin" / "python"
MOVE = ROOT / "examples" / "from-django" / "move"
CONTRACT = ROOT / "tests" / "api"
# Hashes that Django has made, and what its hashers can verify of what others made.
HASHES = ["contract/hashes.jsonl", "contract-extra/bcrypt.jsonl", "contract-extra/phc.jsonl"]
FAMILIES = ("argon2$", "bcrypt$", "bcrypt_sha256$", "pbkdf2_sha256$", "pbkdf2_sha1$", "scrypt$")

SITE = """
import os, sys
from pathlib import Path
SECRET_KEY = "of a test"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "rest_framework.authtoken"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(__file__).with_name("db.sqlite3")}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers." + name for name in (
    "PBKDF2PasswordHasher", "PBKDF2SHA1PasswordHasher", "Argon2PasswordHasher", "BCryptPasswordHasher", "BCryptSHA256PasswordHasher", "ScryptPasswordHasher")]
if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "manage"
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
"""

# Accounts with these hashes, as a site has them: with names and rights that are the site's own.
ADD = """
import json, sys
from django.contrib.auth.models import User
User.objects.bulk_create(User(pk=u["pk"], username=u["username"], email=u["email"], password=u["password"], first_name="Own", is_staff=True,
    date_joined="2019-03-04T05:06:07.890Z") for u in json.load(open("users.json")))
"""

# The users log in to the site, which makes a token for each as Django REST Framework does.
LOG_IN = """
import json
from django.contrib.auth.models import User
from rest_framework.authtoken.models import Token
print(json.dumps({user.username: Token.objects.create(user=user).key for user in User.objects.order_by("pk")}))
"""

# The usernames whose password Django's own code does not accept, or some that accept another one. Nothing is stored.
CHECK = """
import json
from django.contrib.auth.hashers import check_password
from django.contrib.auth.models import User
found = []
for number, (username, password) in enumerate(json.load(open("passwords.json")).items()):
    encoded = User.objects.get(username=username).password
    try:
        if not check_password(password, encoded) or (number % 8 == 0 and check_password("another password", encoded)):
            found.append([username, encoded[:24]])
    except ValueError as error:
        found.append([username, encoded, str(error)])
print(json.dumps(found))
"""


class Site:
    """A Django site with an SQLite database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "manage.py").write_text(SITE)
        self.manage("migrate", "--verbosity", "0")

    def manage(self, *arguments: str) -> str:
        result = subprocess.run([PYTHON, "manage.py", *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def shell(self, script: str) -> str:
        return self.manage("shell", "--verbosity", "0", "--command", script)

    def move(self, what: str, **variables: str) -> tuple[int, str]:
        """Runs the script of the example."""
        variables = environment(PYTHON=str(PYTHON), DOORWARD=str(ROOT), **variables)
        result = subprocess.run([MOVE, what], cwd=self.folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return result.returncode, result.stdout

    def refused(self, passwords: dict[str, str]) -> list[list[str]]:
        (self.folder / "passwords.json").write_text(json.dumps(passwords))
        return json.loads(self.shell(CHECK))


def users(prefix: str) -> list[dict[str, Any]]:
    """An account for every recorded hash in a form of Django."""
    lines = [json.loads(line) for name in HASHES for line in (CONTRACT / name).read_text().splitlines()]
    # bcrypt 5.0, on which Django stands now, refuses longer passwords.
    known = [line for line in lines if line["encoded"].startswith(FAMILIES) and not (line["encoded"].startswith("bcrypt$") and len(line["password"].encode()) > 72)]
    first = uuid.uuid4().int % 10**9 + 10**6
    return [
        {"pk": first + number, "username": f"{prefix}{number}", "email": f"{prefix}{number}@example.com", "password": line["encoded"], "is": line["password"]}
        for number, line in enumerate(known)
    ]


def admin(line: str) -> str:
    result = make("admin", f"ARGS={line}")
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


class Django(unittest.TestCase):
    maxDiff = None

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = Path(directory.name)
        self.prefix = f"dj{uuid.uuid4().hex[:8]}-"

    def fixture(self, name: str) -> list[str]:
        """An export of the accounts of this test, an entry a line. Other tests have accounts on the same stack."""
        path = self.folder / name
        admin(f"export '{path}' --format django --with-hashes")
        return [line.rstrip(",") for line in path.read_text().splitlines() if f'"username":"{self.prefix}' in line]

    def test_a_site_moves_in_its_users_log_in_and_everybody_moves_back(self) -> None:
        site, accounts = Site(self.folder / "site"), users(self.prefix)
        self.addCleanup(self.delete, [*(account["username"] for account in accounts), *(f"{self.prefix}{name}" for name in ("new", "late", "clash"))])
        families = {family for account in accounts for family in FAMILIES if account["password"].startswith(family)}
        self.assertEqual(families, set(FAMILIES))
        (site.folder / "users.json").write_text(json.dumps(accounts))
        site.shell(ADD)
        code, said = site.move("check")
        self.assertEqual(code, 0, said)
        self.assertIn(f"{len(accounts)} accounts: {len(accounts)} would be imported, 0 already there, 0 refused.", said)
        self.assertIn("Left behind, as accounts have no place for them: first_name, groups, is_staff, is_superuser, last_login, last_name, user_permissions.", said)
        code, said = site.move("in")
        self.assertEqual(code, 0, said)
        self.assertIn(f"{len(accounts)} imported", said)
        self.assertEqual((site.folder / "accounts.json").stat().st_mode & 0o777, 0o600)
        passwords = {account["username"]: account["is"] for account in accounts}
        # One of each family logs in, and has our own hash from then on. The others stay as they came.
        for family in FAMILIES:
            account = next(account for account in accounts if account["password"].startswith(family))
            self.assertEqual(post("/api/login/", username=account["username"], password=account["is"])[0], 200, family)
        # One of them changes the password, and one account is made here.
        changed = accounts[0]["username"]
        session = post("/api/login/", username=changed, password=accounts[0]["is"])[1]["token"]
        self.assertEqual(post("/api/change_password/", session, old_password=accounts[0]["is"], new_password="Battery-Staple-77")[0], 200)
        passwords[changed] = "Battery-Staple-77"
        new = f"{self.prefix}new"
        self.assertEqual(post("/api/register/", username=new, email=f"{new}@example.com", password=PASSWORD)[0], 201)
        passwords[new] = PASSWORD

        with self.subTest("out to an empty site, and in again as the same file"):
            self.there_and_back(accounts, passwords, new)
        with self.subTest("back to the site"):
            late, clash = f"{self.prefix}late", f"{self.prefix}clash"
            for name in (late, clash):
                self.assertEqual(post("/api/register/", username=name, email=f"{name}@example.com", password=PASSWORD)[0], 201)
            passwords |= {late: PASSWORD}
            # Somebody else on the site has the name of one of them.
            site.shell(f"from django.contrib.auth.models import User; User.objects.create_user({clash!r}, 'another@example.com', 'Another-Horse-42', pk=1)")
            for repeated in (False, True):
                code, said = site.move("back")
                self.assertEqual(code, 0, said)
                self.assertIn(f"Left as they are, because the site has other users of these names: {clash}\n", said)
                counts = re.search(r"(?m)^(\d+) users updated, (\d+) added\.$", said)
                assert counts, said
                # Other tests have accounts on this stack, too, which have no primary key here.
                self.assertGreaterEqual(int(counts[1]), len(accounts) + (2 if repeated else 0))
                self.assertTrue(repeated or int(counts[2]) >= 2, said)
                (site.folder / "back.json").unlink()
            self.assertEqual(site.refused(passwords | {clash: "Another-Horse-42"}), [])
            kept = f"from django.contrib.auth.models import User; print(User.objects.filter(username__startswith={self.prefix!r}, is_staff=True, first_name='Own').count())"
            self.assertEqual(int(site.shell(kept)), len(accounts))

    def test_who_is_logged_in_to_the_site_stays_so_and_old_hashes_are_layered_on_the_way(self) -> None:
        site = Site(self.folder / "site")
        accounts = [account for account in users(self.prefix) if account["password"].startswith(("pbkdf2_sha256$", "bcrypt_sha256$", "scrypt$"))][:12]
        names = [account["username"] for account in accounts]
        self.addCleanup(self.delete, names)
        (site.folder / "users.json").write_text(json.dumps(accounts))
        site.shell(ADD)
        keys: dict[str, str] = json.loads(site.shell(LOG_IN))
        code, said = site.move("check", TOKENS="1", LAYERED="1")
        self.assertEqual(code, 0, said)
        self.assertIn(f"{len(names)} hashes would get Argon2id over them: about ", said)
        self.assertIn(f"{len(names)} tokens: {len(names)} would be imported, 0 imported before, 0 refused.", said)
        code, said = site.move("in", TOKENS="1", LAYERED="1")
        self.assertEqual(code, 0, said)
        self.assertIn(f"{len(names)} tokens: {len(names)} imported, 0 imported before, 0 refused.", said)
        self.assertEqual((site.folder / "tokens.json").stat().st_mode & 0o777, 0o600)
        for key in keys.values():
            self.assertNotIn(key, said)
        # The front-end goes on with the token that it has, through every function that checks sessions.
        for account in accounts:
            status, me = post("/api/users/me/", keys[account["username"]], method="GET")
            self.assertEqual((status, me["username"], me["external_id"]), (200, account["username"], str(account["pk"])))
        one, other, third = (keys[name] for name in names[:3])
        answer = client("lambda").invoke(FunctionName="doorward-authorizer", Payload=json.dumps({"type": "REQUEST", "version": "2.0", "headers": {"authorization": f"Token {one}"}}))
        self.assertTrue(json.load(answer["Payload"])["isAuthorized"])
        self.assertEqual(len(post("/api/sessions/", one, method="GET")[1]), 1)
        renamed = {"new_username": f"{names[2]}-now", "current_password": accounts[2]["is"]}
        self.assertEqual(post("/api/users/set_username/", third, **renamed)[0], 204)
        self.addCleanup(self.delete, [renamed["new_username"]])
        self.assertEqual(post("/api/change_password/", other, old_password=accounts[1]["is"], new_password="Battery-Staple-77")[0], 200)
        self.assertEqual(post("/api/logout/", one)[0], 200)
        self.assertEqual([post("/api/users/me/", key, method="GET")[0] for key in (one, other, third)], [401, 200, 200])
        # Who logs in takes the layer off. Another run brings no ended session back.
        self.assertEqual(post("/api/login/", username=names[0], password=accounts[0]["is"])[0], 200)
        code, said = site.move("in", TOKENS="1", LAYERED="1")
        self.assertIn("0 hashes got Argon2id over them.", said)
        self.assertIn(f" {len(names) - 1} imported before, ", said)
        self.assertEqual(post("/api/users/me/", one, method="GET")[0], 401)

    def delete(self, names: list[str]) -> None:
        file = self.folder / "names"
        file.write_text("\n".join(names))
        make("admin", f"ARGS=delete --file '{file}' --yes")

    def there_and_back(self, accounts: list[dict[str, Any]], passwords: dict[str, str], new: str) -> None:
        first = self.fixture("first.json")
        self.assertEqual(len(first), len(accounts) + 1)
        (self.folder / "own.json").write_text("[" + ",".join(first) + "]")
        other = Site(self.folder / "other")
        self.assertIn(f"Installed {len(first)} object(s)", other.manage("loaddata", str(self.folder / "own.json")))
        self.assertEqual(other.refused(passwords), [])
        dumped = self.folder / "dumped.json"
        other.manage("dumpdata", "auth.user", "--output", str(dumped))
        self.delete(list(passwords))
        self.assertIn(f"{len(first)} accounts: {len(first)} imported, 0 already there, 0 refused.", admin(f"import '{dumped}'"))
        # The account that was made here had no primary key, and has the one that Django gave it.
        again = [re.sub(r'"pk":\d+', '"pk":null', line) if f'"{new}"' in line else line for line in self.fixture("second.json")]
        self.assertEqual(again, first)


if __name__ == "__main__":
    unittest.main()
