"""With IAM enforced by the emulator, each function's role may do what infra/permissions.txt lists for this stack and nothing else."""

import os
import unittest
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from test_keys import NOT_HERE, granted, listed

TABLES = {"Accounts": "ACCOUNTS_TABLE", "Limits": "LIMITS_TABLE", "Outbox": "OUTBOX_TABLE"}
KEY = {"pk": {"S": "nobody#0"}, "sk": {"S": "none"}}
ABSENT = {"ConditionExpression": "attribute_exists(pk)"}  # so that nothing is written

# One harmless request for each of IAM's actions on items.
ITEM_ACTIONS: dict[str, Callable[[Any, str], Any]] = {
    "GetItem": lambda db, table: db.get_item(TableName=table, Key=KEY),
    "BatchGetItem": lambda db, table: db.batch_get_item(RequestItems={table: {"Keys": [KEY]}}),
    "Query": lambda db, table: db.query(TableName=table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": KEY["pk"]}),
    "Scan": lambda db, table: db.scan(TableName=table, Limit=1),
    "PutItem": lambda db, table: db.put_item(TableName=table, Item=KEY, **ABSENT),
    "UpdateItem": lambda db, table: db.update_item(TableName=table, Key=KEY, **ABSENT),
    "DeleteItem": lambda db, table: db.delete_item(TableName=table, Key=KEY),
    "BatchWriteItem": lambda db, table: db.batch_write_item(RequestItems={table: [{"DeleteRequest": {"Key": KEY}}]}),
    "ConditionCheckItem": lambda db, table: db.transact_write_items(TransactItems=[{"ConditionCheck": {"TableName": table, "Key": KEY, **ABSENT}}]),
}


def client(service: str, **credentials: str) -> Any:
    return boto3.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=Config(retries={"max_attempts": 1}), **credentials)


def allowed(request: Callable[[], Any]) -> bool:
    """Whether IAM allows a request, whatever its outcome."""
    try:
        request()
    except ClientError as error:
        return not error.response["Error"]["Code"].startswith("AccessDenied")
    return True


class Permissions(unittest.TestCase):
    """Needs AUTH=true; without it everything is allowed and every test fails."""

    @classmethod
    def setUpClass(cls) -> None:
        pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName="doorward")
        cls.resources = {r["LogicalResourceId"]: r for page in pages for r in page["StackResourceSummaries"]}
        statements = [(role, statement) for role, statement in granted() if statement.condition not in NOT_HERE]
        cls.listed = {(role, action, resource) for role, statement in statements for action in listed(statement["Action"]) for resource in listed(statement["Resource"])}
        cls.roles = {name.removesuffix("Role"): cls.assume(r) for name, r in cls.resources.items() if r["ResourceType"] == "AWS::IAM::Role"}

    @staticmethod
    def assume(resource: dict[str, Any]) -> dict[str, str]:
        role = client("iam").get_role(RoleName=resource["PhysicalResourceId"])["Role"]["Arn"]
        session = client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        return {"aws_access_key_id": session["AccessKeyId"], "aws_secret_access_key": session["SecretAccessKey"], "aws_session_token": session["SessionToken"]}

    def test_every_function_has_a_role_of_its_own(self) -> None:
        functions = {name for name, r in self.resources.items() if r["ResourceType"] == "AWS::Lambda::Function"}
        self.assertEqual(functions, set(self.roles))
        used = {client("lambda").get_function_configuration(FunctionName=self.resources[name]["PhysicalResourceId"])["Role"] for name in functions}
        self.assertEqual(len(used), len(functions))

    def test_a_function_may_do_to_tables_what_is_listed_and_nothing_else(self) -> None:
        for role, credentials in self.roles.items():
            database = client("dynamodb", **credentials)
            for table, variable in TABLES.items():
                for action, request in ITEM_ACTIONS.items():
                    with self.subTest(role=role, action=action, table=table):
                        listed = (role, f"dynamodb:{action}", f"{table}.Arn") in self.listed
                        self.assertEqual(listed, allowed(lambda: request(database, os.environ[variable])))
            self.assertFalse(allowed(lambda: database.delete_table(TableName="none")), role)

    def test_only_the_mailer_sends_mail(self) -> None:
        # AWS checks the sender's address; the emulator does not know ses:FromAddress.
        sender = next(p["ParameterValue"] for p in client("cloudformation").describe_stacks(StackName="doorward")["Stacks"][0]["Parameters"] if p["ParameterKey"] == "Sender")
        content = {"Simple": {"Subject": {"Data": "test"}, "Body": {"Text": {"Data": "test"}}}}
        for role, credentials in self.roles.items():
            with self.subTest(role=role):
                mail = client("sesv2", **credentials)
                may = allowed(lambda: mail.send_email(FromEmailAddress=sender, Destination={"ToAddresses": ["nobody@example.com"]}, Content=content))
                self.assertEqual(role == "Mailer", may)

    def test_a_function_reaches_nothing_else_of_the_account(self) -> None:
        for role, credentials in self.roles.items():
            logs = client("logs", **credentials)
            others = [self.resources[f"{other}Log"]["PhysicalResourceId"] for other in self.roles if other != role]
            requests = [lambda group=group: logs.create_log_stream(logGroupName=group, logStreamName="test") for group in others]
            requests += [
                logs.describe_log_groups,
                client("iam", **credentials).list_roles,
                client("s3", **credentials).list_buckets,
                client("cloudformation", **credentials).describe_stacks,
                lambda: client("lambda", **credentials).invoke(FunctionName=self.resources["Mailer"]["PhysicalResourceId"]),
            ]
            with self.subTest(role=role):
                self.assertEqual([allowed(request) for request in requests], [False] * len(requests))


if __name__ == "__main__":
    unittest.main()
