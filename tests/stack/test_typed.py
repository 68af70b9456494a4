"""Arguments reach programs unchanged. No shell, make or build interprets them."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

import infra_path
from infra_path import LOCAL, OPERATE, ROOT, environment, make
from test_life import post

import cargo
from stack import Failure  # type: ignore[attr-defined]
from typed import nearest, pairs, wait_until_taken, words

# Each would leave a file behind if anybody but the program looked at it, or end a recipe's quotes.
HOSTILE = ["`touch$IFS{0}`", "$(touch {0})", "$(shell touch {0})", "$$(touch {0})", "a;touch {0}", "a|touch {0}", "a&touch {0}", "x' ; touch {0} '", 'x" ; touch {0} "', "a\ntouch {0}", "$(eval x:;touch {0})"]
MARK = "canary"
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^([a-z-]+):.*(?:##|#\+) ", MAKEFILE, re.MULTILINE)
TYPED = re.search(r"^typed := (.*)$", MAKEFILE, re.MULTILINE)[1].split()  # type: ignore[index]
# Settings of developers for tools of this checkout, such as paths and numbers. They never contain text of strangers.
OF_THE_DEVELOPER = {"ACCEPT", "ARCH", "CHROMIUM", "CXX", "NODE", "PYTHON", "RUNS", "TIMES"}


class Typed(unittest.TestCase):
    def test_arguments_are_parted_by_blanks_and_quotes_count_only_around_a_whole_one(self) -> None:
        for line, parts in [
            ("show ada", ["show", "ada"]),
            ("show o'neil@example.org", ["show", "o'neil@example.org"]),
            ("show `touch$IFS/tmp/x`@v.example", ["show", "`touch$IFS/tmp/x`@v.example"]),
            ("show a|id|b@example.org $(id) ; & \\", ["show", "a|id|b@example.org", "$(id)", ";", "&", "\\"]),
            ("import '/a folder/accounts.jsonl' --dry-run", ["import", "/a folder/accounts.jsonl", "--dry-run"]),
            ('show "o\'neil@example.org"', ["show", "o'neil@example.org"]),
            ("create ada\n ada@example.org", ["create", "ada", "ada@example.org"]),
            ("delete '' --yes", ["delete", "", "--yes"]),
            ("", []),
        ]:
            with self.subTest(line):
                self.assertEqual(words(line), parts)

    def test_parameters_with_blanks_stand_in_quotes_and_an_open_one_is_told(self) -> None:
        self.assertEqual(pairs("ProductName='Acme Cloud' ProductColor=#b3261e"), ["ProductName=Acme Cloud", "ProductColor=#b3261e"])
        with self.assertRaisesRegex(Failure, "PARAMS cannot be read"):
            pairs("ProductName='Acme")

    def test_the_nearest_known_name_is_said_and_none_where_none_is_near(self) -> None:
        self.assertEqual(nearest("regstration", ["Registration", "Sender"]), "; did you mean Registration?")
        self.assertEqual(nearest("xyz", ["Registration", "Sender"]), "")


class Recipes(unittest.TestCase):
    def test_no_recipe_holds_what_somebody_typed(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            for text in HOSTILE:
                given = [f"{name}={text.format(f'{directory}/{name}')}{MARK}" for name in TYPED]
                with self.subTest(text):
                    printed = make("-n", "-k", *TARGETS, *given).stdout
                    self.assertGreater(len(printed.splitlines()), len(TARGETS), "the recipes are printed")
                    self.assertEqual([line for line in printed.splitlines() if MARK in line], [])
            self.assertEqual(os.listdir(directory), [], "make itself ran something")

    def test_every_variable_that_a_recipe_reads_is_kept_from_make_or_is_a_developers_own(self) -> None:
        overridable = set(re.findall(r"^([A-Z_]+) \?=", MAKEFILE, re.MULTILINE))
        self.assertEqual(overridable - OF_THE_DEVELOPER, set())

    def test_a_command_that_is_unknown_is_named_with_the_nearest_one(self) -> None:
        for outer in ({}, {"goals": "test"}):  # in a terminal, and where another make runs this one
            with self.subTest(outer=outer):
                result = make("lgos", **outer)
                self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
                self.assertEqual(result.stderr.splitlines(), ["make: there is no command lgos; did you mean logs? `make help` lists them."])

    def test_make_has_the_signal_before_the_program_that_sends_it_ends(self) -> None:
        # A make that learns of both at once says "wait: No child processes" and ends with 2. Here it is stopped, as on a busy machine.
        process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        process.send_signal(signal.SIGUSR1)
        waiting = threading.Thread(target=wait_until_taken, args=(process.pid, signal.SIGUSR1))
        waiting.start()
        waiting.join(0.1)
        self.assertTrue(waiting.is_alive())
        process.send_signal(signal.SIGCONT)
        waiting.join(60)
        self.assertFalse(waiting.is_alive())

    def test_a_refusal_is_one_sentence_and_not_zero(self) -> None:
        for target, given, says in [
            ("replay", "EVENT=lgin", "replay: there is no event lgin; did you mean login?"),
            ("admin", "ARGS=show nobody-at-all", "admin: no account has this username, e-mail address or id"),
            ("set", "PARAMS=Regstration=open", "wrong The stack has no parameter Regstration; did you mean Registration?"),
            ("up", "PARAM=ProductName=x", "up: no command reads PARAM; did you mean PARAMS?"),
            ("doctor", "STAK=name", "doctor: no command reads STAK; did you mean STACK?"),
            ("deploy", "params=Sender=a", "deploy: no command reads params; did you mean PARAMS?"),
            ("up", "PARAMS=ProductNam=x", "up: PARAMS: the template has no parameter ProductNam; did you mean ProductName?"),
            ("build", "ARCH=aarch64", "build: ARCH=aarch64 is none of x86_64 and arm64."),
            ("test", "CHROMIUM=/nowhere", f"CHROMIUM does not say where a browser is, and none is brought for {os.uname().machine} (on Debian: apt-get install chromium)."),
        ]:
            with self.subTest(target):
                result = make(target, given)
                self.assertEqual((result.stdout + result.stderr).strip(), says)
                self.assertNotEqual(result.returncode, 0)

    def test_where_make_cannot_be_told_quietly_it_is_told(self) -> None:
        # A shell's background jobs ignore SIGQUIT, and so does a make that it starts.
        for command, says in [("replay EVENT=lgin", "did you mean login?"), ("build ARCH=aarch64", "is none of x86_64 and arm64")]:
            with self.subTest(command):
                script = f"trap '' QUIT; make -C {ROOT} --no-print-directory {command}"
                result = subprocess.run(["bash", "-c", script], env=environment(), capture_output=True, text=True, check=False)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn(says, result.stderr)

    def test_what_runs_before_any_tool_is_installed_needs_nothing_but_python(self) -> None:
        scripts = {script for file in ("Makefile", "infra/tools.mk") for script in re.findall(r"\$\(PYTHON\) (\S+\.py)", (ROOT / file).read_text())}
        self.assertGreaterEqual(scripts, {"infra/cargo.py", "infra/unknown.py"})
        for script in scripts:
            with self.subTest(script):
                imports = f"import sys; sys.path.insert(0, {str((ROOT / script).parent)!r}); import {Path(script).stem}"
                # -S: without the packages that somebody has installed.
                result = subprocess.run([sys.executable, "-S", "-c", imports], env=environment(), capture_output=True, text=True, check=False)
                self.assertEqual((result.returncode, result.stderr), (0, ""))


class Operator(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cargo.built("doorward-admin")  # a build is shown where it happens, and tests compare all that is shown

    def test_an_address_that_is_a_command_to_a_shell_is_only_an_address(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            mark = f"{directory}/ran"
            name = f"typed{os.urandom(6).hex()}"
            for number, local in enumerate([f"`touch$IFS{mark}`", f"a|touch${{IFS}}{mark}|b", f"$$(touch{{{mark}}})", "o'neil", "x&y", "!!"]):
                # The contract's characters of a local part, so that anybody can register it (RFC 5322, atext).
                address = f"{local.replace('(', '{').replace(')', '}').replace(',', '')}{number}@{name}.example"
                status, answer = post("/api/register/", username=f"{name}{number}", email=address, password="Correct-Horse-42")
                with self.subTest(address):
                    self.assertEqual(status, 201, answer)
                    shown = make("admin", f"ARGS=show {address}")
                    self.assertEqual((shown.returncode, shown.stderr), (0, ""))
                    self.assertIn(address, shown.stdout)
            self.assertEqual(os.listdir(directory), [])

    def test_a_build_sees_no_credentials_and_nothing_of_what_was_typed(self) -> None:
        secret = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_SESSION_TOKEN": "t0ken", "AWS_PROFILE": "operator", "ARGS": "show ada@example.org"}
        for program, command in [(OPERATE, "admin"), (OPERATE, "probe"), (LOCAL, "up"), (LOCAL, "calibrate"), (ROOT / "infra" / "store.py", "unit")]:
            with self.subTest(command), tempfile.TemporaryDirectory() as directory:
                seen = Path(directory) / "seen"
                cargo = Path(directory) / "cargo"
                cargo.write_text(f"#!/bin/sh\nenv > {seen}\nexit 1\n")
                cargo.chmod(0o755)
                state = {"STATE": directory} if command == "up" else {}
                typed = {"BUILT": "", "PATH": f"{directory}:{os.environ['PATH']}", "URL": "http://127.0.0.1:1", "STORE": "http://127.0.0.1:1", "PORT": "4579"}
                result = subprocess.run([sys.executable, str(program), command], env=environment(**secret, **state, **typed), capture_output=True, text=True, check=False)
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertTrue(seen.exists(), result.stderr)
                self.assertEqual([line for line in seen.read_text().splitlines() if line.startswith(("AWS_", "ARGS=")) or "s3cret" in line], [])


assert infra_path
if __name__ == "__main__":
    unittest.main()
