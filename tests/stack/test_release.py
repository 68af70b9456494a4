"""`make release`, and a deployment from it on a machine without Rust: as OPERATIONS.md describes it."""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile
from pathlib import Path

import infra_path
from infra_path import OF_MAKE, ROOT, make
from test_deploy import unpack_zips
from test_life import client

import cargo

sys.path.append(str(ROOT / "infra" / "checks"))
from release_notes import notes, tag_releases  # noqa: E402

STACK, SENDER = "released", "accounts@released.internal"
VERSION = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]  # type: ignore[index]
ARCHIVE = ROOT / "target" / f"doorward-{VERSION}.tar"
# The programs of a machine without Rust, as far as these commands need them.
PROGRAMS = ("bash", "sh", "make", "python3", "cat", "cp", "date", "dirname", "env", "id", "ln", "ls", "mkdir", "mv", "readlink", "rm", "sed", "sleep", "sort", "touch", "tr", "uname", "wc", "curl")


class Notes(unittest.TestCase):
    def test_the_message_of_a_tag_is_the_section_of_its_version(self) -> None:
        changelog = "# Changelog\n\n## Unreleased\n\n- Next.\n\n## 1.1.0 (2026-02-01)\n\n- One.\n  And more.\n- Two.\n\n## 1.0.0\n\n- First.\n"
        for version, wanted in (("1.1.0", "- One.\n  And more.\n- Two."), ("1.0.0", "- First."), ("1.1", None), ("2.0.0", None)):
            with self.subTest(version):
                self.assertEqual(notes(changelog, version), wanted)

    @unittest.skipUnless(shutil.which("git"), "needs git")
    def test_a_release_is_tagged_where_its_section_got_its_date(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            checkout = Path(directory)

            def git(*arguments: str) -> str:
                who = ["-c", "user.name=test", "-c", "user.email=test@release.internal"]
                return subprocess.run(["git", *who, *arguments], cwd=checkout, check=True, capture_output=True, text=True).stdout.strip()

            git("init", "--quiet")
            commits = []
            for text in ("## Unreleased", "## 1.0.0 (2026-01-01)", "## Unreleased\n\n## 1.0.0 (2026-01-01)", "## 1.1.0 (2026-02-01)\n\n## 1.0.0 (2026-01-01)", "## 1.1.0 (2026-02-01)\n\nOne.\n\n## 1.0.0 (2026-01-01)"):
                (checkout / "CHANGELOG.md").write_text(f"# Changelog\n\n{text}\n")
                git("add", "--all")
                git("commit", "--quiet", "--message", text)
                commits.append(git("rev-parse", "HEAD"))
            self.assertEqual(tag_releases(checkout), ["v1.0.0", "v1.1.0"])
            self.assertEqual([git("rev-parse", tag) for tag in ("v1.0.0", "v1.1.0")], [commits[1], commits[3]])
            self.assertEqual(tag_releases(checkout), [])
            (checkout / "CHANGELOG.md").write_text(f"# Changelog\n\n## 0.9.0 (2025-01-01, commit {commits[0][:7]})\n")
            self.assertEqual(tag_releases(checkout), ["v0.9.0"])
            self.assertEqual(git("rev-parse", "v0.9.0"), commits[0])


class Release(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        for tool in ("aws", "local"):
            subprocess.run(["make", "--no-print-directory", f".tools/{tool}/installed"], cwd=ROOT, check=True, capture_output=True)
        cls.directory = Path(tempfile.mkdtemp(prefix="doorward-release-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        if ARCHIVE.exists():  # somebody's own
            cls.addClassCleanup(shutil.move, cls.directory / ARCHIVE.name, ARCHIVE)
            shutil.move(ARCHIVE, cls.directory)
        else:
            cls.addClassCleanup(ARCHIVE.unlink, missing_ok=True)
        cls.zips = cls.directory / "zips"
        unpack_zips(cls.zips)
        for program in ("check-settings", "doorward-admin"):
            target = cls.zips / program
            if not shutil.which("strip") or subprocess.run(["strip", "-o", target, cargo.built(program)], capture_output=True, check=False).returncode != 0:
                shutil.copy(cargo.built(program), target)
        cls.said = cls.packed()
        cls.first = hashlib.sha256(ARCHIVE.read_bytes()).hexdigest()

    @classmethod
    def packed(cls) -> str:
        result = make("release", f"LAMBDA_DIR={cls.zips}", SOURCE_DATE_EPOCH="1700000000")
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def unpacked(self) -> Path:
        """The release in an empty folder, with the tools installed already."""
        folder = Path(tempfile.mkdtemp(dir=self.directory))
        with tarfile.open(ARCHIVE) as archive:
            # The oldest 3.11 has no filters.
            archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # type: ignore[arg-type]
        (root,) = folder.iterdir()
        (root / ".tools").mkdir()
        for tool in ("aws", "pip"):
            (root / ".tools" / tool).symlink_to(ROOT / ".tools" / tool)
        return root

    def run_in(self, root: Path, *command: str, **changed: str) -> tuple[int, str]:
        """Types a command at the top of a release, on a machine without Rust."""
        programs = self.directory / "bin"
        programs.mkdir(exist_ok=True)
        for name in PROGRAMS:
            if (found := shutil.which(name)) and not (programs / name).exists():
                (programs / name).symlink_to(sys.executable if name == "python3" else found)
        mine = {name: value for name, value in os.environ.items() if name not in ("STATE", "PARAMS", "STACK", "PORT", "LAMBDA_DIR", *OF_MAKE) and not name.startswith("CARGO")}
        mine |= {"PATH": str(programs)} | changed
        self.assertIsNone(shutil.which("cargo", path=mine["PATH"]))
        result = subprocess.run(command, cwd=root, env=mine, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return result.returncode, result.stdout

    def test_the_same_checkout_gives_the_same_bytes(self) -> None:
        self.assertIn(self.first, self.said)
        ARCHIVE.unlink()
        self.packed()
        self.assertEqual(hashlib.sha256(ARCHIVE.read_bytes()).hexdigest(), self.first)
        with tarfile.open(ARCHIVE) as archive:
            entries = archive.getmembers()
        self.assertEqual([entry.name for entry in entries], sorted(entry.name for entry in entries))
        self.assertEqual({(entry.uid, entry.gid, entry.uname, entry.gname, entry.mtime) for entry in entries}, {(0, 0, "", "", 1_700_000_000)})

    def test_it_holds_what_a_deployment_needs_and_nothing_of_the_builder(self) -> None:
        with tarfile.open(ARCHIVE) as archive:
            files = {entry.name.partition("/")[2]: archive.extractfile(entry).read() for entry in archive.getmembers()}  # type: ignore[union-attr]
        architecture = "arm64" if os.uname().machine == "aarch64" else "x86_64"
        for function in (ROOT / "functions" / "src" / "bin").glob("*.rs"):
            self.assertEqual(files[f"lambda/{architecture}/{function.stem}/bootstrap.zip"], (self.zips / function.stem / "bootstrap.zip").read_bytes())
        for name in ("infra/template.yaml", "LICENSE", "OPERATIONS.md", "deploy", f"programs/{architecture}/doorward-admin", "infra/requirements/hashes/aws.txt"):
            self.assertIn(name, files)
        self.assertEqual([name for name in files if "samconfig" in name or "__pycache__" in name or name.endswith(".rs")], [])
        components = {component["name"] for component in json.loads(files["doorward.cdx.json"])["components"]}
        licences = files["LICENSES.txt"].decode()
        for name in components - {"doorward", "doorward-functions"}:
            self.assertRegex(licences, rf"(?m)^{re.escape(name)} \d", f"{name} has no licence")
        self.assertIn("Django Software Foundation", licences)
        sums = dict(reversed(line.split("  ")) for line in files.pop("SHA256SUMS").decode().splitlines())
        self.assertEqual(sums, {name: hashlib.sha256(content).hexdigest() for name, content in files.items()})

    def test_every_file_that_a_document_of_it_links_to_is_in_it(self) -> None:
        root = self.unpacked()
        for document in ("OPERATIONS.md", "docs/configuration.md"):
            for link in re.findall(r"\]\((?!https?:)([^)#]+)", (root / document).read_text()):
                with self.subTest(f"{document}: {link}"):
                    self.assertTrue((root / document).parent.joinpath(link).exists())

    def test_a_file_that_was_changed_on_the_way_is_named_and_nothing_is_deployed(self) -> None:
        root = self.unpacked()
        with (root / "infra" / "template.yaml").open("a") as file:
            file.write("\n")
        (root / "infra" / "permissions.txt").unlink()
        code, said = self.run_in(root, "./deploy", f"STACK={STACK}", f"PARAMS=Sender={SENDER}")
        self.assertNotEqual(code, 0)
        self.assertEqual(said.strip(), "checksums: infra/permissions.txt, infra/template.yaml are not as released: unpack the archive again.")

    def test_from_the_archive_to_a_working_flow_without_rust(self) -> None:
        client("sesv2").create_email_identity(EmailIdentity=SENDER)
        self.addCleanup(lambda: client("sesv2").delete_email_identity(EmailIdentity=SENDER))
        root = self.unpacked()
        parameters = f"PARAMS=Sender={SENDER} TableRetention=Delete"
        other = "arm64" if os.uname().machine != "aarch64" else "x86_64"
        code, said = self.run_in(root, "./deploy", f"STACK={STACK}", f"{parameters} Architecture={other}")
        self.assertNotEqual(code, 0, said)
        self.assertIn(f"this release was not built for {other}, only for", said)
        code, said = self.run_in(root, "./deploy", f"STACK={STACK}", f"{parameters} SessionLifetime=400d")
        self.assertIn("SessionLifetime: must be", said, "the functions' own parser is there")

        code, said = self.run_in(root, "./deploy", f"STACK={STACK}", parameters)
        self.addCleanup(client("cloudformation").delete_stack, StackName=STACK)
        self.assertEqual(code, 0, said)
        self.assertIn("It works: 13 steps", said)
        for command in (("verify",), ("set", "PARAMS=SessionLifetime=7d"), ("admin", "ARGS=mail failed")):
            code, said = self.run_in(root, "make", "--no-print-directory", command[0], f"STACK={STACK}", *command[1:])
            self.assertEqual(code, 0, said)
        code, said = self.run_in(root, "make", "--no-print-directory", "doctor", f"STACK={STACK}")
        self.assertIn("ok    the sender is verified", said)
        code, said = self.run_in(root, "make", "--no-print-directory", "up")
        self.assertNotEqual(code, 0)
        self.assertIn("A release has only the commands for AWS", said)
        code, said = self.run_in(root, "make", "--no-print-directory", "delete", f"STACK={STACK}", f"CONFIRM={STACK}")
        self.assertEqual(code, 0, said)

    def test_what_cannot_be_packed_is_said(self) -> None:
        other = self.directory / "other"
        shutil.copytree(self.zips, other)
        (other / "logout" / "bootstrap.zip").unlink()
        self.assertIn("has no logout/bootstrap.zip", make("release", f"LAMBDA_DIR={other}").stderr)
        with io.BytesIO() as buffer:
            with zipfile.ZipFile(buffer, "w") as archive:
                archive.writestr("bootstrap", b"\x7fELF" + bytes(14) + (183 if os.uname().machine != "aarch64" else 62).to_bytes(2, "little"))
            (other / "logout" / "bootstrap.zip").write_bytes(buffer.getvalue())
        self.assertIn("build all of them", make("release", f"LAMBDA_DIR={other}").stderr)
        unknown = [str(ROOT / ".tools" / "aws" / "bin" / "python"), str(ROOT / "infra" / "release.py")]
        result = subprocess.run(unknown, env=os.environ | {"ARCH": "x87"}, capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stderr), (1, "release: ARCH=x87 is none of x86_64 and arm64.\n"))


assert infra_path
if __name__ == "__main__":
    unittest.main()
