"""Sets through the emulator's API what it ignores in the definition of an API: the method ANY, and the gateway's own answers."""

import re
from typing import Any

from botocore.exceptions import ClientError

ANY = "x-amazon-apigateway-any-method"


def complete(gateway: Any, api: str, stage: str, definition: dict[str, Any], functions: dict[str, str]) -> None:
    """Sets these parts of the API and redeploys the stage. `functions` are the ARNs by logical name."""
    resources = {item["path"]: item["id"] for page in gateway.get_paginator("get_resources").paginate(restApiId=api) for item in page["items"]}
    for path, methods in definition["paths"].items():
        # SAM puts a route whose function has a condition under that condition as a whole: {"Fn::If": [condition, {method: …}, …]}.
        if ANY in str(methods):
            function = functions.get(_function(methods))
            # A function whose condition is false does not exist, and its route answers like an unknown route.
            if function:
                _route(gateway, api, resources[path.rstrip("/")], function)
            elif path.rstrip("/") in resources:
                _no_route(gateway, api, resources[path.rstrip("/")])
    for kind, answer in definition["x-amazon-apigateway-gateway-responses"].items():
        gateway.put_gateway_response(
            restApiId=api,
            responseType=kind,
            responseParameters=answer["responseParameters"],
            responseTemplates=answer["responseTemplates"],
            **({"statusCode": str(answer["statusCode"])} if "statusCode" in answer else {}),
        )
    gateway.create_deployment(restApiId=api, stageName=stage)


def _route(gateway: Any, api: str, resource: str, function: str) -> None:
    try:
        gateway.put_method(restApiId=api, resourceId=resource, httpMethod="ANY", authorizationType="NONE")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConflictException":  # it is there from the deployment before
            raise
    uri = f"arn:aws:apigateway:{gateway.meta.region_name}:lambda:path/2015-03-31/functions/{function}/invocations"
    gateway.put_integration(restApiId=api, resourceId=resource, httpMethod="ANY", type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)


def _no_route(gateway: Any, api: str, resource: str) -> None:
    try:
        gateway.delete_method(restApiId=api, resourceId=resource, httpMethod="ANY")
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotFoundException":  # it was not there before either
            raise


def _function(methods: dict[str, Any]) -> str:
    """The logical name of the function behind a route, whose definition says `…/${Login.Arn}/…`, under a condition or not."""
    name = re.search(r"\$\{(\w+)\.Arn\}", str(methods))
    assert name, methods
    return name[1]
