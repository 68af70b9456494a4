"""Deploys examples/protected-api beside the running stack and prints its URL. Everything comes from the variables of stack.env."""

import os
import sys
import uuid
from pathlib import Path

import boto3

TEMPLATE = Path(__file__).resolve().parents[2] / "examples" / "protected-api" / "template.yaml"
# The page that may call it.
ORIGIN = "https://app.doorward.internal"


def main() -> None:
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    cloudformation = boto3.client("cloudformation", endpoint_url=endpoint)
    name = f"protected-api-{uuid.uuid4().hex[:8]}"
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=TEMPLATE.read_text(),
        Parameters=[
            {"ParameterKey": "AuthorizerArn", "ParameterValue": os.environ["AUTHORIZER_ARN"]},
            {"ParameterKey": "AllowedOrigins", "ParameterValue": ORIGIN},
        ],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    # CloudFormation on AWS has done that; the emulator keeps the rules under names that it does not read.
    rules = {"AllowOrigins": [ORIGIN], "AllowMethods": ["GET"], "AllowHeaders": ["authorization"], "MaxAge": 600}
    boto3.client("apigatewayv2", endpoint_url=endpoint).update_api(ApiId=outputs["ApiId"], CorsConfiguration=rules)
    # On AWS the output ApiUrl is the address. The emulator serves every API under its own URL.
    print(f"{endpoint}/_aws/execute-api/{outputs['ApiId']}/$default")


if __name__ == "__main__":
    sys.exit(main())
