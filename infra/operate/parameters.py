"""Changes parameters of a deployed stack and nothing else: no build, no new version. Made for the emergency levers."""

import json
import os
import re
import shlex
import time
from datetime import datetime, timezone

from botocore.exceptions import ClientError

from environment import Environment, Unreachable


def template_url(env: Environment) -> str:
    """Where the deployed template lies, as it was before its transforms: beside the functions' code, where the deployment put that.

    `UsePreviousTemplate` would take it after AWS::LanguageExtensions, with the parameters of then filled in: nothing would change.
    """
    original = env.client("cloudformation").get_template(StackName=env.name, TemplateStage="Original")["TemplateBody"]
    body = original if isinstance(original, str) else json.dumps(original, default=str)
    bucket = re.search(r"s3://([^/\s]+)/", body)
    if not bucket:
        raise Unreachable("The template does not say where its code lies, so it was not deployed by `make deploy`: set the parameter as it was deployed.")
    storage, key = env.client("s3"), f"{env.name}-set.template"
    storage.put_object(Bucket=bucket[1], Key=key, Body=body.encode())
    return f"{storage.meta.endpoint_url}/{bucket[1]}/{key}"


def set_parameters(env: Environment) -> bool:
    """Sets what PARAMS says, `Name=value …`, and waits for it; whether it was done. `now` is this second."""
    given = dict(pair.partition("=")[::2] for pair in shlex.split(os.environ.get("PARAMS", "")))
    if not given or given.keys() - env.parameters.keys():
        print(f"wrong Say which: make set PARAMS='Registration=closed SessionsNotBefore=now'. The stack has {', '.join(sorted(env.parameters))}.")
        return False
    given = {name: datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if value == "now" else value for name, value in given.items()}
    print(env.place)
    for name, value in given.items():
        print(f"{name}: {env.parameters[name] or '(empty)'} → {value or '(empty)'}")
    cloudformation = env.client("cloudformation")
    try:
        cloudformation.update_stack(
            StackName=env.name,
            TemplateURL=template_url(env),
            Parameters=[{"ParameterKey": n, "ParameterValue": given[n]} if n in given else {"ParameterKey": n, "UsePreviousValue": True} for n in env.parameters],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Tags=env.stack.get("Tags", []),
        )
    except ClientError as error:
        nothing_to_do = "No updates are to be performed" in error.response["Error"]["Message"]
        print("It was so already." if nothing_to_do else f"wrong {error.response['Error']['Message']}")
        return nothing_to_do
    while (status := cloudformation.describe_stacks(StackName=env.name)["Stacks"][0]["StackStatus"]).endswith("IN_PROGRESS"):
        time.sleep(0.1 if env.is_local else 5)
    if status != "UPDATE_COMPLETE":
        print(f"wrong The stack is {status}, as it was before: its events in CloudFormation say why.")
        return False
    print("Done. The next `make deploy` keeps it, and asks which counts where infra/samconfig.toml says another.")
    return True
