"""Deployment and deletion with the commands of README and OPERATIONS.md: `make deploy` from a fresh checkout, with SAM CLI, to the emulator."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "infra"), str(ROOT / "infra" / "local")]
import cargo  # noqa: E402

STACK = "fresh"
SENDER = "accounts@fresh.internal"
# Files that do not belong to a checkout.
ELSEWHERE = shutil.ignore_patterns("target", ".tools", ".local", ".git", "node_modules", "__pycache__", "samconfig.toml", "corpus", "artifacts", "generated", ".schemathesis", ".mypy_cache")
PASSWORDS = ["Correct-Horse-42", "Battery-Staple-77", "Third-Password-9"]


def client(service: str) -> Any:
    return boto3.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"])


def checkout(directory: Path) -> None:
    """A fresh checkout, except that the tools are installed already."""
    shutil.copytree(ROOT, directory, ignore=ELSEWHERE)
    (directory / ".tools").mkdir()
    for tool in (ROOT / ".tools").iterdir():
        (directory / ".tools" / tool.name).symlink_to(tool)
    for pinned in (directory / "infra" / "requirements").rglob("*"):
        os.utime(pinned, (0, 0))  # make reinstalls a tool that is older than its list


def unpack_zips(directory: Path) -> None:
    """The zips of the running stack in the layout of `make build`, with the dev profile."""
    functions = client("lambda")
    for function in functions.list_functions()["Functions"]:
        if not function["FunctionName"].startswith("doorward-"):
            continue
        place = functions.get_function(FunctionName=function["FunctionName"])["Code"]["Location"]
        target = directory / function["FunctionName"].removeprefix("doorward-") / "bootstrap.zip"
        target.parent.mkdir(parents=True)
        with urllib.request.urlopen(place, timeout=60) as code, target.open("wb") as file:
            shutil.copyfileobj(code, file)
    # Those that are in no stack without a parameter that asks for them were built and packed with the others.
    for function in {path.stem for path in (ROOT / "functions" / "src" / "bin").glob("*.rs")} - {path.name for path in directory.iterdir()}:
        (directory / function).mkdir()
        shutil.copy(ROOT / "target" / "local" / f"{function}.zip", directory / function / "bootstrap.zip")


def change(archive: Path) -> None:
    """A different program with the same behaviour: bytes after the end of an ELF file are not read."""
    with zipfile.ZipFile(archive) as old:
        program = old.read("bootstrap")
    entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o100755 << 16
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as new:
        new.writestr(entry, program + b"\n")


class Deployment(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        subprocess.run(["make", "--no-print-directory", ".tools/aws/installed"], cwd=ROOT, check=True, capture_output=True)
        cls.directory = Path(tempfile.mkdtemp(prefix="doorward-fresh-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.checkout, cls.zips = cls.directory / "checkout", cls.directory / "zips"
        checkout(cls.checkout)
        unpack_zips(cls.zips)
        for program in ("check-settings", "doorward-admin"):
            shutil.copy(cargo.built(program), cls.zips)
        if shutil.which("git"):
            cls.git("init", "--quiet")
            cls.git("add", "--all")
            cls.git("-c", "user.name=test", "-c", "user.email=test@fresh.internal", "commit", "--quiet", "--message", "A checkout")

    @classmethod
    def git(cls, *arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=cls.checkout, check=True, capture_output=True, text=True).stdout

    def make(self, goal: str, **variables: str) -> tuple[int, str]:
        """Runs `make goal NAME=value …` without a terminal; returns its exit code and output."""
        environment = {name: value for name, value in os.environ.items() if not re.match(r"MAKE|MFLAGS|STATE$|PORT$|PARAMS$|STACK$", name)}
        environment |= {name: value for name, value in variables.items() if name.isupper() and name.startswith("AWS_")}
        typed = [f"{name}={value}" for name, value in variables.items() if not name.startswith("AWS_")]
        result = subprocess.run(
            ["make", "--no-print-directory", goal, *typed], cwd=self.checkout, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False,
        )
        return result.returncode, result.stdout

    def deploy(self, **variables: str) -> str:
        code, said = self.make("deploy", STACK=STACK, LAMBDA_DIR=str(self.zips), **variables)
        self.assertEqual(code, 0, said)
        return said

    def programs(self) -> dict[str, str]:
        functions = client("lambda").list_functions()["Functions"]
        return {f["FunctionName"]: f["CodeSha256"] for f in functions if f["FunctionName"].startswith(f"{STACK}-")}

    def kept(self) -> dict[str, str]:
        """The parameters in the file that `make deploy` writes."""
        text = (self.checkout / "infra" / "samconfig.toml").read_text()
        section = text.partition(f"[{STACK}.deploy.parameters.parameter_overrides]\n")[2].partition("[")[0]
        return dict(re.findall(r'^(\w+) = "(.*)"$', section, re.MULTILINE))

    def tables(self) -> list[str]:
        return [name for name in client("dynamodb").list_tables()["TableNames"] if name.startswith(f"{STACK}-")]

    def test_what_is_missing_is_said_in_a_sentence_before_anything_is_built(self) -> None:
        sender = f"Sender={SENDER}"
        cases = [
            ({}, "Sender is missing"),
            ({"PARAMS": "Sender=accounts@unknown.internal"}, "verify it there"),
            ({"PARAMS": sender, "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_CONFIG_FILE": "/none"}, "no Region is chosen: set AWS_REGION"),
            ({"PARAMS": sender, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SHARED_CREDENTIALS_FILE": "/none", "AWS_EC2_METADATA_DISABLED": "true"}, "AWS does not know these credentials"),
            ({"PARAMS": f"{sender} LogLevle=warn"}, "no parameter LogLevle; did you mean LogLevel?"),
            ({"PARAMS": f"{sender} LogLevel=debug"}, "LogLevel is one of error, warn, info"),
            ({"PARAMS": f"{sender} ThrottleRate=0"}, "ThrottleRate is at least 1"),
            ({"PARAMS": "Sender=accounts@mail.example.org"}, "must be one plain address of a domain of yours"),
            ({"PARAMS": f"{sender} CertificateArn=arn:aws:acm:eu-west-1:0:certificate/x DomainName=a.fresh.internal"}, "a regional API takes a certificate of its own Region"),
            ({"PARAMS": sender, "AWS_REGION": "eu-south-2"}, "give its name as ConfigurationSet"),
            ({"PARAMS": "Sender"}, "'Sender' is not Name=value"),
            ({"PARAMS": "Sender='"}, "PARAMS cannot be read"),
        ]
        client("sesv2").create_email_identity(EmailIdentity=SENDER.partition("@")[2])
        self.addCleanup(lambda: client("sesv2").delete_email_identity(EmailIdentity=SENDER.partition("@")[2]))
        for given, says in cases:
            with self.subTest(says):
                # Zips that are not there are what would be complained about next, in the place of a build.
                code, said = self.make("deploy", STACK="unheard-of", LAMBDA_DIR="/none", **given)
                self.assertNotEqual(code, 0, said)
                self.assertIn(says, said)
                told = [line for line in said.splitlines() if not line.startswith(("make", "To the emulator at "))]
                self.assertEqual(len(told), 1, said)
        code, said = self.make("deploy", STACK="unheard-of", LAMBDA_DIR=str(self.zips), PARAMS=f"{sender} SessionLifetime=400d LoginClientLimit=sixty")
        self.assertNotEqual(code, 0)
        self.assertIn("SessionLifetime: must be", said)
        self.assertIn("LoginClientLimit: must be", said)
        self.assertIn("has no register/bootstrap.zip", self.make("deploy", STACK="unheard-of", LAMBDA_DIR="/none", PARAMS=sender)[1])

    def test_from_a_fresh_checkout_to_a_working_flow_and_back(self) -> None:
        client("sesv2").create_email_identity(EmailIdentity=SENDER)
        self.addCleanup(lambda: client("sesv2").delete_email_identity(EmailIdentity=SENDER))
        self.addCleanup(self.take_away)

        said = self.deploy(PARAMS=f"Sender={SENDER} ProductName='Anna’s \"Fresh\" Shop'")
        # Whoever has tried the local stack in this shell sees that this is not AWS.
        self.assertEqual(said.splitlines()[0], f"To the emulator at {os.environ['AWS_ENDPOINT_URL']}, because AWS_ENDPOINT_URL is set. In a new shell this goes to AWS.")
        self.assertIn(f"Deployed: {STACK} in the emulator at ", said)
        self.assertIn("+ Add", said, "the change set")
        outputs = self.outputs()
        for line in (outputs["ApiUrl"], outputs["AuthorizerArn"], f"make doctor STACK={STACK}"):
            self.assertIn(line, said)
        self.assertRegex(said, r"(?s)Verifying\n.*ok .* the link sets a new password.*The account is deleted\.\nIt works: 13 steps")
        self.assertEqual(client("dynamodb").scan(TableName=outputs["AccountsTable"])["Items"], [], "nothing stays")
        self.assertEqual(self.kept(), {"Sender": SENDER, "ProductName": r"Anna’s \"Fresh\" Shop"}, "and none of the defaults")
        self.assertEqual(self.parameters()["ProductName"], "Anna’s \"Fresh\" Shop")
        deployed = client("cloudformation").get_template(StackName=STACK, TemplateStage="Original")["TemplateBody"]
        self.assertNotRegex(deployed if isinstance(deployed, str) else json.dumps(deployed), r": [*&]\w", "CloudFormation takes no YAML anchors")
        self.flow(outputs)

        before = self.programs()
        said = self.deploy()
        self.assertIn("Nothing changed", said)
        self.assertEqual(self.programs(), before)
        if shutil.which("git"):
            self.assertEqual(self.git("status", "--porcelain"), "", "so that `git pull` never conflicts")
        self.assertEqual(self.kept(), {"Sender": SENDER, "ProductName": r"Anna’s \"Fresh\" Shop"})

        code, said = self.make("set", STACK=STACK, PARAMS="Registration=closed")
        self.assertEqual(code, 0, said)
        change(self.zips / "logout" / "bootstrap.zip")
        release = self.checkout / "infra" / "template.yaml"
        release.write_text(release.read_text().replace("    Default: 300\n", "    Default: 250\n"))
        said = self.deploy()
        after = self.programs()
        self.assertEqual([name for name in after if after[name] != before[name]], [f"{STACK}-logout"])
        self.assertIn("Registration stays closed", said)
        self.assertIn("registration is closed, and an operator creates an account", said)
        self.assertEqual(self.parameters()["RefusalsAlarmAt"], "250", "a later release's default")
        self.assertEqual(self.kept()["Registration"], "closed")
        self.assertEqual(self.post("/api/register/", outputs, username="late", email="late@example.com", password=PASSWORDS[0])[0], 403)

        # The file and the stack differ, and only the operator knows which counts.
        code, said = self.make("set", STACK=STACK, PARAMS="Registration=open")
        self.assertEqual(code, 0, said)
        code, said = self.make("deploy", STACK=STACK, LAMBDA_DIR=str(self.zips))
        self.assertNotEqual(code, 0, said)
        self.assertIn('samconfig.toml says Registration=closed, and the stack has open: say which, as in PARAMS="Registration=open"', said)
        self.assertIn("Nothing changed", self.deploy(PARAMS="Registration=open"))
        self.assertNotIn("Registration", self.kept())
        code, said = self.make("delete", STACK=STACK, CONFIRM="another")
        self.assertNotEqual(code, 0, said)
        code, said = self.make("delete", STACK=STACK, CONFIRM=STACK)
        self.assertEqual(code, 0, said)
        self.assertEqual(self.programs(), {})
        self.assertEqual(len(self.tables()), 2, "Accounts and Outbox")
        for table in self.tables():
            self.assertIn(table, said)
            self.assertTrue(client("dynamodb").describe_table(TableName=table)["Table"]["DeletionProtectionEnabled"])
        code, said = self.make("delete", STACK=STACK, CONFIRM=STACK, TABLES="yes")
        self.assertEqual((code, self.tables()), (0, []), said)
        self.assertNotEqual(self.make("delete", STACK=STACK, CONFIRM=STACK, TABLES="yes")[0], 0, "there is nothing any more")

    def test_a_deployment_that_does_not_work_fails_and_says_how_to_go_back(self) -> None:
        client("sesv2").create_email_identity(EmailIdentity=SENDER)
        self.addCleanup(lambda: client("sesv2").delete_email_identity(EmailIdentity=SENDER))
        self.addCleanup(self.take_away)
        # A program that starts, and ends no session. The emulator takes its answer for a success, AWS for none.
        logout, before = self.zips / "logout" / "bootstrap.zip", (self.zips / "logout" / "bootstrap.zip").read_bytes()
        self.addCleanup(logout.write_bytes, before)
        shutil.copy(self.zips / "authorizer" / "bootstrap.zip", logout)
        code, said = self.make("deploy", STACK=STACK, LAMBDA_DIR=str(self.zips), PARAMS=f"Sender={SENDER}")
        self.assertNotEqual(code, 0, said)
        self.assertRegex(said, rf"deploy: {STACK} is deployed, and a session goes on after POST /api/logout/, and should be over: .*/aws/lambda/{STACK}-logout.* To go back: `make rollback STACK={STACK}`")
        self.assertEqual(client("dynamodb").scan(TableName=self.outputs()["AccountsTable"])["Items"], [], "nothing stays")
        self.assertIn("Nothing changed", self.deploy(VERIFY="no"))
        code, said = self.make("rollback", STACK=STACK, LAMBDA_DIR=str(self.zips))
        self.assertNotEqual(code, 0, said)
        self.assertIn(f"no deployment of {STACK} before this one is kept", said)
        logout.write_bytes(before)
        self.assertIn("It works: 13 steps", self.deploy())
        self.roll_back(logout)
        # That it could not be tried does not make a deployment fail.
        self.assertIn("Not verified: LoginClientLimit=3/5m allows fewer than", self.deploy(PARAMS="LoginClientLimit=3/5m"))

    def roll_back(self, logout: Path) -> None:
        """From a bad deployment with another parameter to the good one before it, without a build and with the switches as they are now."""
        good, programs = self.parameters(), self.programs()
        code, said = self.make("set", STACK=STACK, LAMBDA_DIR=str(self.zips), PARAMS="SessionLifetime=7d")
        self.assertEqual(code, 0, said)
        before = logout.read_bytes()
        shutil.copy(self.zips / "authorizer" / "bootstrap.zip", logout)
        self.assertNotEqual(self.make("deploy", STACK=STACK, LAMBDA_DIR=str(self.zips), PARAMS="SessionLifetime=14d ProductName=Bad")[0], 0)
        logout.write_bytes(before)
        self.assertNotEqual(self.programs(), programs)
        code, said = self.make("set", STACK=STACK, PARAMS="Registration=closed")
        self.assertEqual(code, 0, said)

        code, said = self.make("rollback", STACK=STACK, LAMBDA_DIR=str(self.zips))
        self.assertEqual(code, 0, said)
        for line in ("SessionLifetime: 14d → 7d", "ProductName: Bad → Doorward", "It works: "):
            self.assertIn(line, said)
        self.assertEqual(self.programs(), programs)
        self.assertEqual(self.parameters() | {"SessionLifetime": "30d"}, good | {"Registration": "closed"}, "what was set by hand meanwhile is a deployment of its own")
        self.assertEqual(self.kept(), {"Sender": SENDER, "SessionLifetime": "7d", "Registration": "closed"})
        self.assertIn("Nothing changed", self.deploy(), "the file and the stack agree")
        # Once more goes further back, to what was there before the parameter was set.
        code, said = self.make("rollback", STACK=STACK, LAMBDA_DIR=str(self.zips))
        self.assertEqual(code, 0, said)
        self.assertIn("SessionLifetime: 7d → 30d", said)
        self.assertEqual(self.parameters(), good | {"Registration": "closed"})
        self.deploy(PARAMS="Registration=open")
        self.assertEqual(self.parameters(), good)
        kept = self.history()
        self.assertTrue(kept)
        for name in kept:
            record = json.loads(client("s3").get_object(Bucket=self.bucket(), Key=name)["Body"].read())
            self.assertIn("Sender", record["parameters"])
            self.assertNotIn("ProxySecret", record["parameters"], "a secret is kept in no file")

    def bucket(self) -> str:
        return next(bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"] if bucket["Name"].startswith("aws-sam-cli-managed"))

    def history(self) -> list[str]:
        """What is kept for `make rollback`."""
        entries = client("s3").list_objects_v2(Bucket=self.bucket(), Prefix=f"{STACK}/").get("Contents", [])
        return [entry["Key"] for entry in entries if "/deployments/" in entry["Key"]]

    def test_a_first_deployment_that_failed_says_what_failed_and_how_to_begin_again(self) -> None:
        cloudformation, name = client("cloudformation"), "failed"
        self.addCleanup(cloudformation.delete_stack, StackName=name)
        nobody = {"Handle": {"Ref": "Handle"}, "Timeout": "1", "Count": 1}
        broken = {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}, "Nothing": {"Type": "AWS::CloudFormation::WaitCondition", "Properties": nobody}}
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": broken}))
        deadline = time.monotonic() + 60
        while (status := cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]).endswith("IN_PROGRESS"):
            self.assertLess(time.monotonic(), deadline, status)
            time.sleep(0.1)
        code, said = self.make("deploy", STACK=name, LAMBDA_DIR="/none", PARAMS=f"Sender={SENDER}")
        self.assertNotEqual(code, 0)
        self.assertRegex(said, r"the first deployment of failed failed \(Nothing: .+\)\. Mend that; then `make delete STACK=failed` takes away")
        self.assertEqual(self.make("delete", STACK=name, CONFIRM=name)[0], 0)
        self.assertIn("Sender", self.make("deploy", STACK=name, LAMBDA_DIR="/none")[1], "as if there had been none")

    def test_sam_finds_nothing_wrong_with_the_template(self) -> None:
        command = [".tools/aws/bin/sam", "validate", "--lint", "--language-extensions", "--template-file", "infra/template.yaml"]
        result = subprocess.run(command, cwd=self.checkout, env=os.environ | {"SAM_CLI_TELEMETRY": "0"}, capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def take_away(self) -> None:
        try:
            client("cloudformation").delete_stack(StackName=STACK)
        finally:
            (self.checkout / "infra" / "samconfig.toml").unlink(missing_ok=True)
            for table in self.tables():
                client("dynamodb").update_table(TableName=table, DeletionProtectionEnabled=False)
                client("dynamodb").delete_table(TableName=table)

    def parameters(self) -> dict[str, str]:
        return {p["ParameterKey"]: p["ParameterValue"] for p in client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["Parameters"]}

    def outputs(self) -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]}

    def post(self, path: str, outputs: dict[str, str], session: str = "", **body: str) -> tuple[int, Any]:
        # On AWS the output ApiUrl is the address. The emulator serves every API under its own URL.
        url = f"{os.environ['AWS_ENDPOINT_URL']}/_aws/execute-api/{outputs['ApiId']}/{outputs['StageName']}{path}"
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Token {session}"} if session else {})
        try:
            with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST"), timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def flow(self, outputs: dict[str, str]) -> None:
        """The life of an account that README shows."""
        name = f"fresh{time.time_ns()}"
        email = f"{name}@example.com"
        first, second, third = PASSWORDS
        self.assertEqual(self.post("/api/register/", outputs, username=name, email=email, password=first)[0], 201)
        status, answer = self.post("/api/login/", outputs, username=name, password=first)
        self.assertEqual(status, 200, answer)
        self.assertEqual(self.post("/api/change_password/", outputs, answer["token"], old_password=first, new_password=second)[0], 200)
        self.assertEqual(self.post("/api/password_reset/", outputs, email=email), (200, {"status": "OK"}))
        mail = self.mail_with_link(email)
        self.assertEqual(mail["Source"].rpartition("<")[2], f"{SENDER}>")
        self.assertIn(f"{outputs['ApiUrl']}/api/password_reset/confirm/?token=", mail["BodyText"], "the link leads to the API's own URL")
        token = re.search(r"dwr_[\w-]+", mail["BodyText"])
        assert token
        self.assertEqual(self.post("/api/password_reset/confirm/", outputs, token=token[0], password=third), (200, {"status": "OK"}))
        self.assertEqual(self.post("/api/logout/", outputs, answer["token"])[0], 401, "the reset ended every session")
        self.assertEqual(self.post("/api/login/", outputs, username=email, password=third)[0], 200)

    def mail_with_link(self, address: str) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with urllib.request.urlopen(os.environ["MAIL_URL"], timeout=60) as response:
                mails = [mail for account in json.load(response)["messages"].values() for mail in account if address in mail["To"]]
            if found := [mail for mail in mails if "dwr_" in mail["BodyText"]]:
                return found[-1]
            time.sleep(0.1)
        raise AssertionError("no mail with a link came within a minute")


if __name__ == "__main__":
    unittest.main()
