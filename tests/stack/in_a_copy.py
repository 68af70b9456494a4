"""Commands of the documents that build for long or change the checkout: they run as they stand, in a copy of the checkout.

Three programs are replaced there by what the test wants: `cargo` and Python's compiler of zips, which take minutes, and, where only the recipe is of
interest, every tool. A replaced program notes how it was called.
"""

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest
from functools import cache
from pathlib import Path
from typing import ClassVar

import infra_path
from documents import Command, blocks, inline
from infra_path import ROOT, environment
from test_deploy import checkout, unpack_zips
from test_life import client

import cargo

RUN = ["README.md", "OPERATIONS.md", "CONTRIBUTING.md"]
# Commands of which only the recipe runs: their programs take minutes, and other tests call them one by one.
RECIPES = re.compile(
    r"make (?:test|test-long|test-release|check|lint|unit|browser|soak|clients|schemathesis|fuzz|permissions|coverage|preview|size|build|bench|snapshots|openapi|pins"
    r"|dev|up|down|reset|help-all)\b"
)
# Commands that run, with a build that takes no time. In this order, because a deployment comes before its rollback.
LIFE = ["release", "deploy", "rollback", "restore", "delete"]
STACK, DOMAIN = "typed", "your.domain"

# A cargo that copies what is built already, and leaves questions about the workspace to the real one. `make` packs what `cargo lambda build` has built.
CARGO = """\
#!{python}
import os, shutil, sys
arguments = sys.argv[1:]
if arguments[:2] != ["lambda", "build"]:
    os.execv({real!r}, ["cargo", *arguments])
for flag, name in zip(arguments, arguments[1:]):
    if flag == "--bin":
        os.makedirs(f"target/lambda/{{name}}", exist_ok=True)
        program = f"{programs}/{{name}}"
        shutil.copy(program if os.path.isfile(program) else os.devnull, f"target/lambda/{{name}}/bootstrap")
"""
# In the place of the Python that packs: `python infra/pack.py [--at-most=…] DIRECTORY`.
PACK = """\
#!{python}
import os, shutil, sys
name = os.path.basename(sys.argv[-1])
shutil.copy(f"{zips}/{{name}}/bootstrap.zip", f"{{sys.argv[-1]}}/bootstrap.zip")
"""
BROKEN = "#!/bin/sh\necho 'error: it does not compile' >&2\nexit 101\n"
# Notes its name and its arguments. As cargo it says where the programs are that it would have built, as a stack of its own it runs the command that it is given.
NOTING = """\
#!{python}
import json, os, sys
with open({calls!r}, "a") as calls:
    calls.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + "\\n")
for flag, name in zip(sys.argv, sys.argv[1:]):
    if flag == "--bin":
        print(json.dumps({{"target": {{"name": name}}, "executable": name}}, separators=(",", ":")))
if "with_stack" in sys.argv:
    command = sys.argv[sys.argv.index("with_stack") + 1:]
    os.execvp(command[0], command)
"""


def commands() -> list[Command]:
    """Every command of the documents, each once."""
    found = [command for name in RUN for block in blocks(ROOT / name) for command in block] + [command for name in RUN for command in inline(ROOT / name)]
    return list({command.text: command for command in found if not command.is_open}.values())


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def in_order(*files: Path) -> None:
    """Gives files the dates for which make takes each for newer than those before it."""
    for number, file in enumerate(files, start=1):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        os.utime(file, (number, number))


class InACopy(unittest.TestCase):
    directory: ClassVar[Path]

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="doorward-copy-")
        self.addCleanup(directory.cleanup)
        self.folder = Path(directory.name)
        self.copy, self.programs = self.folder / "checkout", self.folder / "bin"
        checkout(self.copy)

    def typed(self, command: str, **changed: str) -> tuple[int, str]:
        """Types a command at the top of the copy, without a terminal. Its exit code, and what it said."""
        mine = {name: value for name, value in environment().items() if name not in ("PARAMS", "ARGS", "STATE", "PORT", "LAMBDA_DIR", "BUILT", "CXX", "NODE", "CHROMIUM")}
        mine |= {"PATH": f"{self.programs}:{mine['PATH']}", "STACK": STACK} | changed
        result = subprocess.run(
            ["bash", "-c", command], cwd=self.copy, env=mine, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        return result.returncode, result.stdout

    def tool(self, name: str, installed: bool = True) -> Path:
        """The folder of a tool in the copy, which is not the one of the checkout."""
        folder = self.copy / ".tools" / name
        if folder.is_symlink():
            folder.unlink()
        if installed:
            in_order(self.copy / "infra" / "requirements" / "hashes" / f"{name}.txt", self.copy / ".tools" / name / "installed")
            os.utime(folder / "installed")
        return folder

    def test_every_command_that_deploys_runs_as_it_stands(self) -> None:
        client("sesv2").create_email_identity(EmailIdentity=DOMAIN)
        self.addCleanup(lambda: client("sesv2").delete_email_identity(EmailIdentity=DOMAIN))
        self.addCleanup(self.take_away)
        built = {name: str(cargo.built(name)) for name in ("check-settings", "doorward-admin")}
        zips, stored = self.folder / "zips", self.folder / "built"
        unpack_zips(zips)
        stored.mkdir()
        for name, path in built.items():
            (stored / name).symlink_to(path)
        (self.folder / "built.json").write_text(json.dumps(built))
        program(self.programs / "cargo", CARGO.format(python=sys.executable, real=shutil.which("cargo"), programs=stored))
        program(self.tool("build") / "bin" / "python", PACK.format(python=sys.executable, zips=zips))
        given = {"BUILT": str(self.folder / "built.json"), "CONFIRM": STACK, "VERIFY": "no", "ARCH": "arm64" if os.uname().machine == "aarch64" else "x86_64"}
        found = [command for command in commands() if re.match(r"make (%s) |make (release|deploy)$" % "|".join(LIFE), command.text)]
        self.assertEqual({command.text.split()[1] for command in found}, set(LIFE))
        for command in sorted(found, key=lambda command: LIFE.index(command.text.split()[1])):
            with self.subTest(f"{command.document}:{command.line} {command.text}"):
                code, said = self.typed(command.text.replace("STACK=doorward", f"STACK={STACK}"), **given)
                self.assertEqual(code, 0, said)
        self.assertNotIn(STACK, [stack["StackName"] for stack in client("cloudformation").describe_stacks()["Stacks"]])

    def take_away(self) -> None:
        client("cloudformation").delete_stack(StackName=STACK)
        database = client("dynamodb")
        for table in (name for name in database.list_tables()["TableNames"] if name.startswith(f"{STACK}-")):
            database.update_table(TableName=table, DeletionProtectionEnabled=False)
            database.delete_table(TableName=table)

    def test_a_build_that_fails_is_a_sentence_and_nothing_is_deployed_or_packed(self) -> None:
        client("sesv2").create_email_identity(EmailIdentity=DOMAIN)
        self.addCleanup(lambda: client("sesv2").delete_email_identity(EmailIdentity=DOMAIN))
        self.tool("build")
        program(self.programs / "cargo", BROKEN)
        for command in (f'make deploy PARAMS="Sender=accounts@{DOMAIN}"', "make release"):
            with self.subTest(command):
                code, said = self.typed(command, ARCH="arm64" if os.uname().machine == "aarch64" else "x86_64")
                self.assertNotEqual(code, 0)
                self.assertIn("error: it does not compile\n", said)
                self.assertTrue(said.endswith(f"{command.split()[1]}: the functions do not build; above is why.\n"), said)
                self.assertNotIn("Traceback", said)
        self.assertNotIn(STACK, [stack["StackName"] for stack in client("cloudformation").describe_stacks()["Stacks"]])

    def test_the_recipe_of_every_command_that_builds_or_tests_calls_programs_that_are_there(self) -> None:
        calls = self.folder / "calls"
        self.replace_every_tool(NOTING.format(python=sys.executable, calls=str(calls)))
        found = [command for command in commands() if RECIPES.match(command.text)]
        self.assertGreater(len(found), 20)
        for command in found:
            with self.subTest(f"{command.document}:{command.line} {command.text}"):
                calls.write_text("")
                code, said = self.typed(command.text)
                self.assertEqual(code, 0, said)
                called = [json.loads(line) for line in calls.read_text().splitlines()]
                self.assertTrue(called or "help" in command.text, "it called nothing")
                for name, *arguments in called:
                    self.check(name, arguments)

    def replace_every_tool(self, text: str) -> None:
        makefile = (self.copy / "Makefile").read_text() + (self.copy / "infra" / "tools.mk").read_text()
        tools = [file.stem for file in (self.copy / "infra" / "requirements" / "hashes").glob("*.txt")]
        for name in tools:
            self.tool(name)
        for tool, name in re.findall(r"\.tools/([a-z]+)/bin/([a-z-]+)", makefile) + [(tool, "python") for tool in tools] + [("pins", "uv"), ("fuzz", "cargo-fuzz")]:
            program(self.copy / ".tools" / tool / "bin" / name, text)
        for name in ("cargo", "rustc"):
            program(self.programs / name, text)
        folder, node = self.copy / ".tools", self.copy / ".tools" / "node" / "bin" / "node"
        for name in ("chromium", "c++"):
            self.tool(name, installed=False)
        for path in (node, folder / "chromium" / "chromium", folder / "c++" / "c++"):
            program(path, text)
        in_order(
            self.copy / "infra" / "requirements" / "pip.txt", *(self.copy / "infra" / "requirements" / "hashes").glob("*.txt"), folder / "pip" / "installed",
            *(folder / name / "installed" for name in tools if name != "pip"), folder / "coverage" / "linked", node, *(self.copy / "tests").glob("*/package-lock.json"),
            *(self.copy / "tests" / name / "node_modules" / "installed" for name in ("browser", "clients")), self.copy / "tests" / "browser" / "unpack.py",
            folder / "chromium" / "chromium", self.copy / "fuzz" / "compiler.py", folder / "c++" / "c++",
        )

    def check(self, name: str, arguments: list[str]) -> None:
        """What a program was called with is there: its script, and the names of packages, programs and tests."""
        called = shlex.join([name, *arguments])
        if name == "cargo":
            self.assertEqual(missing(arguments), [], called)
            return
        scripts = [argument for argument in arguments if re.fullmatch(r"(?:infra|tests|fuzz)(?:/[\w.-]+)+", argument)]
        for script in scripts:
            path = self.copy / script
            self.assertTrue(path.is_file() or (path / "__main__.py").is_file() or path.is_dir(), called)
        if scripts == ["tests/stack"]:
            for module in arguments[arguments.index("tests/stack") + 1 :]:
                self.assertTrue((self.copy / "tests" / "stack" / f"{module}.py").is_file(), called)


@cache
def workspace() -> set[tuple[str, str]]:
    """The packages of the workspace, and their programs, tests and examples."""
    packages = json.loads(subprocess.run(["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=ROOT, capture_output=True, check=True).stdout)["packages"]
    return {("package", package["name"]) for package in packages} | {(kind, target["name"]) for package in packages for target in package["targets"] for kind in target["kind"]}


def missing(typed: list[str]) -> list[str]:
    """The names of packages, programs, tests and examples after `cargo` that the workspace does not have."""
    kinds = {"-p": "package", "--package": "package", "--exclude": "package", "--bin": "bin", "--test": "test", "--example": "example"}
    named = [(kinds[flag], name) for flag, name in zip(typed, typed[1:], strict=False) if flag in kinds]
    return [f"{kind} {name}" for kind, name in named if name != "*" and (kind, name) not in workspace()]


assert infra_path
