"""Deploys the template and the functions' zips to the emulator, like a deployment to AWS."""

import json
import mimetypes
import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

import gateway
from build import zipped
from settings import API_ID, API_ID_TAG, CREDENTIALS, REGION, TEMPLATE, Settings
from root import ROOT
from stack import STACK, cause, start_complaints
from typed import Failure

BUCKET = "doorward-zips"
INBOX = Path(__file__).with_name("inbox")
ACCOUNT_PAGE = ROOT / "examples" / "account-page"


class RoutesChanged(Exception):
    """The emulator cannot change the routes of an API in place; AWS can."""


def client(settings: Settings, service: str, *, patience: int = 60) -> Any:
    """A client for the emulator that ignores this machine's own AWS settings, with a time-out in seconds."""
    return boto3.session.Session(
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    ).client(service, endpoint_url=settings.endpoint, config=Config(retries={"max_attempts": 1}, read_timeout=patience, s3={"addressing_style": "path"}))


def deploy(settings: Settings, binaries: dict[str, Path]) -> dict[str, str]:
    """Deploys or updates the stack and returns its outputs when every function answers. Functions with the same binary are not replaced."""
    parameters = settings.parameters()
    _verify_sender(settings, parameters["Sender"])
    _upload_pages(settings, settings.api_url(parameters["StageName"]))
    cloudformation = client(settings, "cloudformation")
    request = {
        "StackName": STACK,
        "TemplateURL": _upload(settings, binaries),
        "Parameters": [{"ParameterKey": n, "ParameterValue": v} for n, v in parameters.items()],
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        "Tags": [API_ID_TAG],
    }
    try:
        _apply(cloudformation, request)
    except ClientError as error:
        raise Failure(f"the deployment was refused: {error.response['Error']['Message']}") from error
    processed = cloudformation.get_template(StackName=STACK, TemplateStage="Processed")["TemplateBody"]
    _forget_older_zips(settings, processed)
    definition = processed["Resources"]["Api"]["Properties"]["Body"]
    gateway.complete(client(settings, "apigateway"), API_ID, parameters["StageName"], definition, _functions(settings, cloudformation))
    complaints = [complaint for path in sorted(definition["paths"]) if (complaint := _complaint(settings, path, parameters["StageName"]))]
    complaints += start_complaints(client(settings, "lambda"), {program: f"{STACK}-{program}" for program in binaries})
    if complaints:
        raise Failure("; ".join(dict.fromkeys(complaints)))
    outputs = {output["OutputKey"]: output["OutputValue"] for output in _described(cloudformation)["Outputs"]}
    if "EventBusName" in outputs:
        _show_events(settings, outputs["EventBusName"])
    return outputs


def function_variables(settings: Settings) -> dict[str, str]:
    """The variables of all functions."""
    functions = client(settings, "lambda")
    programs = [program for program in settings.template.zips if _is_deployed(settings, program)]
    configurations = (functions.get_function_configuration(FunctionName=f"{STACK}-{program}") for program in programs)
    return {name: value for each in configurations for name, value in each["Environment"]["Variables"].items()}


def _is_deployed(settings: Settings, program: str) -> bool:
    """Whether the stack has this function. Some are only there if a parameter asks for them."""
    functions = client(settings, "lambda")
    try:
        functions.get_function_configuration(FunctionName=f"{STACK}-{program}")
    except functions.exceptions.ResourceNotFoundException:
        return False
    return True


def mails(settings: Settings) -> list[dict[str, Any]]:
    """All mails that were sent."""
    try:
        with urllib.request.urlopen(settings.mail_url, timeout=60) as response:
            accounts = json.load(response)["messages"].values()
    except OSError as error:
        raise Failure(f"{settings.mail_url} does not answer: {error}") from error
    return [message for account in accounts for message in account]


def settle(settings: Settings, patience: float = 60) -> bool:
    """Waits until the mailer has finished the requested mail; not forever, because some mail fails. Returns whether it has."""
    database = client(settings, "dynamodb")
    table = function_variables(settings)["OUTBOX_TABLE"]
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        # The list of held notices (partition "held") is not mail.
        pages = database.get_paginator("scan").paginate(
            TableName=table, FilterExpression="attribute_not_exists(done_at) AND pk <> :held", ExpressionAttributeValues={":held": {"S": "held"}}, ConsistentRead=True
        )
        if not any(page["Items"] for page in pages):
            return True
        time.sleep(0.1)
    return False


def free_name(settings: Settings, name: str) -> str:
    """The name, with a number appended if an account has it."""
    database = client(settings, "dynamodb")
    table = function_variables(settings)["ACCOUNTS_TABLE"]
    for candidate in [name] + [f"{name}{number}" for number in range(2, 100)]:
        claim = {"pk": {"S": f"username#{candidate}"}, "sk": {"S": "claim"}}
        if "Item" not in database.get_item(TableName=table, Key=claim):
            return candidate
    return name


def _complaint(settings: Settings, path: str, stage: str) -> str | None:
    """The problem with the function of a route, if it does not answer."""
    request = urllib.request.Request(settings.api_url(stage) + path, method="OPTIONS")
    try:
        with urllib.request.urlopen(request, timeout=60):
            return None
    except urllib.error.HTTPError as error:
        return f"{path} answers {error.code}: {cause(error.read())}" if error.code >= 500 else None
    except OSError as error:
        return f"{path} does not answer: {error}"


def _verify_sender(settings: Settings, sender: str) -> None:
    try:
        client(settings, "sesv2").create_email_identity(EmailIdentity=sender)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise


def _upload(settings: Settings, binaries: dict[str, Path]) -> str:
    """Uploads what is missing, and returns the URL of the template."""
    s3 = client(settings, "s3")
    s3.create_bucket(Bucket=BUCKET)
    there = {item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])}
    template = TEMPLATE.read_text()
    for name, binary in binaries.items():
        digest, code = zipped(name, binary)
        key = f"{name}-{digest[:16]}.zip"
        if key not in there:
            s3.put_object(Bucket=BUCKET, Key=key, Body=code)
        template = template.replace(f"CodeUri: {settings.template.zips[name]}\n", f"CodeUri: s3://{BUCKET}/{key}\n")
    s3.put_object(Bucket=BUCKET, Key="template.yaml", Body=template.encode())
    return f"{settings.endpoint}/{BUCKET}/template.yaml"


def _forget_older_zips(settings: Settings, processed: dict[str, Any]) -> None:
    """Deletes older zips from the emulator's memory, which a day of `make dev` would fill."""
    s3, deployed = client(settings, "s3"), json.dumps(processed, default=str)
    older = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET)["Contents"] if item["Key"].endswith(".zip") and item["Key"] not in deployed]
    for key in older:
        s3.delete_object(Bucket=BUCKET, Key=key)


def _upload_pages(settings: Settings, api_url: str) -> None:
    """Uploads the inbox page and the example of an account page to the emulator, which also serves the API and the mail, so that no other process or port
    is needed, and no permission of another origin."""
    # The emulator drops a mail's attachments, so the operator's logo is uploaded beside the inbox.
    logo = ROOT / os.environ.get("BRANDING", ".") / "logo.png"
    logos = [logo] if os.environ.get("BRANDING") and logo.is_file() else []
    for folder, more in ((INBOX, logos), (ACCOUNT_PAGE, [])):
        files = [file for file in (*folder.iterdir(), *more) if file.suffix != ".md"]
        _publish(settings, folder.name, {file.name: file.read_bytes().replace(b"https://api.example.org/", f"{api_url}/".encode()) for file in files})


def _publish(settings: Settings, bucket: str, files: dict[str, bytes]) -> None:
    """Uploads files to a bucket that everybody may read."""
    s3 = client(settings, "s3")
    s3.create_bucket(Bucket=bucket)
    # A browser does not sign requests, so with AUTH=true everybody has to be allowed.
    s3.delete_public_access_block(Bucket=bucket)
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [everybody]}))
    for name, content in files.items():
        s3.put_object(Bucket=bucket, Key=name, Body=content, ContentType=mimetypes.guess_type(name)[0], CacheControl="no-cache")


def _show_events(settings: Settings, bus: str) -> None:
    """Sends published events to a queue, for the inbox page. It exists in the emulator only."""
    queues, events = client(settings, "sqs"), client(settings, "events")
    url = queues.create_queue(QueueName="doorward-inbox")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    everybody = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
    queues.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [everybody]})})
    events.put_rule(Name="doorward-inbox", EventBusName=bus, EventPattern='{"source":["doorward"]}')
    events.put_targets(Rule="doorward-inbox", EventBusName=bus, Targets=[{"Id": "inbox", "Arn": arn}])


def _apply(cloudformation: Any, request: dict[str, Any]) -> None:
    """Creates or updates the stack, waits for it, and prints every resource when it is done."""
    stack = _stack(cloudformation)
    seen = {event["EventId"] for event in _events(cloudformation)} if stack else set()
    try:
        (cloudformation.update_stack if stack else cloudformation.create_stack)(**request)
    except ClientError as error:
        if "No updates are to be performed" in error.response["Error"]["Message"]:
            return
        raise
    reasons: list[str] = []
    while True:
        status = _described(cloudformation)["StackStatus"]
        for event in _events(cloudformation):
            if event["EventId"] in seen:
                continue
            seen.add(event["EventId"])
            if event["ResourceStatus"].endswith("FAILED"):
                reasons.append(f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}")
        if not status.endswith("IN_PROGRESS"):
            break
        time.sleep(0.1)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        if stack and any(reason.startswith("Api:") for reason in reasons):
            raise RoutesChanged
        if status in ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"):
            cloudformation.delete_stack(StackName=STACK)
        raise Failure(f"the deployment failed ({status}): {reasons[0] if reasons else 'no reason given'}")


def _stack(cloudformation: Any) -> dict[str, Any] | None:
    try:
        return _described(cloudformation)
    except ClientError:
        return None


def _described(cloudformation: Any) -> dict[str, Any]:
    return dict(cloudformation.describe_stacks(StackName=STACK)["Stacks"][0])


def _events(cloudformation: Any) -> list[dict[str, Any]]:
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=STACK)
    return [event for page in pages for event in page["StackEvents"]][::-1]


def _functions(settings: Settings, cloudformation: Any) -> dict[str, str]:
    """The ARN of every function by its logical name."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
    names = {r["LogicalResourceId"]: r["PhysicalResourceId"] for page in pages for r in page["StackResourceSummaries"] if r["ResourceType"] == "AWS::Lambda::Function"}
    functions = client(settings, "lambda")
    return {logical: functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"] for logical, name in names.items()}
