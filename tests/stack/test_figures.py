"""Every figure of README.md and OPERATIONS.md has a source: the template, the report of the bench, the code, or a page that is named here.

A figure is a number with a unit, in digits or in words ("five minutes", "less than a cent"). One that none of the tables below knows is red: add where it
comes from, or leave it out.
"""

import json
import math
import re
import sys
import tempfile
import types
import unittest
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "infra" / "checks"), str(ROOT / "tests" / "bench"), str(ROOT / "infra")]
from permissions import TEMPLATE, Loader  # noqa: E402
from routes import ACTIVATION, CHANGE, CONFIRM, DISAVOW, EXPORT, LOGIN, LOGOUT, LOGOUT_ALL, ME, REGISTER, RESEND, RESET, SESSIONS, SET_USERNAME, VALIDATE  # noqa: E402
from operations import OPERATIONS as MEASURED  # noqa: E402
from template import alarms, functions, timers  # noqa: E402

README = (ROOT / "README.md").read_text()
OPERATIONS = (ROOT / "OPERATIONS.md").read_text()
PROTECTION = (ROOT / "docs" / "data-protection.md").read_text()
REPORT = (ROOT / "docs" / "bench" / "report.md").read_text()
DAY = 86_400
EXPORTED = "export own account"
# How long a stream of DynamoDB keeps a record, in days (DynamoDB developer guide, Change data capture for DynamoDB Streams: 24 hours).
OF_STREAM = "1"
ALARM = "CloudWatch, alarms of standard resolution"
# The row of the report with the cost of a million requests to each route. The end of sessions and a request for another address are not measured; they hash
# as a change of the password does and write no more. A verification writes less than a confirmation and hashes nothing.
ROUTES = {
    REGISTER: "register", LOGIN: "login", LOGOUT: "logout", LOGOUT_ALL: "logout everywhere", SESSIONS: "change password", ME: "logout", SET_USERNAME: "set username", CHANGE: "change password",
    RESET: "reset request", VALIDATE: "validate", CONFIRM: "confirm", DISAVOW: "disavow", ACTIVATION: "validate", RESEND: "verification request", EXPORT: "export own account",
}
# Numbers in words. "A" is one only before these units, after these words: in "once a day" it is none.
WORDS = {word: number for number, word in enumerate("one two three four five six seven eight nine ten eleven twelve".split(), start=1)}
SHARES = {"a": 1, "an": 1, "half an": 0.5, "a quarter of an": 0.25}
BEFORE = ("about", "after", "for", "from", "in", "least", "takes", "than", "within")
WORD = rf"(?:{'|'.join(WORDS)})"
UNITS = r"US dollars?|dollars?|cents?|timers|languages|passwords|DynamoDB requests|alarms|seconds?|minutes?|hours?|days?|requests|million|milliseconds|ms|MB|GB|shards?|routes?|logins|executions|printable|random characters|functions|people|bits|bytes|characters|exchanges|mails|steps"
FIGURE = re.compile(
    rf"\b(?:\d[\d,.]*|{WORD})(?: to (?:\d[\d,.]*|{WORD}))? (?:{UNITS})\b"
    rf"|(?:{'|'.join(f'(?<= {word} )' for word in BEFORE)})an? (?:cent|dollar|second|minute|hour|day|week|month|year)\b"
    r"|\b(?:half an|a quarter of an) hour\b",
    re.IGNORECASE,
)
# What stands for `…` in the sentences below.
NUMBER = rf"((?i:\d[\d,.]*\d|\d|{'|'.join(sorted([*WORDS, *SHARES], key=len, reverse=True))}))"
# Statements of others with their sources.
SAID = {
    "10 functions": "Lambda developer guide, Quotas: new accounts have reduced concurrency; 10 is what new accounts report (docs/aws-evening.md)",
    "72 bytes": "bcrypt reads no more of a password (OpenBSD, bcrypt(3))",
    "600 people": "an example",
    "300 seconds": "API Gateway developer guide, Use API Gateway Lambda authorizers: the default of authorizerResultTtlInSeconds",
    "40 to 200 bits": "django-rest-passwordreset, RandomStringTokenGenerator: 10 to 50 hexadecimal characters",
    "24 hours": "django-rest-passwordreset, DJANGO_REST_MULTITOKENAUTH_RESET_TOKEN_EXPIRY_TIME",
    "35 days": "DynamoDB developer guide, Point-in-time recovery, and Restoring a table: the backup that AWS keeps of a deleted table",
    "20 minutes": "AWS re:Post, dynamodb-restore-taking-long: a point-in-time recovery takes at least that, whatever the size",
    "20 to 60 minutes": "DynamoDB developer guide, Restoring a table from a backup: usually less than an hour",
    "2 minutes": "an update of a stack with one parameter, as CloudFormation's own examples take; to be measured (docs/aws-evening.md)",
    "23 MB": "getrusage of doorward-admin (debug build) after 100,000 accounts into dynoxide in process, with a load of 9 on two cores",
    "44 MB": "the same after 100,000 accounts out",
    "45 seconds": "the same",
    "1 minute": "three calls of DynamoDB's control plane; to be measured (docs/aws-evening.md)",
}


def joined(text: str) -> str:
    """A text without its ends of lines."""
    return re.sub(r"\s+", " ", text)


def number(text: str) -> str:
    """A number in words as it is in digits; any other text as it is."""
    return f"{known:g}" if (known := {**WORDS, **SHARES}.get(text.lower())) else text


def pattern(sentence: str) -> str:
    """Finds a sentence whose figures are `…`, in a text whose lines were joined."""
    return rf"(?<!\w){re.escape(sentence)}".replace("…", NUMBER).replace(r"\ ", " ")


@cache
def document() -> dict[str, Any]:
    return yaml.load(TEMPLATE.read_text(), Loader)


def routes() -> list[str]:
    resources = [r for r in document()["Resources"].values() if isinstance(r, dict)]
    found = [e["Properties"]["Path"] for r in resources if r["Type"] == "AWS::Serverless::Function" for e in r["Properties"].get("Events", {}).values() if e["Type"] == "Api"]
    return sorted(found)


def dollars_of_a_million(operation: str) -> float:
    """The last column of the table with the prices of a million."""
    table = REPORT.partition("A million of each operation")[2]
    row = re.search(rf"^\| {re.escape(operation)} \|(.*)\|$", table, re.MULTILINE)
    assert row, operation
    return float(row[1].split("|")[-1])


def price(what: str) -> float:
    row = re.search(rf"^\| {re.escape(what)}[^|]*\| ([\d.]+) \|", REPORT, re.MULTILINE)
    assert row, what
    return float(row[1])


def rate() -> int:
    return int(document()["Parameters"]["ThrottleRate"]["Default"])


def flood() -> float:
    dearest = max(ROUTES.values(), key=dollars_of_a_million)
    return rate() * DAY / 1_000_000 * sum(dollars_of_a_million(ROUTES.get(route, dearest)) for route in routes())


def billed(operation: str) -> int:
    row = re.search(rf"^\| {re.escape(operation)} \| (\d+) \|", REPORT.partition("A million of each operation")[2], re.MULTILINE)
    assert row
    return int(row[1])


def limit(parameter: str) -> list[str]:
    """The number and the window of a limit: 60/5m is 60 and 5."""
    return re.findall(r"\d+", document()["Parameters"][parameter]["Default"])


def days_of_messages(queue: str) -> int:
    return document()["Resources"][queue]["Properties"]["MessageRetentionPeriod"] // DAY


def span(parameter: str) -> str:
    """The number of a span: 30d is 30."""
    return str(document()["Parameters"][parameter]["Default"])[:-1]


def constant(file: str, name: str) -> int:
    """A number in a program of `infra/`."""
    found = re.search(rf"^(?:\w+, )*{name}\b.*? = (\d+)", (ROOT / "infra" / "operate" / file).read_text(), re.MULTILINE)
    assert found, name
    return int(found[1])


def rust_span(module: str, name: str) -> str:
    """The number of a span in the shared crate: span::hours(23) is 23."""
    found = re.search(rf"^const {name}: Duration = span::\w+\((\d+)\)", (ROOT / "shared" / "src" / module / "mod.rs").read_text(), re.MULTILINE)
    assert found, name
    return found[1]


def in_source(file: str, pattern: str) -> str:
    """What a pattern finds in a file."""
    found = re.search(pattern, (ROOT / file).read_text())
    assert found, f"{pattern} in {file}"
    return found[1]


def calls() -> dict[str, tuple[int, int]]:
    """The least and the most calls to DynamoDB of each operation, from the report."""
    table = REPORT.partition("## Calls and units")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| (\d+)(?: to (\d+))? \|", table, re.MULTILINE)
    return {name: (int(least), int(most or least)) for name, least, most in rows}


def calls_of_requests() -> tuple[int, int]:
    """The same of all requests to the API but the export."""
    seen = [calls()[operation.name] for operation in MEASURED if operation.gateway and operation.name != EXPORTED]
    return min(least for least, _ in seen), max(most for _, most in seen)


def cents_of_an_idle_month() -> int:
    return math.ceil(100 * float(re.search(r"they cost ([\d.]+) in a month", REPORT)[1]))  # type: ignore[index]


def alarm(name: str, *loops: str) -> tuple[str, str]:
    """The minutes of an alarm's period, and its threshold."""
    found: Any = document()["Resources"]
    for loop in loops:
        found = found[f"Fn::ForEach::{loop}"][2]
    properties = found[name]["Properties"]
    return str(properties["Period"] // 60), str(properties["Threshold"])


def minutes_late(name: str) -> str:
    """The age at which an alarm finds mail or events late."""
    return str(int(alarm(name)[1]) // 60_000)


def took(words: str) -> float:
    """A measured time of CONTRIBUTING.md, in minutes, rounded up to whole five."""
    return 5 * math.ceil((int(in_source("CONTRIBUTING.md", rf"(\d+) min \d+ s {words}")) + 1) / 5)


def exchanges() -> int:
    """The exchanges that were recorded from the DRF API itself."""
    return sum(len((ROOT / "tests" / "api" / "contract" / f"{name}.jsonl").read_text().splitlines()) for name in ("wire", "multipart"))


TOO_LATE = in_source("shared/src/outbox/entry.rs", r"fn oldest_worth_sending[^}]*span::hours\((\d+)\)")
ASKED_FROM = str(int(float(in_source("admin/src/list.rs", r"const ASKED_FROM: f64 = ([\d.]+);"))))
WEBHOOK_QUEUE = document()["Resources"]["WebhookQueue"]["Properties"]
DAYS_OF_WEBHOOK = f"{WEBHOOK_QUEUE['VisibilityTimeout'] * WEBHOOK_QUEUE['RedrivePolicy']['maxReceiveCount'] / DAY:g}"

# The same for README.
HELD_IN_README: list[tuple[str, list[str]]] = [
    ("While nobody logs in, only … timers run, for less than … cent a month besides storage", [str(len(timers())), str(cents_of_an_idle_month())]),
    ("for … hour at first and … minutes later", [f"{took('in a fresh clone') / 60:g}", str(took("after a"))]),
    ("work without JavaScript, in … languages", [str(len(list((ROOT / "templates" / "language").glob("*.json"))))]),
    ("the tests replay … exchanges recorded", [str(exchanges())]),
    ("one per login, stored as a digest, valid for … days", [span("SessionLifetime")]),
    ("… bits, stored as a digest, valid for … hour, usable once", [str(8 * int(re.search(r"const SECRET_BYTES: usize = (\d+);", (ROOT / "shared/src/token.rs").read_text())[1])), span("ResetLifetime")]),  # type: ignore[index]
    ("at register, change and confirm; at most … characters", [str(document()["Parameters"]["PasswordMaxLength"]["Default"])]),
    ("Rust … or later with a C compiler", [re.search(r'^rust-version = "(.+?)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]]),  # type: ignore[index]
    ("Python … or later", [re.search(r"^OLDEST_PYTHON := (.+)$", (ROOT / "infra" / "tools.mk").read_text(), re.MULTILINE)[1]]),  # type: ignore[index]
]
# Sentences with figures (each `…`), and the values that the figures must have, in order.
HELD: list[tuple[str, list[str]]] = [
    # Sums over functions and routes are rounded up, so that a new one seldom changes them.
    ("An alarm costs … US dollars a month, all of them together less than …", [f"{price(ALARM):.2f}", str(math.ceil(alarms() * price(ALARM)))]),
    ("At … a second, day and night, that is … million requests a day to a route", [str(rate()), f"{rate() * DAY / 1_000_000:.0f}"]),
    ("less than … US dollars a day for all routes together", [f"{math.ceil(flood() / 1000) * 1000:,}"]),
    ("runs 5 logins at once and no more, about … a second at the report's … ms", [f"{5 / (billed('login') / 1000):.0f}", str(billed("login"))]),
    ("so at most about … US dollars a day however many", [f"{5 / (billed('login') / 1000) * DAY * dollars_of_a_million('login') / 1_000_000:.0f}"]),
    ("besides the gateway's … for a million requests", [f"{price('API Gateway, REST API'):.2f}"]),
    ("addresses included, for … days", [str(days_of_messages("FeedbackFailures"))]),
    ("events of bounces that could not be handled, with the address | … days", [str(days_of_messages("FeedbackFailures"))]),
    ("After … wrong passwords within … minutes", limit("LoginAccountLimit")),
    (
        "can make … logins in … minutes, … registrations in an hour and … reset requests in an hour",
        limit("LoginClientLimit") + limit("RegisterClientLimit")[:1] + limit("ResetClientLimit")[:1],
    ),
    ("The stream keeps it for … day", [OF_STREAM]),
    ("stops logins. … functions have such a parameter", [str(sum(name.endswith("Concurrency") for name in document()["Parameters"]))]),
    ("Mail that is older than … hour when", [TOO_LATE]),
    ("or it could not be sent within … hour", [TOO_LATE]),
    ("the stream gave up mail after … day", [OF_STREAM]),
    ("could not be stored for … hour", [str(document()["Resources"]["MailFeedback"]["Properties"]["EventInvokeConfig"]["MaximumEventAgeInSeconds"] // 3600)]),
    ("mail was … minutes old", [minutes_late("MailLateAlarm")]),
    ("events waited for more than … minutes", [minutes_late("EventsLateAlarm")]),
    ("more than … 5xx answers in … minutes", list(reversed(alarm("ApiErrorsAlarm")))),
    ("more than `RefusalsAlarmAt` in … minutes", [alarm("${Metric}Alarm", "RefusalAlarms")[0]]),
    ("ask for confirmation from … dollar on", [ASKED_FROM]),
    ("asks for confirmation from … dollar on", [ASKED_FROM]),
    ("when nothing was written for … minutes (`--patience`)", [in_source("admin/src/import/mod.rs", r'default_value = "(\d+)m"[^\n]*\n\s*patience:')]),
    # Lambda developer guide, Using Lambda with DynamoDB: it reads a shard of a stream four times a second.
    ("usually within … second", ["1"]),
    (
        "A check of a token makes … DynamoDB request, an API request usually … to …, and an export …",
        [str(calls()["check a token"][0]), *map(str, calls_of_requests()), str(calls()[EXPORTED][1])],
    ),
    (
        "only … timers run, the mailer's every … minutes and the sweeper's every hour, together for less than … cent a month besides storage",
        [str(len(timers())), f"{24 * 60 / timers()['mailer']:g}", str(cents_of_an_idle_month())],
    ),
    ("takes up to … for each shard", [str(document()["Resources"]["Mailer"]["Properties"]["Events"]["Intents"]["Properties"]["ParallelizationFactor"])]),
    ("after … minutes. It prints", [str(constant("own_account.py", "ABANDONED_MINUTES"))]),
    ("is tried for … hours, and then kept for … days for `events retry`", [rust_span("event", "TRIED_FOR"), rust_span("event", "LIFETIME")]),
    ("answers 2xx within … seconds", [rust_span("webhook", "TIME")]),
    (
        "comes again every … minutes, for … day, and then lies for … days in the queue `WebhookFailures`",
        [str(WEBHOOK_QUEUE["VisibilityTimeout"] // 60), DAYS_OF_WEBHOOK, str(days_of_messages("WebhookFailures"))],
    ),
    ("did not accept an event within … day", [DAYS_OF_WEBHOOK]),
    ("Its … mails go to SES's mailbox simulator", ["4"]),  # test_verify.py counts them
    ("A mail may take … minutes", [str(constant("verify.py", "MAIL_SECONDS") // 60)]),
    ("with at least … random characters", [re.search(r"\{(\d+),\}", document()["Parameters"]["ProxySecret"]["AllowedPattern"])[1]]),  # type: ignore[index]
]


class Figures(unittest.TestCase):
    def test_every_figure_is_what_it_comes_from(self) -> None:
        for text, held in ((OPERATIONS + PROTECTION, HELD), (README, HELD_IN_README)):
            for sentence, wanted in held:
                with self.subTest(sentence):
                    found = re.search(pattern(sentence), joined(text))
                    self.assertTrue(found, "no such sentence")
                    self.assertEqual([number(figure) for figure in found.groups()], wanted)  # type: ignore[union-attr]

    def test_no_figure_stands_there_that_comes_from_nowhere(self) -> None:
        for text, held in ((OPERATIONS, HELD), (README, HELD_IN_README)):
            text = joined(text)
            spans = [found.span() for sentence, _ in held for found in re.finditer(pattern(sentence) + r"[^.|]*", text)]
            unknown = [
                figure[0]
                for figure in FIGURE.finditer(text)
                if figure[0] not in SAID and not any(start <= figure.start() and figure.end() <= end for start, end in spans)
            ]
            self.assertEqual(unknown, [])

    def test_every_parameter_and_alarm_that_is_named_is_there_and_every_alarm_is_explained(self) -> None:
        template = document()
        named = set(re.findall(r"(?<![…\w])([A-Z][a-z]\w+)=", OPERATIONS)) - {"Name"}
        self.assertLessEqual(named, set(template["Parameters"]) | {"Dollars", "Email"})
        table = OPERATIONS.partition("## Alarms")[2].partition("\n## ")[0]
        explained = [word.strip("…") for row in re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE) for word in re.findall(r"`([^`]+)`", row)]
        processed: list[str] = []
        for name, resource in template["Resources"].items():
            if isinstance(resource, dict) and resource["Type"] == "AWS::CloudWatch::Alarm":
                processed.append(name.removesuffix("Alarm"))
        loops = {"QueueAlarms": ["MailFailures", "FeedbackFailures"], "RefusalAlarms": ["LoginsRefused", "LoginsLimited"], "TableAlarms": ["ThrottleEvents"], "FunctionAlarms": ["Errors", "Throttles"], "EventPublisherAlarms": ["Errors", "Throttles"], "MeAlarms": ["Errors", "Throttles"], "SetUsernameAlarms": ["Errors", "Throttles"], "ExportAlarms": ["Errors", "Throttles"], "WebhookAlarms": ["Errors", "Throttles"], "SweeperAlarms": ["Errors", "Throttles"], "VerifyAddressAlarms": ["Errors", "Throttles"], "ResendVerificationAlarms": ["Errors", "Throttles"]}
        self.assertEqual({f"Fn::ForEach::{loop}" for loop in loops}, {name for name in template["Resources"] if name.endswith("Alarms")})
        for alarm in processed + [name for names in loops.values() for name in names]:
            self.assertTrue(any(word.endswith(alarm) for word in explained), f"{alarm} is not explained")

    def test_the_regions_are_those_that_a_deployment_asks_about(self) -> None:
        source = (ROOT / "infra" / "aws" / "deploy.py").read_text().partition("WITHOUT_CONFIGURATION_SETS = (")[2].partition("\n)")[0]
        row = re.search(r"^\| ([\w, -]+) \| `AWS::SES::ConfigurationSet` \|", OPERATIONS, re.MULTILINE)
        self.assertTrue(row)
        self.assertEqual(row[1].split(", "), re.findall(r'"([\w-]+)"', source))  # type: ignore[index]

    def test_every_price_is_of_a_route(self) -> None:
        self.assertLessEqual(set(ROUTES), set(routes()))

    def test_the_report_is_what_its_measurements_and_todays_template_give(self) -> None:
        # It counts metrics, so a new one makes it false until it is written again: make bench PARTS=report.
        pictures = types.ModuleType("plots")
        for name in ("cold", "warm", "peer", "load", "growth", "cost"):
            setattr(pictures, name, lambda *_: None)
        with mock.patch.dict(sys.modules, {"plots": pictures}), tempfile.TemporaryDirectory() as directory:
            import report

            report.write(json.loads((ROOT / "docs" / "bench" / "results.json").read_text()), Path(directory))
            self.assertEqual((Path(directory) / "report.md").read_text(), REPORT, "make bench PARTS=report")

    def test_every_target_that_is_missed_says_why(self) -> None:
        table = REPORT.partition("## Targets\n\n")[2].partition("\n\n")[0]
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| ")][2:]
        self.assertTrue(rows)
        for what, *_, verdict, why in rows:
            with self.subTest(what):
                self.assertEqual(why == "", verdict == "met", f"{verdict}: add the reason in tests/bench/targets.py")

    def test_a_part_of_the_bench_that_is_not_there_is_refused_with_the_nearest(self) -> None:
        import parts
        from typed import Failure

        parts.check([*parts.PARTS, parts.REST, parts.REPORT])
        with self.assertRaisesRegex(Failure, "there is no part cld; did you mean cold"):
            parts.check(["warm", "cld"])

    def test_what_is_measured_is_a_function_and_has_its_rows(self) -> None:
        for operation in MEASURED:
            self.assertIn(operation.function, functions())
            self.assertIn(f"\n| {operation.name} |", REPORT)
            self.assertIn(f"\n| {operation.function} |", REPORT)


if __name__ == "__main__":
    unittest.main()
