"""A stack with everything on that is off by default can be deployed, and its alarms and dashboard refer to existing resources."""

import json
import os
import re
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import yaml
from test_keys import TEMPLATE, Loader
from test_life import client, login, register, update

TOPIC = "arn:aws:sns:us-east-1:000000000000:alarms"
ON = {
    "AlarmTopic": TOPIC,
    "AccessLog": "on",
    "Tracing": "on",
    "Dashboard": "on",
    "LoginConcurrency": "5",
    "TableMaxReads": "1000",
    "TableMaxWrites": "1000",
    "DomainName": "accounts.doorward.example",
    "CertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/none",
    "HostedZoneId": "",
}
# The allowed content of a line of the access log: no path, no query, no header, no address.
LOGGED = {"requestId", "integration.requestId", "requestTimeEpoch", "httpMethod", "resourcePath", "status", "error.responseType", "responseLatency", "integrationLatency", "responseLength"}


class Options(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.addClassCleanup(update, **{name: {"AccessLog": "off", "Tracing": "off", "Dashboard": "off", "TableMaxReads": "0", "TableMaxWrites": "0"}.get(name, "") for name in ON})
        update(**ON)
        cls.alarms = [a for a in client("cloudwatch").describe_alarms(MaxRecords=100)["MetricAlarms"] if a["AlarmName"].startswith("doorward-")]

    def test_it_works(self) -> None:
        login(register())
        self.assertEqual(client("lambda").get_function_configuration(FunctionName="doorward-login")["TracingConfig"]["Mode"], "Active")
        self.assertEqual(client("apigateway").get_base_path_mappings(domainName=ON["DomainName"])["items"][0]["restApiId"], "doorward")

    def test_every_alarm_watches_something_that_is_there_and_tells_the_topic(self) -> None:
        pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName="doorward")
        there = {r["PhysicalResourceId"].rpartition("/")[2] for page in pages for r in page["StackResourceSummaries"]} | {"doorward", "v1"}
        self.assertTrue(self.alarms)
        for alarm in self.alarms:
            with self.subTest(alarm["AlarmName"]):
                self.assertEqual(alarm["AlarmActions"], [TOPIC])
                self.assertLessEqual({dimension["Value"] for dimension in alarm["Dimensions"]}, there)

    def test_every_function_table_and_queue_has_its_alarms(self) -> None:
        watched = {(alarm["MetricName"], dimension["Value"]) for alarm in self.alarms for dimension in alarm["Dimensions"]}
        functions = [f["FunctionName"] for f in client("lambda").list_functions()["Functions"] if f["FunctionName"].startswith("doorward-")]
        tables = [os.environ[f"{name}_TABLE"] for name in ("ACCOUNTS", "LIMITS", "OUTBOX")]
        wanted = {(metric, function) for function in functions for metric in ("Errors", "Throttles")}
        wanted |= {(metric, table) for table in tables for metric in ("ReadThrottleEvents", "WriteThrottleEvents")}
        pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName="doorward")
        queues = [r["PhysicalResourceId"].rpartition("/")[2] for page in pages for r in page["StackResourceSummaries"] if r["ResourceType"] == "AWS::SQS::Queue"]
        wanted |= {("ApproximateNumberOfMessagesVisible", queue) for queue in queues}
        self.assertLessEqual(wanted, watched)

    def test_a_page_can_read_what_the_gateway_answers_itself(self) -> None:
        origin = "https://app.doorward.example"
        request = urllib.request.Request(f"{os.environ['API_URL']}/api/nope/", b"{}", {"Origin": origin}, method="POST")
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=60)
        headers = refused.exception.headers
        refused.exception.close()
        self.assertEqual((refused.exception.code, headers["Access-Control-Allow-Origin"], headers["Vary"], headers["Cache-Control"]), (404, origin, "Origin", "no-store"))

    def test_the_access_log_holds_no_path_query_header_or_address(self) -> None:
        stage = yaml.load(Path(TEMPLATE).read_text(), Loader)["Resources"]["Api"]["Properties"]["AccessLogSetting"]
        line, parts = stage[1]["Format"]
        self.assertEqual(set(re.findall(r"\$context\.([\w.]+)", line)), LOGGED)
        # An address only where LogClients asks for it.
        condition, full, otherwise = parts["Client"]
        self.assertEqual((condition, otherwise, re.findall(r"\$context\.([\w.]+)", full)), ("LogsAddresses", "", ["identity.sourceIp"]))
        for shown in (full, otherwise):
            self.assertIn("function_request_id", json.loads(line.replace("${Client}", shown)))


if __name__ == "__main__":
    unittest.main()
