"""Prints what `make admin` needs of a stack on AWS: Region, credentials and tables, as a shell reads them.

Whatever AWS's own tools take counts here too: AWS_PROFILE, single sign-on, a role of the machine.
"""

import re
import shlex
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError


def main(stack: str) -> int:
    """The variables, or one sentence on standard error."""
    try:
        session = boto3.session.Session()
        credentials = session.get_credentials()
        outputs = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    except (BotoCoreError, ClientError) as error:
        print(f"admin: {error}", file=sys.stderr)
        return 1
    frozen = credentials.get_frozen_credentials()
    variables = {
        "AWS_REGION": session.region_name,
        "AWS_ACCESS_KEY_ID": frozen.access_key,
        "AWS_SECRET_ACCESS_KEY": frozen.secret_key,
        "AWS_SESSION_TOKEN": frozen.token or "",
    }
    for output in outputs:
        if output["OutputKey"].endswith("Table"):  # AccountsTable is ACCOUNTS_TABLE
            variables[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", output["OutputKey"]).upper()] = output["OutputValue"]
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
