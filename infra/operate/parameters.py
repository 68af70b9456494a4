"""Changes parameters of a deployed stack without a build or a new version, mainly for emergency switches."""

import json
import os
import re
import time
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import ClientError

import check
from stack import Environment, reason, remember, remembered, revives, start_complaints, state_directory, variable
from typed import Failure, nearest, pairs


# The value of `now` in this run, to the second.
_NOW = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def set_parameters(env: Environment) -> int:
    """Sets the parameters in PARAMS: checks them, deploys, calls every function, and restores the old values if one does not start with them."""
    given = _with_sessions_ended(env, _given(env))
    print(env.place)
    for name, value in given.items():
        print(f"{name}: {env.parameters[name] or '(empty)'} → {value or '(empty)'}")
    # The parser may have to be built first. Emergency switches that CloudFormation checks, or that no function reads, need not wait for that.
    judged = _is_judged_by_functions(env, given)
    if judged and (wrong := check.complaints(_programs(env), env.parameters, env.parameters | given)):
        raise Failure(f"{'; '.join(wrong)}. Nothing was changed.")
    if not given or not _update(env, given):
        print("It was so already.")
        return 0
    try:
        wrong = start_complaints(env.client("lambda"), _programs(env))
    except ClientError as error:
        print(f"note  The functions could not be asked whether they start ({reason(error)}): `make doctor` asks the API.")
        wrong = []
    if wrong and not judged:
        # They also failed before, for example because a table was deleted. An emergency switch must work in that case too.
        print(f"note  {'; '.join(wrong)}.")
    elif wrong:
        print("The old values are put back.", flush=True)
        _update(env, {name: env.parameters[name] for name in given})
        raise Failure(f"{'; '.join(wrong)}. It is as it was before.")
    if env.is_local:
        remember(state_directory(), remembered(state_directory()) | given)
        print("Done. The next `make up` keeps it; `make up PARAMS=` puts every parameter back.")
    else:
        print("Done. The next `make deploy` keeps it, and asks which counts where infra/samconfig.toml says another.")
    return 0


def _given(env: Environment) -> dict[str, str]:
    """The parameters in PARAMS. `now` means this second."""
    given = {}
    for pair in pairs(os.environ.get("PARAMS", "")):
        name, equals, value = pair.partition("=")
        if not equals:
            raise Failure(f"PARAMS: {pair!r} is not Name=value.")
        if name not in env.parameters:
            raise Failure(f"The stack has no parameter {name}{nearest(name, env.parameters) or '; docs/configuration.md lists them'}")
        given[name] = _NOW if value == "now" else value
    if not given:
        raise Failure("Say which: make set PARAMS='Registration=closed SessionsNotBefore=now'. docs/configuration.md lists the parameters.")
    return given


def _with_sessions_ended(env: Environment, given: dict[str, str]) -> dict[str, str]:
    """The parameters, unless they would revive ended sessions. If `now` is earlier than the stored instant because of a slow clock, the stored instant stays."""
    ended = env.parameters["SessionsNotBefore"]
    if "SessionsNotBefore" not in given or not revives(ended, given["SessionsNotBefore"]):
        return given
    if given["SessionsNotBefore"] != _NOW:
        raise Failure(f"SessionsNotBefore stays {ended}, because an earlier instant, or none, would revive the sessions that it ended. Nothing was changed.")
    print(f"note  SessionsNotBefore stays {ended}, which is later.")
    return {name: value for name, value in given.items() if name != "SessionsNotBefore"}


def _is_judged_by_functions(env: Environment, given: dict[str, str]) -> bool:
    """Whether a value may be one that the template takes and a function refuses. Empty, the template's own default and this very second are none."""
    read = {name for function in env.functions.values() for name in function.get("Environment", {}).get("Variables", {})}
    declared = env.template["Parameters"]
    return any(value and variable(name) in read and not declared[name].get("AllowedValues") and value != _NOW for name, value in given.items())


def _programs(env: Environment) -> dict[str, str]:
    """The names of the functions by the names of their programs."""
    names = env.names("AWS::Lambda::Function").values()
    return {name.removeprefix(f"{env.name}-"): name for name in names}


def _update(env: Environment, given: dict[str, str]) -> bool:
    """Deploys the deployed template with other parameters, and waits. Returns False if that changes nothing."""
    cloudformation = env.client("cloudformation")
    try:
        cloudformation.update_stack(
            StackName=env.name,
            TemplateURL=_template_url(env),
            Parameters=[{"ParameterKey": n, "ParameterValue": given[n]} if n in given else {"ParameterKey": n, "UsePreviousValue": True} for n in env.parameters],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Tags=env.stack.get("Tags", []),
        )
    except ClientError as error:
        if "No updates are to be performed" in reason(error):
            return False
        raise Failure(reason(error)) from None
    while (status := _status(cloudformation, env)).endswith("IN_PROGRESS"):
        time.sleep(0.1 if env.is_local else 5)
    if status != "UPDATE_COMPLETE":
        raise Failure(f"The stack is {status}, as it was before: its events in CloudFormation say why.")
    return True


def _status(cloudformation: Any, env: Environment) -> str:
    return str(cloudformation.describe_stacks(StackName=env.name)["Stacks"][0]["StackStatus"])


def _template_url(env: Environment) -> str:
    """Where the deployed template lies, as it was before its transforms: beside the functions' code, where the deployment put that.

    `UsePreviousTemplate` would take it after AWS::LanguageExtensions, with the parameters of then filled in: nothing would change.
    """
    original = env.client("cloudformation").get_template(StackName=env.name, TemplateStage="Original")["TemplateBody"]
    body = original if isinstance(original, str) else json.dumps(original, default=str)
    bucket = re.search(r"s3://([^/\s]+)/", body)
    if not bucket:
        raise Failure("The template does not say where its code lies, so it was not deployed by `make deploy`: set the parameter as it was deployed.")
    storage, key = env.client("s3"), f"{env.name}-set.template"
    storage.put_object(Bucket=bucket[1], Key=key, Body=body.encode())
    return f"{storage.meta.endpoint_url}/{bucket[1]}/{key}"
