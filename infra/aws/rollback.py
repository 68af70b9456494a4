"""`make rollback`: puts the deployment before the last one back, its code and its parameters, without a build."""

import time
from typing import Any

from botocore.exceptions import ClientError

import answers
import deploy
from history import SWITCHES, Deployment, History
from place import Place, confirm, is_terminal, say
from stack import reason, start_complaints
from template import Template
from typed import Failure


def rollback(stack: str) -> None:
    place = Place.found(answers.read(stack)[0])
    running = place.existing(stack)
    if running["StackStatus"].endswith("IN_PROGRESS"):
        raise Failure(f"{stack} is {running['StackStatus']}: somebody is changing it; wait until that is over.")
    template = Template.read()
    history = History(place, stack, template.secrets())
    before = history.before()
    now = history.now.parameters
    values = before.parameters | {name: now[name] for name in SWITCHES if name in now and name in before.parameters}
    say(f"{stack} in {place} goes back to the deployment of {before.at[:19]}Z.")
    for name in sorted(values.keys() | now.keys()):
        if values.get(name) != now.get(name):
            say(f"{name}: {now.get(name) or '(empty)'} → {values.get(name) or '(empty)'}")
    if is_terminal():
        confirm("The accounts stay as they are.", stack)
    _update(place, stack, history, before, values, template.secrets() & {p["ParameterKey"] for p in running.get("Parameters", [])})
    after = place.existing(stack)
    history.is_at(before)
    defaults = template.defaults()
    kept = {name: value for name, value in values.items() if name in template.parameters and value != defaults.get(name)}
    answers.write(stack, place.region, kept)
    if wrong := start_complaints(place.client("lambda"), {name: f"{stack}-{name}" for name in template.functions}):
        raise Failure(f"{stack} went back, and does not work either: {'; '.join(wrong)}.")
    deploy.finish(place, stack, after)
    say(f"\nBack: {stack} in {place}. `make rollback` once more goes to the deployment before that; `make deploy` goes forward.")


def _update(place: Place, stack: str, history: History, to: Deployment, values: dict[str, str], secrets: set[str]) -> None:
    cloudformation = place.client("cloudformation")
    given: list[dict[str, Any]] = [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
    given += [{"ParameterKey": name, "UsePreviousValue": True} for name in secrets if f"{name}:" in to.template or f'"{name}"' in to.template]
    try:
        cloudformation.update_stack(
            StackName=stack, TemplateURL=history.address(to), Parameters=given, Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
    except ClientError as error:
        if "No updates are to be performed" not in reason(error):
            raise Failure(f"{stack} is as it was before ({reason(error)}).") from None
        say("It was so already.")
        return
    while (status := place.existing(stack)["StackStatus"]).endswith("IN_PROGRESS"):
        time.sleep(0.2 if place.is_emulator else 5)
    if status != "UPDATE_COMPLETE":
        raise Failure(f"{stack} is {status}, as it was before: its events in CloudFormation say why.")
