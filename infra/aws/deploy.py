"""`make deploy`: reports what is missing before it builds, shows the changes, deploys, and prints the next steps."""

import os
import re
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError

import answers
import cargo
import check
import gateway
import template as templates
from history import History
from place import Place, is_terminal, outputs, parameters, say
from processes import run
from api import Later
from root import ROOT
from stack import Environment, reason, revives, start_complaints
from template import Template
from typed import Failure, nearest, pairs
from verify import verify

# Regions in which CloudFormation does not have AWS::SES::ConfigurationSet (schemas of its registry, from cfn-lint 1.58.0).
WITHOUT_CONFIGURATION_SETS = (
    "ap-east-1", "ap-east-2", "ap-southeast-4", "ap-southeast-6", "ap-southeast-7", "cn-north-1", "cn-northwest-1", "eu-south-2", "mx-central-1",
)
# The states of a stack whose first deployment failed. It has to be deleted before the next deployment.
NEVER_WORKED = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")


def deploy(stack: str) -> None:
    region, kept = answers.read(stack)
    wanted = requested(os.environ.get("PARAMS", ""))
    template = Template.read()
    place = Place.found(region)
    if place.is_emulator:
        # Somebody who tried the local stack in this shell has its variables there (.local/stack.env).
        say(f"To {place}, because AWS_ENDPOINT_URL is set. In a new shell this goes to AWS.")
    if region and region != place.region:
        raise Failure(f"{stack} is in {region} by {answers.shown()}, and the Region is {place.region}: set AWS_REGION, or give it another STACK.")
    running = _running(place, stack)
    given, notes = decide(template, wanted, kept, running and parameters(running), _defaults(place, stack) if running else {})
    architecture = given.get("Architecture", template.defaults()["Architecture"])
    zips = os.environ.get("LAMBDA_DIR") or templates.released(architecture)
    if zips and os.environ.get("BRANDING"):
        raise Failure("BRANDING is compiled into the functions, and these are built already: deploy from a checkout, without LAMBDA_DIR.")
    _check(place, template, given, zips)
    for line in notes:
        say(line)

    file = templates.from_directory(zips) if zips else _build(architecture)
    if running:
        # A deployment by an earlier release, or a change by `make set`, is not kept yet.
        _keep(place, stack, template)
    before = running and running.get("LastUpdatedTime", running["CreationTime"])
    began = datetime.now(timezone.utc)
    # A secret is stored in no file. If it is not given, CloudFormation keeps its value.
    kept_by_aws = template.secrets() - wanted.keys()
    _sam_deploy(place, stack, file, {name: value for name, value in (template.defaults() | given).items() if name not in kept_by_aws})
    now = place.stack(stack)
    if not now or now["StackStatus"] == "REVIEW_IN_PROGRESS" or _declined(place, stack, began):
        _forget_change_set(place, stack, now)
        raise Failure("nothing was deployed, as you said.")
    answers.write(stack, place.region, {name: value for name, value in given.items() if name not in template.secrets()})
    _keep(place, stack, template)
    programs = {name: f"{stack}-{name}" for name in template.functions}
    if wrong := start_complaints(place.client("lambda"), programs):
        raise Failure(f"{stack} is deployed, and does not work: {'; '.join(wrong)}. `make set` or `make deploy` mends a parameter; `make rollback STACK={stack}` puts the deployment before back.")
    finish(place, stack, now)
    done = "Nothing changed" if before == now.get("LastUpdatedTime", now["CreationTime"]) else "Deployed"
    found = outputs(now)
    prefix = "" if os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") else f"AWS_REGION={place.region} "
    say(f"\n{done}: {stack} in {place}.\n\nURL         {found['ApiUrl']}\nauthorizer  {found['AuthorizerArn']}\nnext        {prefix}make doctor STACK={stack}")


def _keep(place: Place, stack: str, template: Template) -> None:
    """Keeps the present deployment for `make rollback`. If that fails, the deployment still succeeds."""
    try:
        History(place, stack, template.secrets()).note()
    except (Failure, ClientError) as error:
        say(f"note            Not kept for `make rollback`: {reason(error) if isinstance(error, ClientError) else error}")


def finish(place: Place, stack: str, now: dict[str, Any]) -> None:
    """Runs after every change of the code: completes the emulator's API and runs the smoke test."""
    if place.is_emulator:
        _complete(place, stack, now)
    _verify(place, stack)


def _verify(place: Place, stack: str) -> None:
    """Runs the smoke test on the deployed stack, unless VERIFY=no."""
    if os.environ.get("VERIFY", "") == "no":
        return
    say("\nVerifying")
    try:
        verify(Environment(stack, place.session))
    except Later as later:
        say(f"note            Not verified: {later} Then run `make verify STACK={stack}`.")
    except Failure as failure:
        raise Failure(f"{stack} is deployed, and {failure} To go back: `make rollback STACK={stack}`, or put a parameter back with `make set` (OPERATIONS.md, Update and roll back).") from None


def _complete(place: Place, stack: str, now: dict[str, Any]) -> None:
    """Sets the parts of the API's definition that the emulator ignores."""
    cloudformation = place.client("cloudformation")
    definition = cloudformation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]["Resources"]["Api"]["Properties"]["Body"]
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    functions = [r for page in pages for r in page["StackResourceSummaries"] if r["ResourceType"] == "AWS::Lambda::Function"]
    made, prefix = outputs(now), outputs(now)["AuthorizerArn"].rpartition(":")[0]
    arns = {function["LogicalResourceId"]: f"{prefix}:{function['PhysicalResourceId']}" for function in functions}
    gateway.complete(place.client("apigateway"), made["ApiId"], made["StageName"], definition, arns)


def requested(text: str) -> dict[str, str]:
    """The parameters in PARAMS: `Name=value Other='two words'`. `now` means this second."""
    given = pairs(text)
    if wrong := [pair for pair in given if "=" not in pair]:
        raise Failure(f"PARAMS: {wrong[0]!r} is not Name=value.")
    instant = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {name: instant if value == "now" else value for name, value in (pair.split("=", 1) for pair in given)}


def decide(
    template: Template, wanted: dict[str, str], kept: dict[str, str], running: dict[str, str] | None, deployed: dict[str, str],
) -> tuple[dict[str, str], list[str]]:
    """The parameters that differ from the template's defaults, and messages about them.

    Given parameters come first, then saved ones. The stack may have been changed meanwhile by `make set`: values that differ from the defaults with
    which it was deployed, `deployed`, stay, because a deployment must not undo an emergency switch.
    """
    for name in wanted:
        if name not in template.parameters:
            raise Failure(f"PARAMS: the template has no parameter {name}{nearest(name, template.parameters) or '; docs/configuration.md lists them.'}")
    notes = [f"{name} is no parameter any more and is left out." for name in kept if name not in template.parameters]
    kept = {name: value for name, value in kept.items() if name in template.parameters}
    now = {name: value for name, value in (running or {}).items() if name in template.parameters and name not in template.secrets()}
    # A session that was ended stays ended, even if an older file has an earlier value.
    ended = now.get("SessionsNotBefore", "")
    if "SessionsNotBefore" in wanted and revives(ended, wanted["SessionsNotBefore"]):
        raise Failure(f"SessionsNotBefore stays {ended}, because an earlier instant, or none, would revive the sessions that it ended.")
    if "SessionsNotBefore" in kept and revives(ended, kept["SessionsNotBefore"]):
        del kept["SessionsNotBefore"]
    if differ := [name for name, value in kept.items() if name not in wanted and name in now and now[name] != value]:
        name = differ[0]
        raise Failure(f"{answers.shown()} says {name}={kept[name]}, and the stack has {now[name] or 'it empty'}: say which, as in PARAMS=\"{name}={now[name]}\".")
    by_hand = {name: value for name, value in now.items() if value != deployed.get(name)}
    notes += [f"{name} stays {value or 'empty'}, as the stack has it." for name, value in by_hand.items() if name not in kept and name not in wanted and running]
    given = by_hand | kept | wanted
    return {name: value for name, value in given.items() if value != template.defaults().get(name)}, notes


def _running(place: Place, stack: str) -> dict[str, Any] | None:
    """The existing stack, if its first deployment succeeded."""
    found = place.stack(stack)
    if not found or found["StackStatus"] == "REVIEW_IN_PROGRESS":
        return None
    status = found["StackStatus"]
    if status in NEVER_WORKED:
        raise Failure(f"the first deployment of {stack} failed ({_cause(place, stack)}). Mend that; then `make delete STACK={stack}` takes away what is left of it, and deploy again.")
    if status.endswith("IN_PROGRESS"):
        raise Failure(f"{stack} is {status}: somebody is changing it; wait until that is over.")
    return found


def _defaults(place: Place, stack: str) -> dict[str, str]:
    """The defaults of the deployed template."""
    body = place.client("cloudformation").get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    document = body if isinstance(body, dict) else yaml.safe_load(re.sub(r"!\w+", "", body))
    return {name: str(about["Default"]) for name, about in document.get("Parameters", {}).items() if "Default" in about}


def _check(place: Place, template: Template, given: dict[str, str], zips: str) -> None:
    """All problems that can be found before anything is built."""
    values = template.defaults() | given
    if "Sender" not in given:
        raise Failure(f'Sender is missing: make deploy PARAMS="Sender=accounts@your.domain", an address that SES has verified in {place.region}.')
    if complaints := template.complaints(values):
        raise Failure("; ".join(complaints) + ".")
    certificate = re.fullmatch(r"arn:[\w-]+:acm:([\w-]*):.*", values["CertificateArn"])
    if certificate and certificate[1] != place.region:
        raise Failure(f"CertificateArn is in {certificate[1]}, and the stack in {place.region}: a regional API takes a certificate of its own Region.")
    if place.region in WITHOUT_CONFIGURATION_SETS and not values["ConfigurationSet"]:
        raise Failure(f"CloudFormation makes no SES configuration set in {place.region}: make one yourself and give its name as ConfigurationSet.")
    _check_sender(place, given["Sender"])
    _check_settings(template, {name: value for name, value in values.items() if value}, zips)


def _check_settings(template: Template, values: dict[str, str], zips: str) -> None:
    """Checks the parameters with the functions' own parser, so that no function refuses to start. The parser is built with the functions, or comes with the zips."""
    program = cargo.brought(check.PROGRAM)
    if not program and zips:
        return
    if not program:
        _make("check-settings")
        program = ROOT / "target" / "lambda" / check.PROGRAM / "bootstrap"
    if wrong := check.complaints(template.functions, {}, values, program) + check.broken_templates(program):
        raise Failure("; ".join(wrong) + ".")


def _check_sender(place: Place, sender: str) -> None:
    """Whether SES has verified the address, its domain or a parent domain."""
    labels = sender.rpartition("@")[2].split(".")
    ses = place.client("sesv2")
    known = False
    for identity in [sender] + [".".join(labels[start:]) for start in range(len(labels) - 1)]:
        try:
            found = ses.get_email_identity(EmailIdentity=identity)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NotFoundException":
                continue
            say(f"Whether SES has verified {sender} is unknown: these credentials may not ask ({error.response['Error']['Code']}).")
            return
        known = True
        if found["VerifiedForSendingStatus"]:
            return
    waiting = "waits for its verification: follow the mail or the DNS records that SES asks for" if known else "does not know it or its domain: verify it there (console of SES, Identities)"
    raise Failure(f"no mail could be sent from {sender}, because SES in {place.region} {waiting}; then deploy again.")


def _build(architecture: str) -> Path:
    _make("build", f"ARCH={architecture}")
    return templates.FILE


def _make(*goal: str) -> None:
    # A build runs the build scripts of hundreds of crates, so it gets no credentials.
    if run(["make", "--no-print-directory", *goal], cwd=ROOT, env=cargo.environment()) != 0:
        raise Failure("the functions do not build; above is why.")


def _sam_deploy(place: Place, stack: str, file: Path, values: dict[str, str]) -> None:
    # All parameters are passed, because SAM CLI keeps the deployed value of a parameter that is not passed, and new defaults would never be used.
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as named:
        yaml.safe_dump({name: _quoted(value) for name, value in values.items()}, named)
        named.flush()
        command = [str(Path(sys.prefix) / "bin" / "sam"), "deploy", "--template-file", str(file), "--stack-name", stack, "--region", place.region]
        command += ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--resolve-s3", "--no-fail-on-empty-changeset"]
        command += ["--language-extensions", "--confirm-changeset" if is_terminal() else "--no-confirm-changeset"]
        command += ["--parameter-overrides", f"file://{named.name}"]
        # SAM CLI polls every second in the emulator, where nothing takes long, and every five seconds otherwise.
        quick = {"SAM_CLI_POLL_DELAY": "0.5"} if place.is_emulator else {}
        result = subprocess.run(command, cwd=ROOT, env={**os.environ, "SAM_CLI_TELEMETRY": "0", **quick}, check=False)
    if result.returncode != 0:
        raise Failure(f"{stack} was not deployed, and is as it was before ({_cause(place, stack)}).")


def _quoted(value: str) -> str:
    """A value in the form that SAM CLI reads: it removes one pair of quotes and the backslash before a quote."""
    return '"' + value.replace('"', '\\"') + '"' if value else ""


def _cause(place: Place, stack: str) -> str:
    """The first failure of the last operation."""
    try:
        pages = place.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack)
        events = [event for page in pages for event in page["StackEvents"]]
    except ClientError:
        return "SAM CLI says why above"
    failed = []
    for event in events:  # newest first
        own = event["PhysicalResourceId"] == event["StackId"]
        if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in event.get("ResourceStatusReason", ""):
            failed.append(f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}".rstrip("."))
        if own and event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"):
            break
    return failed[-1] if failed else "SAM CLI says why above"


def _declined(place: Place, stack: str, since: datetime) -> bool:
    return any(change["ExecutionStatus"] == "AVAILABLE" and change["CreationTime"] >= since for change in _change_sets(place, stack))


def _change_sets(place: Place, stack: str) -> list[dict[str, Any]]:
    return place.client("cloudformation").list_change_sets(StackName=stack)["Summaries"]


def _forget_change_set(place: Place, stack: str, now: dict[str, Any] | None) -> None:
    """Deletes the change set that was only shown."""
    cloudformation = place.client("cloudformation")
    if now and now["StackStatus"] == "REVIEW_IN_PROGRESS":
        cloudformation.delete_stack(StackName=stack)
    elif now:
        for change in _change_sets(place, stack):
            if change["ExecutionStatus"] == "AVAILABLE":
                cloudformation.delete_change_set(ChangeSetName=change["ChangeSetId"])
