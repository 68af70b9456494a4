"""The last deployments of a stack, in the bucket that SAM CLI puts the functions' code into: a template and parameters of each.

The template names the zips by their content, and SAM CLI deletes none, so a deployment is complete with it. Secrets are not kept: CloudFormation
has them and gives them to nobody.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import ClientError

from place import Place, parameters
from typed import Failure

# Emergency switches stay as they are, because somebody who used one after a deployment had a reason.
SWITCHES = ("SessionsNotBefore", "Registration")
# Deployments that are kept. Their zips stay in the bucket either way.
KEPT = 10


@dataclass(frozen=True)
class Deployment:
    """What was deployed, and when."""

    at: str
    template: str
    parameters: dict[str, str]


class History:
    """The deployments of one stack."""

    def __init__(self, place: Place, stack: str, secrets: set[str]) -> None:
        self._place, self._stack, self._secrets = place, stack, secrets
        # A stack that is deleted and deployed again has an id of its own, and nothing to go back to.
        self._folder = f"{stack}/{place.existing(stack)['StackId'].rpartition('/')[2]}"
        self._storage = place.client("s3")
        self.now = self._deployed()
        found = re.search(r"s3://([^/\s\"']+)/", self.now.template)
        if not found:
            raise Failure(f"the template of {stack} does not say where its code lies, so it was not deployed by `make deploy`.")
        self._bucket = found[1]

    def note(self) -> None:
        """Keeps the present deployment, unless it was kept last, and deletes the oldest ones."""
        names = self._names()
        current = self._current(names)
        if current and _same(self._read(current), self.now):
            return
        # Deployments that a rollback has undone are not kept.
        undone = [name for name in names if current and name > current]
        self._write(self.now.at, self.now)
        self._point_to(self.now.at)
        for name in undone + names[: max(0, len(names) - len(undone) + 1 - KEPT)]:
            self._storage.delete_object(Bucket=self._bucket, Key=self._key(name))

    def before(self) -> Deployment:
        """The deployment before the one that is there now."""
        names = self._names()
        current = self._current(names)
        earlier = [name for name in names if current and name < current]
        # The present deployment may not have been kept, because the command may have been stopped before.
        if current and not _same(self._read(current), self.now, of_code=True):
            earlier.append(current)
        if not earlier:
            raise Failure(f"no deployment of {self._stack} before this one is kept (the bucket {self._bucket} keeps the last {KEPT}).")
        return self._read(earlier[-1])

    def is_at(self, deployment: Deployment) -> None:
        """Records that this deployment is the present one again."""
        self._point_to(deployment.at)

    def address(self, deployment: Deployment) -> str:
        """Where CloudFormation reads the template of this deployment."""
        key = f"{self._folder}/rollback.template"
        self._storage.put_object(Bucket=self._bucket, Key=key, Body=deployment.template.encode())
        return f"{self._storage.meta.endpoint_url}/{self._bucket}/{key}"

    def _deployed(self) -> Deployment:
        stack = self._place.existing(self._stack)
        original = self._place.client("cloudformation").get_template(StackName=self._stack, TemplateStage="Original")["TemplateBody"]
        template = original if isinstance(original, str) else json.dumps(original, default=str)
        given = {name: value for name, value in parameters(stack).items() if name not in self._secrets}
        return Deployment(datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), template, given)

    def _names(self) -> list[str]:
        """When the kept deployments were made, the oldest first."""
        prefix = self._key("")
        pages = self._storage.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        names = [entry["Key"].removeprefix(prefix) for page in pages for entry in page.get("Contents", [])]
        return sorted(names)

    def _current(self, names: list[str]) -> str | None:
        """The deployment that was deployed or restored last."""
        try:
            name = self._storage.get_object(Bucket=self._bucket, Key=f"{self._folder}/deployed")["Body"].read().decode()
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
                raise
            name = ""
        return name if name in names else names[-1] if names else None

    def _point_to(self, name: str) -> None:
        self._storage.put_object(Bucket=self._bucket, Key=f"{self._folder}/deployed", Body=name.encode())

    def _read(self, name: str) -> Deployment:
        kept: dict[str, Any] = json.loads(self._storage.get_object(Bucket=self._bucket, Key=self._key(name))["Body"].read())
        return Deployment(name, kept["template"], kept["parameters"])

    def _write(self, name: str, deployment: Deployment) -> None:
        body = json.dumps({"template": deployment.template, "parameters": deployment.parameters})
        self._storage.put_object(Bucket=self._bucket, Key=self._key(name), Body=body.encode())

    def _key(self, name: str) -> str:
        return f"{self._folder}/deployments/{name}"


def _same(one: Deployment, other: Deployment, *, of_code: bool = False) -> bool:
    """Whether two deployments differ in nothing that a rollback puts back."""
    given = [{name: value for name, value in each.parameters.items() if name not in SWITCHES} for each in (one, other)]
    return one.template == other.template and (of_code or given[0] == given[1])
