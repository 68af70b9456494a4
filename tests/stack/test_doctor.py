"""`make doctor` on a healthy stack and on one that was broken through AWS's API: it names the problem and fails."""

import os
import subprocess
import sys
import unittest
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import boto3
from test_life import set_parameters

OPERATE = Path(__file__).resolve().parents[2] / "infra" / "operate"
sys.path += [str(OPERATE.parent), str(OPERATE)]
from checks import operation  # noqa: E402

MAILER = "doorward-mailer"


def client(service: str) -> Any:
    return boto3.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"])


def doctor(**environment: str) -> tuple[int, list[str]]:
    """Returns the exit code and the problems."""
    result = subprocess.run([sys.executable, str(OPERATE), "doctor"], env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert not result.stderr, result.stderr
    return result.returncode, [line.removeprefix("wrong ") for line in result.stdout.splitlines() if line.startswith("wrong ")]


@contextmanager
def variables(function: str, **changed: str):  # type: ignore[no-untyped-def]
    """A function whose variables were changed by hand."""
    before = client("lambda").get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    client("lambda").update_function_configuration(FunctionName=function, Environment={"Variables": before | changed})
    try:
        yield
    finally:
        client("lambda").update_function_configuration(FunctionName=function, Environment={"Variables": before})


class Doctor(unittest.TestCase):
    def setUp(self) -> None:
        # A change by another test takes effect only after its call has returned.
        for function in client("lambda").list_functions()["Functions"]:
            client("lambda").get_waiter("function_updated_v2").wait(FunctionName=function["FunctionName"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
            client("lambda").get_waiter("function_active_v2").wait(FunctionName=function["FunctionName"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    def test_a_stack_that_is_well_has_nothing_wrong(self) -> None:
        self.assertEqual(doctor(), (0, []))

    def found(self, says: str) -> None:
        code, wrong = doctor()
        self.assertEqual(code, 1)
        self.assertTrue(any(says in text for text in wrong), f"{says!r} is not in {wrong}")

    def broken(self, *, breaking: Callable[[], Any], mending: Callable[[], Any], says: str) -> None:
        self.addCleanup(mending)
        breaking()
        self.found(says)

    def within(self, broken: AbstractContextManager[Any], says: str) -> None:
        with broken:
            self.found(says)

    def test_a_sender_that_ses_does_not_know(self) -> None:
        sender = client("lambda").get_function_configuration(FunctionName=MAILER)["Environment"]["Variables"]["SENDER"]
        ses = client("sesv2")
        self.broken(
            breaking=lambda: ses.delete_email_identity(EmailIdentity=sender),
            mending=lambda: ses.create_email_identity(EmailIdentity=sender),
            says=f"SES has not verified {sender}",
        )

    def test_a_stream_that_nobody_reads(self) -> None:
        functions = client("lambda")
        mapping = functions.list_event_source_mappings(FunctionName=MAILER)["EventSourceMappings"][0]["UUID"]
        self.broken(
            breaking=lambda: functions.update_event_source_mapping(UUID=mapping, Enabled=False),
            mending=lambda: functions.update_event_source_mapping(UUID=mapping, Enabled=True),
            says=f"no mail leaves: enable {mapping}",
        )

    def test_a_timer_that_does_not_run(self) -> None:
        events = client("events")
        rule = next(rule["Name"] for rule in events.list_rules()["Rules"] if "MailerHeld" in rule["Name"])
        self.broken(
            breaking=lambda: events.disable_rule(Name=rule),
            mending=lambda: events.enable_rule(Name=rule),
            says=f"enable the EventBridge rule {rule}",
        )

    def test_accounts_that_get_no_mail_are_named_by_their_ids(self) -> None:
        database, table = client("dynamodb"), os.environ["ACCOUNTS_TABLE"]
        account = "00000000-0000-7000-8000-000000000001"
        key = {"pk": {"S": f"account#{account}"}, "sk": {"S": "account"}}
        database.put_item(TableName=table, Item=key | {"undeliverable": {"S": "complained"}, "email": {"S": "somebody@example.com"}})
        self.addCleanup(lambda: database.delete_item(TableName=table, Key=key))
        said = subprocess.run([sys.executable, str(OPERATE), "doctor"], env=os.environ, capture_output=True, text=True, check=False).stdout
        self.assertRegex(said, rf"note  \d+ accounts get no mail because it was reported as spam: .*{account}")
        self.assertNotIn("somebody@example.com", said)

    def test_mail_that_failed_for_good(self) -> None:
        database, table = client("dynamodb"), os.environ["OUTBOX_TABLE"]
        key = {"pk": {"S": "notice#00000000-0000-7000-8000-000000000000"}, "sk": {"S": "00000000-0000-7000-8000-000000000000"}}
        marks = {"requested_at": {"N": "0"}, "failed_at": {"N": "0"}, "done_at": {"N": "0"}, "outcome": {"S": "refused"}}
        self.broken(
            breaking=lambda: database.put_item(TableName=table, Item=key | marks),
            mending=lambda: database.delete_item(TableName=table, Key=key),
            says="Mail failed for good (1 refused)",
        )

    def test_mail_that_the_stream_gave_up_on(self) -> None:
        queues = client("sqs")
        outputs = client("cloudformation").describe_stacks(StackName="doorward")["Stacks"][0]["Outputs"]
        url = next(output["OutputValue"] for output in outputs if output["OutputKey"] == "MailFailuresQueue")
        self.broken(
            breaking=lambda: queues.send_message(QueueUrl=url, MessageBody="{}"),
            mending=lambda: queues.purge_queue(QueueUrl=url),
            says="1 messages lie in MailFailures",
        )

    def test_a_configuration_set_that_tracks_clicks(self) -> None:
        ses, name = client("sesv2"), "tracks"
        ses.create_configuration_set(ConfigurationSetName=name)
        self.addCleanup(lambda: ses.delete_configuration_set(ConfigurationSetName=name))
        destination = {"Enabled": True, "MatchingEventTypes": ["CLICK"], "EventBridgeDestination": {"EventBusArn": "arn:aws:events:us-east-1:000000000000:event-bus/default"}}
        ses.create_configuration_set_event_destination(ConfigurationSetName=name, EventDestinationName="clicks", EventDestination=destination)
        self.within(variables(MAILER, CONFIGURATION_SET=name), "tracks opens or clicks (clicks)")
        self.within(variables(MAILER, CONFIGURATION_SET="none-such"), "There is no configuration set none-such")

    def test_a_function_that_a_switch_stops_and_switches_that_stop_nothing(self) -> None:
        result = set_parameters(MailerConcurrency="0", Registration="closed", ThrottleRate="20")
        self.addCleanup(set_parameters, MailerConcurrency="", Registration="open", ThrottleRate="200")
        self.assertEqual(result[0], 0, result[1])
        self.assertEqual(doctor()[1], ["Mailer is stopped, because its reserved concurrency is 0: an emergency switch; `make set PARAMS=MailerConcurrency=` starts it again."])
        notes = subprocess.run([sys.executable, str(OPERATE), "doctor"], capture_output=True, text=True, check=False).stdout
        for said in ("note  Registration is closed", "note  ThrottleRate is 20"):
            self.assertIn(said, notes)

    def test_links_to_nowhere_are_one_finding_and_the_api_is_asked_where_it_is(self) -> None:
        with variables(MAILER, LINK_BASE="http://127.0.0.1:1/nowhere"):
            _, wrong = doctor()
        self.assertEqual([text for text in wrong if "answers nothing: its function's log" in text], [])
        self.assertEqual(len([text for text in wrong if "links in mails lead nowhere" in text]), 1, wrong)

    def test_a_region_counts_by_either_name(self) -> None:
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            regions = {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""} | {name: "us-east-1"}
            self.assertEqual(doctor(**regions), (0, []), name)
        self.assertEqual(doctor(AWS_REGION="us-east-1", AWS_DEFAULT_REGION="eu-central-1")[0], 0, "AWS_REGION goes first, as everywhere")

    def test_links_that_anybody_in_between_can_read_or_that_lead_nowhere(self) -> None:
        self.within(variables(MAILER, LINK_BASE="http://accounts.example.com"), "which is not https")
        self.within(variables(MAILER, LINK_BASE=f"{os.environ['API_URL']}/nowhere"), "not our page: links in mails lead nowhere")

    def test_a_limit_that_somebody_raised_by_hand(self) -> None:
        self.within(variables("doorward-login", LOGIN_ACCOUNT_LIMIT="1000000/1s"), "Login has another LOGIN_ACCOUNT_LIMIT")

    def test_a_function_that_does_not_start(self) -> None:
        self.within(variables("doorward-register", REGISTRATION="ajar"), "/api/register/ answers 5")

    def test_a_stage_that_logs_what_is_sent_to_it(self) -> None:
        gateway = client("apigateway")

        def log(level: str) -> None:
            patch = [{"op": "replace", "path": "/*/*/logging/loglevel", "value": level}]
            gateway.update_stage(restApiId="doorward", stageName="v1", patchOperations=patch)

        self.broken(breaking=lambda: log("INFO"), mending=lambda: log("OFF"), says="logs executions")

    def test_a_stack_that_is_not_there_and_no_region(self) -> None:
        code, wrong = doctor(STACK="none-such")
        self.assertEqual((code, wrong[0].partition(" in ")[0]), (1, "There is no stack none-such"))
        wrong = ["No Region is chosen: set AWS_REGION or AWS_DEFAULT_REGION to the stack's, or one in your AWS profile."]
        self.assertEqual(doctor(AWS_REGION="", AWS_DEFAULT_REGION="", AWS_CONFIG_FILE="/dev/null"), (1, wrong))

    def test_an_account_that_runs_ten_functions_at_once_is_told_where_to_ask_for_more(self) -> None:
        class Account:
            """An AWS account as Lambda and API Gateway describe it; the emulator has another quota."""

            is_local, parameters = True, {"AlarmTopic": ""}

            def __init__(self, at_once: int) -> None:
                self.at_once = at_once

            def client(self, _: str) -> "Account":
                return self

            def get_account_settings(self) -> dict[str, Any]:
                return {"AccountLimit": {"ConcurrentExecutions": self.at_once}}

        told = [finding.text for finding in operation(Account(10))]  # type: ignore[arg-type]
        self.assertEqual(told, ["This account runs 10 functions at once: ask for more in Service Quotas (Lambda, concurrent executions)."])
        self.assertEqual(list(operation(Account(1000))), [])  # type: ignore[arg-type]


if __name__ == "__main__":
    unittest.main()
