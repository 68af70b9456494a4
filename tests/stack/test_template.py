"""Properties of the template, and of what a compromised role could do."""

import json
import os
import re
import subprocess
import sys
import unittest
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from test_keys import Asked, allows, granted
from test_life import client

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "infra" / "checks"))
from permissions import RETURNING, TEMPLATE, WRITES, Loader, complaints, listed  # noqa: E402

# AWS refuses a stack with more than 500 resources, and each resource costs time and attention. A function with a route needs six: itself, its role, the
# permission of the API to call it, its log group and two alarms. Raise this number only on purpose.
RESOURCES_AT_MOST = 153


@cache
def document(text: str | None = None) -> dict[str, Any]:
    return yaml.load(TEMPLATE.read_text() if text is None else text, Loader)


def could(role: str, action: str, table: str, key: str, attributes: set[str] | None = None, returns: str = "NONE") -> bool:
    """Whether the conditions that AWS evaluates, and the emulator does not, allow a role to do this."""
    keys = frozenset({key})
    what = Asked(action, table, keys, keys, frozenset({"pk", "sk"} | (attributes or set())), returns)
    return any(r == role and allows(statement, what, keys) for r, statement in granted())


class Template(unittest.TestCase):
    def test_it_stays_small(self) -> None:
        processed = client("cloudformation").get_template(StackName="doorward", TemplateStage="Processed")["TemplateBody"]
        asked_for = ("HasWebhook", "WatchesWebhook")  # what only stands with a webhook
        standing = [name for name, resource in processed["Resources"].items() if resource.get("Condition") not in asked_for]
        self.assertLessEqual(len(standing), RESOURCES_AT_MOST)

    def test_what_alarms_use_is_counted_whatever_is_configured(self) -> None:
        source = (ROOT / "shared" / "src" / "metric.rs").read_text()
        listed = re.search(r"const OF_ALARMS: .*?=\s*\[(.*?)\];", source, re.DOTALL)[1]  # type: ignore[index]
        names = {re.search(rf'const {constant}: Self = Self\("(\w+)"\)', source)[1] for constant in re.findall(r"Self::(\w+)", listed)}  # type: ignore[index]
        processed = client("cloudformation").get_template(StackName="doorward", TemplateStage="Processed")["TemplateBody"]
        alarms = [r["Properties"] for r in processed["Resources"].values() if r["Type"] == "AWS::CloudWatch::Alarm"]
        self.assertEqual(names, {alarm["MetricName"] for alarm in alarms if alarm.get("Namespace") == "Doorward"})

    def test_no_function_is_forgotten_where_functions_are_listed(self) -> None:
        template = document()
        resources = template["Resources"]
        functions = {name: r["Properties"] for name, r in resources.items() if isinstance(r, dict) and r["Type"] == "AWS::Serverless::Function"}
        self.assertEqual(set(template["Mappings"]["Functions"]), set(functions))
        # Functions that not every stack has are in no list; what belongs to them has their condition.
        for name in [name for name in functions if "Condition" in resources[name]]:
            condition = resources[name]["Condition"]
            for belonging in (f"{name}Log", f"{name}Role"):
                self.assertEqual(resources[belonging]["Condition"], condition, belonging)
            [alarm] = resources[f"Fn::ForEach::{name}Alarms"][2].values()
            watches = template["Conditions"][alarm["Condition"]]
            self.assertEqual(watches, ["HasAlarmTopic", condition])
            del functions[name]
        for name, properties in functions.items():
            with self.subTest(name):
                short = template["Mappings"]["Functions"][name]["Name"]
                self.assertEqual(properties["FunctionName"], f"${{AWS::StackName}}-{short}")
                self.assertEqual(properties["CodeUri"], f"../target/lambda/{short}/bootstrap.zip")
                self.assertIn(f"{name}Concurrency", template["Parameters"])
                self.assertIn(f"{name}Role", resources)
        for loop, listed_functions in (
            ("logs", resources["Fn::ForEach::Logs"][1]),
            ("alarms", resources["Fn::ForEach::FunctionAlarms"][1]),
            ("reserved concurrency", template["Conditions"]["Fn::ForEach::Reservations"][1]),
        ):
            self.assertEqual(set(listed_functions), set(functions), loop)

    def test_a_route_is_one_method_so_that_its_throttle_is_one_bucket(self) -> None:
        resources = [r for r in document()["Resources"].values() if isinstance(r, dict)]
        events = [e["Properties"] for r in resources if r["Type"] == "AWS::Serverless::Function" for e in r["Properties"].get("Events", {}).values() if e["Type"] == "Api"]
        self.assertEqual({event["Method"] for event in events}, {"ANY"})
        self.assertEqual(len(events), len({event["Path"] for event in events}))

    def test_a_function_may_trace_before_it_is_made(self) -> None:
        # A separate policy would be created beside the functions, and Lambda refuses a traced function whose role lacks the permission.
        roles = {name: r for name, r in document()["Resources"].items() if isinstance(r, dict) and r["Type"] == "AWS::IAM::Role"}
        for name, role in roles.items():
            statements = [s[1] for s in role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"] if isinstance(s, list) and s[0] == "Traces"]
            self.assertEqual([listed(s["Action"]) for s in statements], [["xray:PutTraceSegments", "xray:PutTelemetryRecords"]], name)
        self.assertFalse([name for name, r in document()["Resources"].items() if isinstance(r, dict) and r["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")])

    def test_only_the_authorizer_is_spared_the_lines_that_lambda_writes_of_each_request(self) -> None:
        # START, END and REPORT would be the only lines of an accepted check, because the authorizer logs nothing of it (budgets.rs), and would cost about
        # as much as its read. Other functions keep theirs: a request to them is dearer or rarer, and REPORT says how long it took and what memory it used.
        functions = {name: r["Properties"] for name, r in document()["Resources"].items() if isinstance(r, dict) and r["Type"] == "AWS::Serverless::Function"}
        logging = {name: {key: value for key, value in properties["LoggingConfig"].items() if key != "LogGroup"} for name, properties in functions.items()}
        # A level needs the format JSON (Lambda developer guide, Log-level filtering).
        self.assertEqual(logging.pop("Authorizer"), {"LogFormat": "JSON", "SystemLogLevel": "WARN"})
        self.assertEqual({name: settings for name, settings in logging.items() if settings}, {})
        self.assertFalse({"LoggingConfig"} & set(document()["Globals"]["Function"]), "a level for all functions")

    def test_the_mailer_sees_every_entry_before_the_stream_gives_it_up(self) -> None:
        source = document()["Resources"]["Mailer"]["Properties"]["Events"]["Intents"]["Properties"]
        self.assertEqual((source["MaximumRecordAgeInSeconds"], source["MaximumRetryAttempts"]), (-1, -1))
        self.assertTrue(source["BisectBatchOnFunctionError"])

    def test_what_the_gateway_answers_itself_can_be_read_by_the_pages_that_may_ask(self) -> None:
        answers = document()["Resources"]["Api"]["Properties"]["GatewayResponses"]
        self.assertEqual(set(answers), {"MISSING_AUTHENTICATION_TOKEN", "DEFAULT_4XX", "THROTTLED", "WAF_FILTERED", "DEFAULT_5XX"})
        for kind, answer in answers.items():
            headers = answer["ResponseParameters"]["Headers"]
            with self.subTest(kind):
                self.assertEqual((headers["Access-Control-Allow-Origin"], headers["Vary"]), ("method.request.header.Origin", "'Origin'"))
                self.assertLessEqual({"Cache-Control", "X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options", "Strict-Transport-Security"}, set(headers))

    def test_a_change_of_own_account_deploys_the_routes_again(self) -> None:
        # SAM names the deployment after the routes and the names of their functions, with parameters filled in but conditions left as they are.
        asked = """
import sys, yaml
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse
class NoPolicies:
    def load(self): return {}
for value in ("on", "masked", "off"):
    document = yaml_parse(open(sys.argv[1]).read()) | {"Transform": "AWS::Serverless-2016-10-31"}
    for part in ("Resources", "Conditions"):
        document[part] = {name: content for name, content in document[part].items() if not name.startswith("Fn::ForEach")}
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    made = transform(document, {"OwnAccount": value}, NoPolicies())
    print(*(name for name, resource in made["Resources"].items() if resource["Type"] == "AWS::ApiGateway::Deployment"))
"""
        environment = {**os.environ, "AWS_DEFAULT_REGION": "eu-central-1"}
        result = subprocess.run([sys.executable, "-c", asked, TEMPLATE], capture_output=True, text=True, check=True, env=environment)
        deployments = result.stdout.split()
        self.assertEqual((len(deployments), len(set(deployments))), (3, 3), deployments)

    def test_the_default_endpoint_closes_without_another_deployment(self) -> None:
        # "This setting takes effect when you update any setting on any stage" (API Gateway developer guide, Disable the default endpoint).
        api = document()["Resources"]["Api"]["Properties"]
        self.assertEqual(api["DisableExecuteApiEndpoint"][0], "ClosesDefaultEndpoint")
        self.assertEqual(api["Variables"], {"DefaultEndpoint": "DefaultEndpoint"})

    def test_tables_have_a_key_that_aws_owns_which_costs_nothing(self) -> None:
        tables = [r["Properties"] for r in document()["Resources"].values() if isinstance(r, dict) and r["Type"] == "AWS::DynamoDB::Table"]
        self.assertEqual(len(tables), 3)
        self.assertFalse([table for table in tables if "SSESpecification" in table])

    def test_a_dashboard_has_a_name_of_its_own_in_each_region(self) -> None:
        self.assertEqual(document()["Resources"]["Overview"]["Properties"]["DashboardName"], "${AWS::StackName}-${AWS::Region}")

    def test_it_answers_over_ipv4_only_as_operations_says(self) -> None:
        resources = document()["Resources"]
        self.assertEqual(resources["Api"]["Properties"]["EndpointConfiguration"], {"Type": "REGIONAL"})
        self.assertEqual(resources["Domain"]["Properties"]["EndpointConfiguration"], {"Types": ["REGIONAL"]})
        self.assertEqual([r["Properties"]["Type"] for r in resources.values() if isinstance(r, dict) and r["Type"] == "AWS::Route53::RecordSet"], ["A"])
        self.assertIn("reachable over IPv4 only", " ".join((ROOT / "OPERATIONS.md").read_text().split()))

    def test_the_regions_that_lack_something_are_those_of_cloudformations_registry(self) -> None:
        asked = """
import json, sys
from cfnlint.helpers import REGIONS
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER as registry
print(json.dumps({kind: [r for r in REGIONS if kind not in registry.get_resource_types(region=r)] for kind in sys.argv[1:]}))
"""
        kinds = {r["Type"] for r in document()["Resources"].values() if isinstance(r, dict)} - {"AWS::Serverless::Api", "AWS::Serverless::Function"}
        python = ROOT / ".tools" / "aws" / "bin" / "python"
        result = subprocess.run([python, "-c", asked, *sorted(kinds)], capture_output=True, text=True, check=True)
        missing = {kind: set(regions) for kind, regions in json.loads(result.stdout).items() if regions}
        source = (ROOT / "infra" / "aws" / "deploy.py").read_text().partition("WITHOUT_CONFIGURATION_SETS = (")[2].partition("\n)")[0]
        without = set(re.findall(r'"([\w-]+)"', source))
        self.assertEqual(missing, {"AWS::SES::ConfigurationSet": without, "AWS::SES::ConfigurationSetEventDestination": without})

    def test_nothing_in_it_is_missing_in_some_regions_but_the_configuration_set(self) -> None:
        kinds = {r["Type"] for r in document()["Resources"].values() if isinstance(r, dict)}
        self.assertNotIn("AWS::Budgets::Budget", kinds)
        conditional = {r["Type"] for r in document()["Resources"].values() if isinstance(r, dict) and r.get("Condition") == "HasNoConfigurationSet"}
        self.assertEqual(conditional, {"AWS::SES::ConfigurationSet", "AWS::SES::ConfigurationSetEventDestination"})


    def test_an_api_behind_the_authorizer_caches_its_answers_only_if_that_is_asked_for(self) -> None:
        example = document((ROOT / "examples" / "protected-api" / "template.yaml").read_text())
        cache = example["Parameters"]["AuthorizerCache"]
        self.assertEqual((cache["Default"], cache["MinValue"], cache["MaxValue"]), (0, 0, 3600))
        authorizer = example["Resources"]["Doorward"]["Properties"]
        self.assertEqual(authorizer["AuthorizerResultTtlInSeconds"], "AuthorizerCache")
        # The answers are kept by the header alone, so one session never gets the answer to another.
        self.assertEqual(authorizer["IdentitySource"], ["$request.header.Authorization"])


class Writes(unittest.TestCase):
    """A role that may write cannot read by a write. AWS evaluates these conditions, the emulator does not."""

    def test_every_write_gives_nothing_back_or_has_its_reason(self) -> None:
        text = TEMPLATE.read_text()
        self.assertEqual(list(complaints(document(text), text.splitlines())), [])
        without = text.replace("StringEqualsIfExists: {dynamodb:ReturnValues: NONE}", "StringEqualsIfExists: {dynamodb:ReturnValues: ALL_OLD}")
        found = [c for c in complaints(document(without), without.splitlines()) if "may give back" in c]
        self.assertEqual(len(found), sum(1 for _, s in granted() for a in listed(s["Action"]) if a in WRITES and "dynamodb:ReturnValues" in str(s)))

    def test_no_role_reads_an_account_by_writing_it(self) -> None:
        for role in {role for role, _ in granted()}:
            for action in ("PutItem", "UpdateItem", "DeleteItem"):
                for returns in ("ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"):
                    self.assertFalse(could(role, action, "Accounts", "account#0", returns=returns), f"{role} {action} {returns}")

    def test_only_the_mailer_is_given_mail_that_waits(self) -> None:
        returning = {role for role, _ in granted() for action in ("PutItem", "UpdateItem") for key in ("reset#0", "notice#0")
                     if could(role, action, "Outbox", key, returns="ALL_NEW") or could(role, action, "Outbox", key, returns="ALL_OLD")}
        self.assertEqual(returning, {"Mailer"})
        self.assertEqual({action for _, action, table in RETURNING if table == "Accounts.Arn"}, set())

    def test_register_makes_accounts_and_claims_and_no_session_or_link(self) -> None:
        self.assertTrue(could("Register", "PutItem", "Accounts", "account#0", {"username", "password", "epoch"}))
        for attribute in ("digest", "valid_until", "sent", "expires_at", "undeliverable", "disavowed_at"):
            self.assertFalse(could("Register", "PutItem", "Accounts", "account#0", {attribute}), attribute)
        self.assertFalse(could("Register", "PutItem", "Accounts", "something#0"))
        self.assertFalse(could("Register", "UpdateItem", "Accounts", "account#0"))

    def test_logout_cannot_ask_about_a_password_by_a_condition(self) -> None:
        # A condition on an attribute reveals whether it holds, so a role that may name the password could guess its hash letter by letter.
        for action in ("DeleteItem", "UpdateItem"):
            self.assertTrue(could("Logout", action, "Accounts", "account#0"))
            self.assertFalse(could("Logout", action, "Accounts", "account#0", {"password"}), action)

    def test_sessions_ends_sessions_and_writes_nothing_of_an_account(self) -> None:
        self.assertTrue(could("Sessions", "DeleteItem", "Accounts", "account#0"))
        self.assertTrue(could("Sessions", "ConditionCheckItem", "Accounts", "account#0", {"epoch", "active"}))
        for action in ("DeleteItem", "ConditionCheckItem", "UpdateItem", "PutItem"):
            self.assertFalse(could("Sessions", action, "Accounts", "account#0", {"password"}), action)
        self.assertFalse(could("Sessions", "PutItem", "Accounts", "account#0"))
        self.assertFalse(could("Sessions", "UpdateItem", "Accounts", "account#0", {"epoch"}))

    def test_set_username_moves_a_claim_and_writes_a_name_and_nothing_else(self) -> None:
        self.assertTrue(could("SetUsername", "UpdateItem", "Accounts", "account#0", {"username", "username_folded", "email_folded", "epoch", "active"}))
        self.assertTrue(could("SetUsername", "PutItem", "Accounts", "username#0", {"account_id"}))
        for action in ("PutItem", "UpdateItem", "DeleteItem"):
            for attribute in ("password", "email", "digest", "valid_until"):
                self.assertFalse(could("SetUsername", action, "Accounts", "account#0", {attribute}), f"{action} {attribute}")
            self.assertFalse(could("SetUsername", action, "Accounts", "email#0"), action)
            self.assertFalse(could("Me", action, "Accounts", "username#0"), action)

    def test_register_looks_names_up_only_where_registration_is_silent(self) -> None:
        statements = document()["Resources"]["RegisterRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
        self.assertEqual([s[0] for s in statements if "BatchGetItem" in str(s)], ["RegistersSilently"])

    def test_export_reads_what_is_about_accounts_and_writes_nothing_but_its_counters(self) -> None:
        for table, key in (("Accounts", "account#0"), ("Outbox", "notice#0"), ("Outbox", "reset#0"), ("Limits", "login-account#0")):
            self.assertTrue(could("Export", "Query", table, key), key)
        for table, key in (("Accounts", "email#0"), ("Accounts", "username#0"), ("Accounts", "sweep#0"), ("Outbox", "held"), ("Limits", "login-client#0")):
            self.assertFalse(could("Export", "Query", table, key), key)
        for action in ("PutItem", "UpdateItem", "DeleteItem"):
            for table, key in (("Accounts", "account#0"), ("Outbox", "notice#0"), ("Limits", "login-account#0")):
                self.assertFalse(could("Export", action, table, key, {"email"}), f"{action} {key}")
        for other in ("Me", "Sessions", "SetUsername", "ChangePassword", "Logout"):
            self.assertFalse(could(other, "Query", "Outbox", "notice#0"), other)

    def test_declared_fields_are_written_only_where_there_are_some_and_nothing_else_with_them(self) -> None:
        roles = document()["Resources"]
        for role in ("Me", "Register"):
            statements = [s for s in roles[f"{role}Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"] if "f_*" in str(s)]
            self.assertEqual([s[0] for s in statements], ["HasProfileFields"], role)
        self.assertTrue(could("Register", "PutItem", "Accounts", "account#0", {"f_age", "changed_at"}))
        self.assertTrue(could("Me", "UpdateItem", "Accounts", "account#0", {"f_age", "changed_at"}))
        for attribute in ("password", "epoch", "active", "email", "verified_at", "digest"):
            self.assertFalse(could("Me", "UpdateItem", "Accounts", "account#0", {"f_age", attribute}), attribute)
        self.assertFalse(could("Me", "UpdateItem", "Accounts", "username#0", {"f_age"}))

    def test_the_use_of_a_session_is_noted_only_where_idle_sessions_end_and_nothing_else_with_it(self) -> None:
        roles = document()["Resources"]
        for role in ("Authorizer", "Logout", "Sessions", "ChangePassword"):
            statements = [s for s in roles[f"{role}Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"] if "seen_on" in str(s)]
            self.assertEqual([s[0] for s in statements], ["EndsIdleSessions"], role)
        self.assertTrue(could("Authorizer", "UpdateItem", "Accounts", "account#0", {"seen_on"}))
        for attribute in ("epoch", "valid_until", "password", "active"):
            self.assertFalse(could("Authorizer", "UpdateItem", "Accounts", "account#0", {"seen_on", attribute}), attribute)

    def test_every_function_that_checks_sessions_looks_imported_tokens_up_where_they_are_on_and_nothing_more(self) -> None:
        resources = document()["Resources"]
        checks = {name for name, r in resources.items() if "SESSION_IDLE" in str(r)} - {"Login"}
        self.assertLessEqual({"Authorizer", "Logout", "Sessions", "Me", "SetUsername", "ChangePassword"}, checks)
        for name in checks:
            with self.subTest(name):
                variables = resources[name]["Properties"]["Environment"]["Variables"]
                self.assertEqual(variables["IMPORTED_TOKENS"], "ImportedTokens")
                statements = [s for s in resources[f"{name}Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"] if "token#*" in str(s)]
                self.assertEqual([(s[0], s[1]["Action"]) for s in statements], [("TakesImportedTokens", ["dynamodb:GetItem"])])
        for name in ("Login", "Register", "ConfirmReset", "Disavow"):
            self.assertNotIn("token#*", str(resources[f"{name}Role"]), name)
        self.assertTrue(could("Sweeper", "BatchWriteItem", "Accounts", "token#0"))

    def test_the_publisher_of_events_reads_the_names_of_an_account_where_events_tell_them_and_nothing_else_of_it(self) -> None:
        statements = [s for s in document()["Resources"]["EventPublisherRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"] if "Accounts" in str(s)]
        self.assertEqual([s[0] for s in statements], ["TellsNames"])
        self.assertEqual(statements[0][1]["Condition"]["StringEqualsIfExists"], {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"})
        self.assertTrue(could("EventPublisher", "GetItem", "Accounts", "account#0", {"username", "email"}))
        for attribute in ("password", "networks", "epoch", "digest"):
            self.assertFalse(could("EventPublisher", "GetItem", "Accounts", "account#0", {"username", attribute}), attribute)
        self.assertFalse(could("EventPublisher", "GetItem", "Accounts", "username#0", {"username"}))

    def test_a_session_puts_its_account_out_of_use_and_only_the_sweeper_deletes_it(self) -> None:
        self.assertTrue(could("Me", "UpdateItem", "Accounts", "account#0", {"active", "deleted_at", "delete_after", "epoch"}))
        for attribute in ("password", "deleting", "email", "disavowed_at"):
            self.assertFalse(could("Me", "UpdateItem", "Accounts", "account#0", {attribute}), attribute)
        for partition in ("username#0", "email#0"):
            self.assertFalse(could("Me", "DeleteItem", "Accounts", partition), partition)
            self.assertTrue(could("Sweeper", "DeleteItem", "Accounts", partition), partition)
        self.assertTrue(could("Sweeper", "UpdateItem", "Accounts", "account#0", {"deleting"}))
        for attribute in ("password", "epoch", "email"):
            self.assertFalse(could("Sweeper", "UpdateItem", "Accounts", "account#0", {attribute}), attribute)

    def test_mail_feedback_marks_an_account_and_asks_nothing_of_it(self) -> None:
        self.assertTrue(could("MailFeedback", "UpdateItem", "Accounts", "account#0", {"undeliverable", "undeliverable_at"}))
        for attribute in ("password", "epoch", "active", "email"):
            self.assertFalse(could("MailFeedback", "UpdateItem", "Accounts", "account#0", {attribute}), attribute)

    def test_login_replaces_a_hash_and_a_network_and_switches_nobody_on(self) -> None:
        self.assertTrue(could("Login", "UpdateItem", "Accounts", "account#0", {"password", "networks", "epoch"}))
        for attribute in ("active", "email", "email_folded", "password_changed_at", "digest"):
            self.assertFalse(could("Login", "UpdateItem", "Accounts", "account#0", {attribute}), attribute)


if __name__ == "__main__":
    unittest.main()
