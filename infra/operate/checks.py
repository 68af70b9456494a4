"""The checks of `make doctor`. Each has a question and a function that yields the problems. They only read."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from botocore.exceptions import ClientError

from stack import Environment, Finding, note

Check = Callable[[Environment], Iterator[Finding]]
CHECKS: list[tuple[str, Check]] = []

# Names that are reserved for documentation (RFC 2606, RFC 6761).
EXAMPLE = re.compile(r"(^|\.)(example|example\.(com|net|org)|test|invalid|localhost)$")
# Maximum number of pages of the Outbox that are read, of 1 MB each.
OUTBOX_PAGES = 10
# Maximum number of pages of the accounts that are read, of 1 MB each, which is about 2,000 accounts.
ACCOUNT_PAGES = 10
# Maximum number of ids in a finding.
LISTED = 10
WHY = {"bounced": "bounced", "complained": "was reported as spam"}


def check(question: str) -> Callable[[Check], Check]:
    def register(function: Check) -> Check:
        CHECKS.append((question, function))
        return function

    return register


@check("the stack is deployed as it was last asked for")
def stack(env: Environment) -> Iterator[Finding]:
    status = env.stack["StackStatus"]
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        yield Finding(f"The stack is {status}: look at its events in CloudFormation and deploy again.")


@check("parameters agree with each other and with the functions")
def parameters(env: Environment) -> Iterator[Finding]:
    given = env.parameters
    domain = given["Sender"].rpartition("@")[2]
    if EXAMPLE.search(domain):
        kind = note if env.is_local else Finding
        yield kind(f"Sender is at {domain}, which is an example: mail leaves a real deployment from a domain of yours (parameter Sender).")
    if given["TableRetention"] != "Retain" and not env.is_local:
        yield Finding("TableRetention is Delete: the accounts would go with the stack; deploy with TableRetention=Retain.")
    if given["SessionsNotBefore"] and datetime.fromisoformat(given["SessionsNotBefore"].replace("Z", "+00:00")) > datetime.now(timezone.utc):
        yield Finding("SessionsNotBefore lies in the future: nobody who logs in stays logged in; set it to now or empty.")
    for origin in filter(None, re.split(r"\s*,\s*", given["AllowedOrigins"])):
        if origin.lower().startswith("http://") and not env.is_local:
            yield Finding(f"AllowedOrigins has {origin}, which is not https: whoever sits in between can ask in its visitors' names.")
    for function, configuration in env.functions.items():
        variables = configuration.get("Environment", {}).get("Variables", {})
        for name, value in given.items():
            variable = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()
            # An empty value means a default that the template fills in; a secret is shown as asterisks.
            if value.strip("*") and variables.get(variable, value) != value:
                yield Finding(f"{function} has another {variable} than the stack's {name}: somebody changed it by hand; deploy again.")


@check("no emergency switch stops anything")
def switches(env: Environment) -> Iterator[Finding]:
    functions, given = env.client("lambda"), env.parameters
    for function, configuration in env.functions.items():
        # By the parameter, or by hand.
        reserved = functions.get_function_concurrency(FunctionName=configuration["FunctionName"]).get("ReservedConcurrentExecutions")
        if f"{function}Concurrency" not in given:
            if reserved == 0:
                yield Finding(f"{function} is stopped, because its reserved concurrency is 0: somebody did that by hand; delete its reserved concurrency.")
        elif given[f"{function}Concurrency"] == "0" or reserved == 0:
            yield Finding(f"{function} is stopped, because its reserved concurrency is 0: an emergency switch; `make set PARAMS={function}Concurrency=` starts it again.")
    if given["Registration"] == "closed":
        yield note("Registration is closed: an emergency switch; deploy with Registration=open, or silent, to take new accounts.")
    if given["SessionsNotBefore"]:
        yield note(f"Sessions and links from before {given['SessionsNotBefore']} have ended (SessionsNotBefore). It never goes back, because that would revive them.")
    for name in ("ThrottleRate", "ThrottleBurst"):
        usual = str(env.template["Parameters"][name]["Default"])
        if float(given[name]) < float(usual):
            yield note(f"{name} is {given[name]}, lower than the usual {usual}: an emergency switch, unless you have less to expect.")


@check("the functions are ready and the API answers")
def api(env: Environment) -> Iterator[Finding]:
    for name, configuration in env.functions.items():
        if configuration.get("State", "Active") != "Active" or configuration.get("LastUpdateStatus", "Successful") != "Successful":
            yield Finding(f"The function {name} is {configuration.get('State')} ({configuration.get('StateReason', 'no reason given')}): deploy again.")
    for path in sorted(env.template["Resources"]["Api"]["Properties"]["Body"]["paths"]):
        status, _ = _ask(env.api_url + path, "OPTIONS")
        if status is None or status >= 500:
            yield Finding(f"{path} answers {status or 'nothing'}: its function's log says why.")
    stage = env.client("apigateway").get_stage(restApiId=env.outputs["ApiId"], stageName=env.outputs["StageName"])
    for method, settings in stage.get("methodSettings", {}).items():
        if settings.get("dataTraceEnabled") or settings.get("loggingLevel", "OFF") != "OFF":
            yield Finding(f"The API's stage logs executions of {method}, tokens and passwords included: turn it off, or deploy again.")


@check("nobody gets past the proxies that are trusted")
def proxies(env: Environment) -> Iterator[Finding]:
    hops = env.parameters.get("TrustedProxyHops", "0")
    if hops == "0":
        return
    direct = env.direct_url
    status, _ = _ask(f"{direct}/api/login/", "OPTIONS")
    unguarded = not env.parameters.get("ProxySecret") and not env.parameters.get("WebAclArn")
    if status not in (None, 403):
        yield Finding(f"TrustedProxyHops is {hops}, and {direct} answers whoever comes past your proxies and writes any address into X-Forwarded-For: deploy with ProxySecret, and DefaultEndpoint=off.")
    elif env.parameters.get("DomainName") and unguarded:
        yield Finding(f"TrustedProxyHops is {hops}, and the endpoint behind {env.parameters['DomainName']} asks nobody for ProxySecret: deploy with one, or with a web ACL that does.")


@check("links in mails lead to the API, over https")
def links(env: Environment) -> Iterator[Finding]:
    base = env.mailer["LINK_BASE"]
    if not base.startswith("https://") and not (env.is_local and base.startswith("http://127.0.0.1")):
        yield Finding(f"Links in mails begin with {base}, which is not https: whoever sits in between reads the token; set LinkBase to an https URL.")
        return
    status, kind = _ask(f"{base}/api/password_reset/confirm/", "GET")
    if (status, kind) != (404, "text/html"):  # our page for a link without a token; any other 404 is not ours
        yield Finding(f"{base}/api/password_reset/confirm/ answers {status or 'nothing'}, not our page: links in mails lead nowhere; mend LinkBase, DNS or the certificate.")


@check("the sender is verified and SES sends")
def sender(env: Environment) -> Iterator[Finding]:
    ses = env.client("sesv2")
    if (given := env.mailer.get("CONFIGURATION_SET")) and not _configuration_set(env):
        yield Finding(f"There is no configuration set {given}, so no mail leaves: make it in SES, or deploy with another ConfigurationSet.")
    address = env.mailer["SENDER"]
    identity = _identity(env)
    if not (identity and identity["VerifiedForSendingStatus"]):
        yield Finding(f"SES has not verified {address} or its domain in {env.session.region_name}, so no mail leaves: verify it there.")
    elif identity.get("DkimAttributes", {}).get("Status") != "SUCCESS":
        yield note("The sender's domain does not sign its mail (DKIM): it may be taken for spam; set DKIM up in SES.")
    account = ses.get_account()
    quota = account["SendQuota"]
    if not account["ProductionAccessEnabled"]:
        yield Finding("SES is in the sandbox and sends to verified addresses only: ask for production access in the SES console.")
    if not account["SendingEnabled"] or account["EnforcementStatus"] == "SHUTDOWN":
        yield Finding(f"SES has stopped sending for this account ({account['EnforcementStatus']}): its console says why and how to appeal.")
    elif account["EnforcementStatus"] == "PROBATION":
        yield Finding("SES has put this account under review: too many bounces or complaints; its console says which.")
    if quota["Max24HourSend"] > 0 and quota["SentLast24Hours"] > 0.8 * quota["Max24HourSend"]:
        yield Finding(f"{quota['SentLast24Hours']:.0f} of {quota['Max24HourSend']:.0f} mails a day are sent: ask SES for a higher quota before it is reached.")
    of_set = ses.get_configuration_set(ConfigurationSetName=name) if (name := _configuration_set(env)) else {}
    if not of_set.get("SendingOptions", {}).get("SendingEnabled", True):
        yield Finding(f"Sending is switched off in the configuration set {name}, so no mail leaves: switch it on there (put-configuration-set-sending-options).")
    own = of_set.get("SuppressionOptions")
    suppressed = (own or account.get("SuppressionAttributes", {})).get("SuppressedReasons", [])
    if missing := {"BOUNCE", "COMPLAINT"} - set(suppressed):
        kind = note if env.is_local else Finding
        yield kind(f"SES does not suppress addresses after {' or '.join(sorted(missing)).lower()}: turn the suppression list of the account or the configuration set on.")


@check("nothing rewrites links in mails")
def tracking(env: Environment) -> Iterator[Finding]:
    ses = env.client("sesv2")
    if name := _configuration_set(env):
        for destination in ses.get_configuration_set_event_destinations(ConfigurationSetName=name)["EventDestinations"]:
            if destination["Enabled"] and {"OPEN", "CLICK"} & set(destination["MatchingEventTypes"]):
                yield Finding(f"The configuration set {name} tracks opens or clicks ({destination['Name']}), so SES rewrites reset links: take these events out.")
    vdm = ses.get_account().get("VdmAttributes", {}).get("DashboardAttributes", {})
    if vdm.get("EngagementMetrics") == "ENABLED":
        yield Finding("SES's Virtual Deliverability Manager tracks engagement, so it rewrites reset links: turn engagement tracking off.")


@check("tables are as the template says")
def tables(env: Environment) -> Iterator[Finding]:
    database = env.client("dynamodb")
    unset = []
    for logical, table in env.names("AWS::DynamoDB::Table").items():
        wanted = env.template["Resources"][logical]["Properties"]
        there = database.describe_table(TableName=table)["Table"]
        if there["TableStatus"] != "ACTIVE":
            yield Finding(f"The table {logical} is {there['TableStatus']}: wait, or look at it in DynamoDB.")
        if there["KeySchema"] != [dict(key) for key in wanted["KeySchema"]]:
            yield Finding(f"The table {logical} has other keys than the template: the functions cannot use it; restore it from a backup.")
        view = wanted.get("StreamSpecification", {}).get("StreamViewType")
        if there.get("StreamSpecification", {}).get("StreamViewType") != view:
            yield Finding(f"The table {logical} has another stream than the template, so mail may not be sent: deploy again.")
        protected = "DeletionProtectionEnabled" in wanted and env.parameters["TableRetention"] == "Retain"
        if protected and not there.get("DeletionProtectionEnabled"):
            yield Finding(f"The table {logical} is not protected from deletion: turn deletion protection on.")
        ttl = database.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        if ttl["TimeToLiveStatus"] not in ("ENABLED", "ENABLING") or ttl.get("AttributeName") != wanted["TimeToLiveSpecification"]["AttributeName"]:
            unset.append(f"expiry of {logical}")
        backups = database.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
        if "PointInTimeRecoverySpecification" in wanted and backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") != "ENABLED":
            unset.append(f"point-in-time recovery of {logical}")
    if unset and env.is_local:
        yield note(f"The emulator reads back as off: {', '.join(unset)}. On AWS they are on.")
    for what in unset if not env.is_local else []:
        yield Finding(f"The {what} is off: turn it on, or deploy again.")


@check("the Outbox's stream is connected to the mailer and to the publisher of events")
def stream(env: Environment) -> Iterator[Finding]:
    yield from _connected(env, "Mailer", "Intents", "mailer", "no mail leaves")
    if "EventPublisher" in env.functions:
        yield from _connected(env, "EventPublisher", "Waiting", "publisher of events", "no event is published")


def _connected(env: Environment, function: str, event: str, called: str, otherwise: str) -> Iterator[Finding]:
    source = env.client("dynamodb").describe_table(TableName=env.outputs["OutboxTable"])["Table"].get("LatestStreamArn")
    mappings = env.client("lambda").list_event_source_mappings(FunctionName=env.functions[function]["FunctionName"])["EventSourceMappings"]
    connected = [mapping for mapping in mappings if mapping["EventSourceArn"] == source]
    if not connected:
        yield Finding(f"The Outbox's stream is not connected to the {called}, so {otherwise}: deploy again.")
    wanted = env.template["Resources"][f"{function}{event}"]["Properties"]["FilterCriteria"]
    for mapping in connected:
        if mapping["State"] not in ("Enabled", "Enabling", "Updating", "Creating"):
            yield Finding(f"The {called}'s event source mapping is {mapping['State']}, so {otherwise}: enable {mapping['UUID']}.")
        if _patterns(mapping.get("FilterCriteria", {})) != _patterns(wanted):
            yield Finding(f"The {called}'s event source mapping has another filter than in the template: deploy again.")
        if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []):
            yield Finding(f"The {called}'s event source mapping takes no report of single failures, so one bad item repeats its batch: deploy again.")


def _patterns(criteria: dict[str, Any]) -> list[Any]:
    return [json.loads(each["Pattern"]) for each in criteria.get("Filters", [])]


@check("notices that are held are sent when they are due")
def timer(env: Environment) -> Iterator[Finding]:
    events, rule = env.client("events"), env.names("AWS::Events::Rule").get("MailerHeld")
    if not rule:
        yield Finding("The mailer's timer is missing, so notices that were held are sent only with the next change: deploy again.")
        return
    name = rule.rpartition("|")[2]
    if events.describe_rule(Name=name)["State"] != "ENABLED":
        yield Finding(f"The mailer's timer is disabled, so notices that were held are sent only with the next change: enable the EventBridge rule {name}.")
    targets = [target["Arn"] for target in events.list_targets_by_rule(Rule=name)["Targets"]]
    if not any(arn.endswith(f":{env.functions['Mailer']['FunctionName']}") for arn in targets):
        yield Finding(f"The EventBridge rule {name} does not call the mailer, so notices that were held are sent only with the next change: deploy again.")


@check("mail reaches the addresses of all accounts")
def reachable(env: Environment) -> Iterator[Finding]:
    unreachable: dict[str, list[str]] = {}
    request: dict[str, Any] = {
        "TableName": env.outputs["AccountsTable"],
        # Names and addresses are not read.
        "ProjectionExpression": "pk, undeliverable",
        "FilterExpression": "attribute_exists(undeliverable)",
    }
    for _ in range(ACCOUNT_PAGES):
        page = env.client("dynamodb").scan(**request)
        for item in page["Items"]:
            unreachable.setdefault(item["undeliverable"]["S"], []).append(item["pk"]["S"].removeprefix("account#"))
        if "LastEvaluatedKey" not in page:
            break
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    else:
        yield note(f"Only the first {ACCOUNT_PAGES} MB of the accounts were looked at.")
    for why, ids in sorted(unreachable.items()):
        more = f" and {len(ids) - LISTED} more" if len(ids) > LISTED else ""
        # It is no problem of the deployment, and the owner may still repair the mailbox.
        yield note(f"{len(ids)} accounts get no mail because it {WHY.get(why, why)}: {', '.join(sorted(ids)[:LISTED])}{more}. OPERATIONS.md says what to do.")


@check("no mail failed for good, and none waits")
def mail(env: Environment) -> Iterator[Finding]:
    for queue, url in env.names("AWS::SQS::Queue").items():
        attributes = env.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
        if count := int(attributes["ApproximateNumberOfMessages"]):
            yield Finding(f"{count} messages lie in {queue}, given up on: OPERATIONS.md says what to do, then purge the queue.")
    failed, waiting, is_whole = _outbox(env)
    if failed:
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(failed.items()))
        yield Finding(f"Mail failed for good ({outcomes}): OPERATIONS.md says how to look at it and retry it.")
    if waiting:
        yield Finding(f"{waiting} mails wait for more than five minutes: look into the mailer's log and its event source mapping.")
    if not is_whole:
        yield note(f"Only the first {OUTBOX_PAGES} MB of the Outbox were looked at.")


@check("whoever runs it is told, and API Gateway may log")
def operation(env: Environment) -> Iterator[Finding]:
    if not env.parameters.get("AlarmTopic"):
        if not env.is_local:
            yield note("There are no alarms: deploy with AlarmTopic, an SNS topic that somebody reads.")
    else:
        try:
            subscribed = env.client("sns").list_subscriptions_by_topic(TopicArn=env.parameters["AlarmTopic"])["Subscriptions"]
        except ClientError:
            yield Finding("AlarmTopic cannot be read, so it may not exist: make it, or deploy with another.")
        else:
            if all(subscription["SubscriptionArn"] == "PendingConfirmation" for subscription in subscribed):
                yield Finding("Nobody has confirmed a subscription of AlarmTopic: alarms go nowhere.")
    if env.parameters.get("AccessLog") == "on" and not env.client("apigateway").get_account().get("cloudwatchRoleArn"):
        yield Finding("API Gateway has no role to log with in this Region, so AccessLog does not work: deploy examples/gateway-log-role.")
    quota = env.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    if quota <= 10:
        yield Finding(f"This account runs {quota} functions at once: ask for more in Service Quotas (Lambda, concurrent executions).")


def _identity(env: Environment) -> dict[str, Any] | None:
    """The SES identity of the sender: its address, its domain or a parent domain, whichever exists first."""
    address = env.mailer["SENDER"]
    domain = address.rpartition("@")[2].split(".")
    for identity in [address] + [".".join(domain[start:]) for start in range(len(domain) - 1)]:
        try:
            return env.client("sesv2").get_email_identity(EmailIdentity=identity)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NotFoundException":
                raise
    return None


def _configuration_set(env: Environment) -> str | None:
    """The configuration set of outgoing mail, if it exists: the mailer's, otherwise the sender's default."""
    name = env.mailer.get("CONFIGURATION_SET") or (_identity(env) or {}).get("ConfigurationSetName")
    try:
        return env.client("sesv2").get_configuration_set(ConfigurationSetName=name)["ConfigurationSetName"] if name else None
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotFoundException":
            raise
        return None


def _outbox(env: Environment) -> tuple[dict[str, int], int, bool]:
    """Counts of permanent failures by outcome and of mail that has waited for more than five minutes, and whether everything was read."""
    failed: dict[str, int] = {}
    waiting = 0
    late = int((datetime.now(timezone.utc) - timedelta(minutes=5)).timestamp() * 1000)
    request: dict[str, Any] = {
        "TableName": env.outputs["OutboxTable"],
        # Recipients are not read.
        "ProjectionExpression": "failed_at, done_at, outcome",
        "FilterExpression": "(attribute_exists(failed_at) AND attribute_exists(done_at)) OR (attribute_not_exists(done_at) AND requested_at < :late)",
        "ExpressionAttributeValues": {":late": {"N": str(late)}},
    }
    for _ in range(OUTBOX_PAGES):
        page = env.client("dynamodb").scan(**request)
        for item in page["Items"]:
            if "done_at" in item:
                outcome = item.get("outcome", {}).get("S", "unknown")
                failed[outcome] = failed.get(outcome, 0) + 1
            else:
                waiting += 1
        if "LastEvaluatedKey" not in page:
            return failed, waiting, True
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    return failed, waiting, False


def _ask(url: str, method: str) -> tuple[int | None, str]:
    """The status and media type that a browser gets from the URL; None if it does not answer."""
    request = urllib.request.Request(url, method=method, headers={"Accept": "text/html"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers.get_content_type()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get_content_type()
    except (OSError, ValueError):
        return None, ""
