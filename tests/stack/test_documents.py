"""Every command in README, OPERATIONS and CONTRIBUTING is run, as it stands there, and prints what stands below it.

Those for AWS run against the emulator with the same words. Those that build or change the checkout run in a copy of it (in_a_copy.py). What another
test runs is in a table with its reason and the words of that test. Like the commands of the other documents all are also read: targets, variables,
parameters, programs and their options have to exist.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import boto3
import botocore.session

import infra_path
import in_a_copy
from documents import OPEN, Command, blocks, inline, is_command, printed, rows
from in_a_copy import RUN, InACopy, missing
from infra_path import OF_MAKE, OPERATE, ROOT, make
from test_life import client

import cargo

READ = ["ARCHITECTURE.md", "SECURITY.md", "CHANGELOG.md", "infra/README.md", *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").glob("*.md")))]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
VARIABLES = set(re.search(r"^typed := (.*)$", MAKEFILE, re.MULTILINE)[1].split()) | set(re.findall(r"^([A-Z_]+) \?=", MAKEFILE, re.MULTILINE)) | {"AUTH", "NODE", "CXX"}  # type: ignore[index]

# Names that stand for the reader's own.
STANDS_FOR = {"STACK=name": "STACK=doorward"}
# Waits for the first line of what goes on, and ends it.
FOLLOWED = f"""exec 3< <(exec timeout 60 make -C '{ROOT}' --no-print-directory events FOLLOW=1); follower=$!; read -r -u 3 line; kill $follower; [ -n "$line" ]"""
# Commands that run in another form: the reason, and what runs.
CHANGED: list[tuple[str, str, str]] = [
    (r"make release-notes \|", "a tag changes the checkout", "make release-notes >notes"),
    (r"make events FOLLOW=1", "it goes on until it is stopped", FOLLOWED),
    (r"make calibrate\b", "a release build takes minutes", "make calibrate QUICK=1"),
    (r"make probe\b", "150 samples take minutes, and fewer decide nothing", 'make probe ARGS="--samples 10" | grep "samples of each"'),
    (r"python manage\.py", "there is no Django site here; test_django.py has one",
     """printf '{"username": "moved", "email": "moved@example.org", "password": "!", "is_active": true}\\n' > accounts.json"""),
]
# Commands that another test runs: the reason, the test, and its words for the command.
ELSEWHERE: list[tuple[str, str, str, str]] = [
    (rf"{in_a_copy.RECIPES.pattern}", "it builds or tests for minutes, or would end this stack: its recipe runs in a copy", "in_a_copy.py", "RECIPES.match("),
    (rf"make (?:{'|'.join(in_a_copy.LIFE)})\b", "it changes the checkout: it runs in a copy", "in_a_copy.py", '"|".join(LIFE)'),
    (r"cargo lambda (watch|invoke)\b", "one waits for the other", "test_cargo_lambda.py", '"cargo lambda'),
    (r"cargo test --workspace --test", "these tests run beside this one; that it selects some is looked up", "test_documents.py", "def check_cargo"),
    (r"\./deploy\b", "it is a file of a release", "test_release.py", '"./deploy"'),
    (r"tar xf|cd doorward-", "not every machine has a tar, so Python unpacks", "test_release.py", ".extractall("),
    (r"aws ", "the program is the reader's own; services, operations and options are looked up", "test_documents.py", "def check_aws"),
    (r"git ", "the program is the reader's own, and it changes the checkout", "test_deploy.py", "cls.git("),
]


MENTION = re.compile(r"(make|cargo|aws|sam|git) [a-z-]+")


def instead(command: Command) -> tuple[str, str] | None:
    """Why a command is not run as it stands, and what is run in its place."""
    if command.is_open:
        return "a part of it is left to the reader", ""
    changed = [(reason, run) for pattern, reason, run in CHANGED if re.match(pattern, command.text)]
    elsewhere = [(reason, "") for pattern, reason, *_ in ELSEWHERE if re.match(pattern, command.text)]
    return next(iter(changed + elsewhere), None)


# The programs that the examples need in addition to the requirements in README. CI has them (.ci/run).
MISSING = [program for program in ("curl", "grep", "awk") if not shutil.which(program)]


class Documents(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = Path(directory.name)
        (self.folder / ".local").symlink_to(os.environ["STATE"])
        for name in (".tools", "events", "infra"):
            (self.folder / name).symlink_to(ROOT / name)

    @unittest.skipIf(MISSING, f"the examples type {', '.join(MISSING)}, which this machine does not have")
    def test_every_command_runs_and_prints_what_the_document_says(self) -> None:
        before = self.parameters()
        make("admin", "ARGS=delete ada --yes")  # of the last time, where the stack is not a fresh one
        for name in RUN:
            path = ROOT / name
            shown = blocks(path)
            # Each once. A name alone, `make admin`, is a mention.
            alone = {command.text: [command] for command in inline(path) if not MENTION.fullmatch(command.text)}
            for block in [*shown, *alone.values()]:
                with self.subTest(f"{name}:{block[0].line}"):
                    self.run_block(block)
                self.put_back(before)

    def run_block(self, block: list[Command]) -> None:
        """One shell for a block, as a reader has; what stands for itself only is left out."""
        # The documents are read at the top of a checkout; here a folder stands in, so that nothing is left there.
        script = [f'make() {{ command make -C "{ROOT}" --no-print-directory "$@"; }}', "set -u"]
        for number, command in enumerate(block):
            text = command.text if not (other := instead(command)) else other[1]
            for placeholder, own in STANDS_FOR.items():
                text = text.replace(placeholder, own)
            script.append(f"echo '@{number}@'\n{text or ':'}\necho \"@{number} $?@\"")
        result = subprocess.run(["bash", "-c", "\n".join(script)], cwd=self.folder, env=self.environment(), capture_output=True, text=True, check=False)
        for number, command in enumerate(block):
            with self.subTest(command.text):
                found = re.search(rf"@{number}@\n(.*?)@{number} (\d+)@", result.stdout, re.DOTALL)
                self.assertTrue(found, f"the shell did not come to it: {result.stderr}")
                self.assertEqual(found[2], "0", f"{found[1]}\n{result.stderr}")  # type: ignore[index]
                other = instead(command)
                if command.prints and (other is None or other[1]):
                    wanted = re.escape(command.prints).replace(re.escape(OPEN), ".*")
                    self.assertRegex(found[1], wanted)  # type: ignore[index]

    def environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name not in ("PARAMS", "ARGS", "EVENT", "STACK", "URL", *OF_MAKE)}

    def parameters(self) -> dict[str, str]:
        return {p["ParameterKey"]: p["ParameterValue"] for p in client("cloudformation").describe_stacks(StackName="doorward")["Stacks"][0]["Parameters"]}

    def put_back(self, before: dict[str, str]) -> None:
        """The stack as it was, for the next block and the next test."""
        # Ended sessions stay ended, so that one does not go back.
        changed = {name: value for name, value in before.items() if self.parameters()[name] != value and name != "SessionsNotBefore"}
        if changed:
            pairs = " ".join(f"{name}={shlex.quote(value)}" for name, value in changed.items())
            subprocess.run([sys.executable, str(OPERATE), "set"], env=os.environ | {"PARAMS": pairs}, capture_output=True, check=True)
        (Path(os.environ["STATE"]) / "parameters.json").unlink(missing_ok=True)

    def test_every_name_in_every_command_exists(self) -> None:
        for name in RUN + READ:
            path = ROOT / name
            for command in [each for block in blocks(path) for each in block if is_command(each.text)] + inline(path):
                for part in re.split(r"\s*(?:&&|;|\|)\s+", command.text):
                    with self.subTest(f"{name}:{command.line} {part}"):
                        self.check(part)

    def check(self, text: str) -> None:
        """Looks every name up that a command is made of. What is left to the reader is taken for right."""
        text = re.sub(r"^(?:[A-Z_]+=(?:\$\()?\S*\s+)+(?=make|cargo|aws)", "", text)
        try:
            typed = shlex.split(text.strip("()"))
        except ValueError:
            typed = text.split()
        if typed[:1] == ["make"]:
            self.check_make(typed[1:])
        elif typed[:1] == ["cargo"]:
            self.check_cargo(typed[1:])
        elif typed[:1] == ["aws"]:
            self.check_aws(typed[1:])

    def check_make(self, typed: list[str]) -> None:
        for word in typed:
            name, equals, value = word.partition("=")
            if equals:
                self.assertIn(name, VARIABLES)
            elif not word.startswith("-") and OPEN not in word:
                self.assertIn(word, TARGETS)
            if name == "PARAMS" and OPEN not in value and value != "Name=value":
                self.assertEqual([pair for pair in shlex.split(value) if pair.partition("=")[0] not in self.parameters()], [])
            if name == "ARGS" and "admin" in typed:
                self.check_admin(value)

    def check_admin(self, line: str) -> None:
        """The subcommand, whatever it works on, and its options are known to the program."""
        commands = re.match(r"[a-z-]*(?: (?:failed|retry))?", line)[0].split()  # type: ignore[index]
        result = subprocess.run([str(cargo.built("doorward-admin")), *commands, "--help"], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        for option in re.findall(r"--[a-z-]+", line):
            self.assertIn(option, result.stdout)

    def check_cargo(self, typed: list[str]) -> None:
        self.assertEqual(missing(typed), [])
        if typed[0] == "test" and "--test" in typed:
            # The last word selects tests: a module, or a part of a test's name.
            tests = ROOT / "tests" / "api" / "tests"
            if typed[-1].endswith("::"):
                self.assertIn(f"mod {typed[-1].removesuffix('::')};", (tests / "api.rs").read_text())
            else:
                self.assertTrue(any(re.search(rf"fn \w*{typed[-1]}\w*\(", path.read_text()) for path in tests.rglob("*.rs")), typed[-1])
        if "--data-file" in typed:
            self.assertTrue((ROOT / typed[typed.index("--data-file") + 1]).exists())

    def check_aws(self, typed: list[str]) -> None:
        if len(typed) < 2 or OPEN in typed[1]:
            return
        session = botocore.session.get_session()
        self.assertIn(typed[0], session.get_available_services())
        operations = {re.sub(r"(?<!^)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "-", name).lower(): name for name in session.get_service_model(typed[0]).operation_names}
        if typed[1] == "wait":
            self.assertIn(typed[2].replace("-", "_"), boto3.client(typed[0], region_name="us-east-1").waiter_names)
            return
        self.assertIn(typed[1], operations)
        shape = session.get_service_model(typed[0]).operation_model(operations[typed[1]]).input_shape
        known = {re.sub(r"(?<!^)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "-", name).lower() for name in (shape.members if shape else {})}
        for option in (word[2:] for word in typed if word.startswith("--")):
            self.assertIn(option.removeprefix("no-"), known | {"query", "output", "region", "profile"})

    def test_every_command_of_the_operators_table_is_known(self) -> None:
        found = [command for name in RUN for command in rows(ROOT / name)]
        self.assertGreater(len(found), 5)
        for command in found:
            if re.match(r"[a-z]", command.text) and not is_command(command.text):
                with self.subTest(command.text):
                    self.check_admin(command.text)

    def test_the_documents_have_commands_and_every_exception_its_reason(self) -> None:
        every = [command.text for name in RUN for block in blocks(ROOT / name) for command in block] + [command.text for name in RUN for command in inline(ROOT / name)]
        self.assertGreater(len(every), 40, "the documents hardly have a command: are they read rightly?")
        for pattern, *_ in CHANGED + ELSEWHERE:
            with self.subTest(pattern):
                self.assertTrue(any(re.match(pattern, text) for text in every), "no document has such a command")
        for _, reason, test, words in ELSEWHERE:
            with self.subTest(reason):
                # In this file they stand once already, in the table itself.
                self.assertGreater((ROOT / "tests" / "stack" / test).read_text().count(words), test == Path(__file__).name)


class Reading(unittest.TestCase):
    """The reader of documents itself, on documents that are made up."""

    def read(self, text: str) -> tuple[list[list[str]], list[str]]:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "x.md"
            path.write_text(text)
            return [[command.text for command in block] for block in blocks(path)], [command.text for command in inline(path)]

    def test_blocks_are_fenced_or_indented_and_a_drawing_is_none(self) -> None:
        self.assertEqual(self.read("x\n\n    make up   # starts\n\n    make down\n\nText.\n"), ([["make up", "make down"]], []))
        self.assertEqual(self.read("```sh\nmake up\n```\n```\na ──► b\n```\n"), ([["make up"]], []))
        self.assertEqual(self.read("1. An item\n    that goes on with make up\n"), ([], []))
        self.assertEqual(self.read("    Doorward:\n      Type: x\n"), ([], []))

    def test_a_command_may_take_several_lines_and_an_assignment_is_one(self) -> None:
        self.assertEqual(self.read("    curl x \\\n      -d y\n    T='a\n    b'\n")[0], [["curl x \\\n  -d y", "T='a\nb'"]])
        self.assertEqual(self.read("    TOKEN=$(curl -s x | python3 -c 'y')\n")[0], [["TOKEN=$(curl -s x | python3 -c 'y')"]])

    def test_commands_in_a_sentence_are_between_backticks(self) -> None:
        self.assertEqual(self.read("Say `make up PARAMS=\"A=1\"` or `Sender`, then `cargo test`.\n")[1], ['make up PARAMS="A=1"', "cargo test"])

    def test_what_is_printed_is_json_or_values_and_talk_is_not(self) -> None:
        self.assertEqual(printed('{"status":"OK"}, and the same for every address'), '{"status":"OK"}')
        self.assertEqual(printed('{"token":"dws_…","expires_at":"…"}'), '{"token":"dws_…","expires_at":"…"}')
        self.assertEqual(printed("Argon2MemoryKib=19456 Argon2Iterations=…"), "Argon2MemoryKib=19456 Argon2Iterations=…")
        self.assertEqual(printed("the newest mail"), "")


assert infra_path and InACopy  # its tests are found here
if __name__ == "__main__":
    unittest.main()
