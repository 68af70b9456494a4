"""Lists every permission of every role in the template, one a line, so that a new permission is a line of a diff.

`python infra/checks/permissions.py` rewrites infra/permissions.txt; `--check` complains when it is not what the template says, and about
an action or a resource with a wildcard whose statement has no comment above it that gives the reason.
"""

import difflib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

INFRA = Path(__file__).resolve().parents[1]
TEMPLATE = INFRA / "template.yaml"
SNAPSHOT = INFRA / "permissions.txt"
HEADER = "# role, action, resource, condition: what the template allows. `make permissions` rewrites this file; `make lint` checks it.\n"
# Writes that may return the old item, each with its reason. All others have `dynamodb:ReturnValues` at NONE, because a write that returns the item
# also reads it (DynamoDB developer guide, "Using IAM policy conditions for fine-grained access control").
RETURNING = {
    ("*", "dynamodb:UpdateItem", "Limits.Arn"): "a count that is refused gives its item back, so that an answer that was lost is not counted twice; it holds counters",
    ("Mailer", "dynamodb:UpdateItem", "Outbox.Arn"): "the lease gives the entry to be sent",
}
WRITES = ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:PartiQLDelete")
POLICIES = ("AWS::IAM::Role", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")


class Loader(yaml.SafeLoader):
    """Reads the template as written: `!GetAtt Accounts.Arn` becomes the text Accounts.Arn, and mappings have their line."""


class Mapping(dict):
    """A mapping with its first line, counted from 0, and the condition of the template under which it is there, if there is one."""

    line = 0
    condition = ""


def _mapping(loader: Loader, node: yaml.MappingNode) -> Mapping:
    mapping = Mapping(loader.construct_mapping(node, deep=True))
    mapping.line = node.start_mark.line
    return mapping


def _tagged(loader: Loader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return _mapping(loader, node)


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
Loader.add_multi_constructor("!", _tagged)


def listed(value: Any) -> list[Any]:
    """A list of one or several values."""
    return value if isinstance(value, list) else [value]


def statements(template: dict[str, Any]) -> Iterator[tuple[str, Mapping]]:
    """The statements of all policies with the names of their roles."""
    for name, resource in template["Resources"].items():
        if not isinstance(resource, dict) or resource["Type"] not in POLICIES:
            continue
        properties = resource["Properties"]
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])] + listed(properties.get("PolicyDocument", []))
        for document in documents:
            for statement in listed(document["Statement"]):
                # `!If [Condition, statement, AWS::NoValue]`: the statement counts, as the most that the role can have.
                if isinstance(statement, list):
                    condition, statement, _ = statement
                    statement.condition = condition
                yield name.removesuffix("Role"), statement


def lines(template: dict[str, Any]) -> list[str]:
    """One line per action and resource."""
    return [
        " ".join([name, "" if statement["Effect"] == "Allow" else statement["Effect"], action, resource, _condition(statement)]).replace("  ", " ").rstrip()
        for name, statement in statements(template)
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]


def _condition(statement: Mapping) -> str:
    conditions = [(operator, key, values) for operator, keys in statement.get("Condition", {}).items() for key, values in keys.items()]
    return "; ".join(f"{operator} {key} {json.dumps(values) if isinstance(values, dict) else ' '.join(listed(values))}" for operator, key, values in conditions)


def complaints(template: dict[str, Any], source: list[str]) -> Iterator[str]:
    """Problems that the list of permissions does not show."""
    for name, resource in template["Resources"].items():
        if not isinstance(resource, dict):
            continue
        if resource["Type"] == "AWS::Serverless::Function" and "Role" not in resource["Properties"]:
            yield f"{name} has no Role of its own; SAM would make one with permissions that nobody sees here."
        if "ManagedPolicyArns" in resource.get("Properties", {}):
            yield f"{name} takes permissions from a managed policy; list them, so that they can be seen."
    used = set()
    for name, statement in statements(template):
        nothing = {values for operator, keys in statement.get("Condition", {}).items() if operator in ("StringEquals", "StringEqualsIfExists")
                   for key, values in keys.items() if key == "dynamodb:ReturnValues"} == {"NONE"}
        for action in listed(statement["Action"]):
            allowed = {(role, action, resource) for role in ("*", name) for resource in listed(statement["Resource"])} & RETURNING.keys()
            used |= allowed
            if (action in WRITES or action in ("*", "dynamodb:*")) and not nothing and not allowed:
                yield f"{name}, line {statement.line + 1}: {action} may give back what it writes over; add StringEqualsIfExists dynamodb:ReturnValues NONE."
    for unused in sorted(RETURNING.keys() - used):
        yield f"{' '.join(unused)} is allowed to give back what it writes over, and the template has no such statement."
    for name, statement in statements(template):
        wild = [text for part in ("Action", "Resource") for text in listed(statement.get(part, "*")) if "*" in text]
        if wild and not source[statement.line - 1].lstrip().startswith("#"):
            yield f"{name}, line {statement.line + 1}: {', '.join(wild)} needs a comment above the statement that says why."


def main(*arguments: str) -> int:
    text = TEMPLATE.read_text()
    template = yaml.load(text, Loader)
    wrong = list(complaints(template, text.splitlines()))
    snapshot = HEADER + "".join(f"{line}\n" for line in lines(template))
    if "--check" not in arguments:
        SNAPSHOT.write_text(snapshot)
    elif (there := SNAPSHOT.read_text() if SNAPSHOT.exists() else "") != snapshot:
        wrong.append("infra/permissions.txt is not what the template says; `make permissions` rewrites it:")
        wrong += list(difflib.unified_diff(there.splitlines(), snapshot.splitlines(), "permissions.txt", "template.yaml", lineterm="", n=0))
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
