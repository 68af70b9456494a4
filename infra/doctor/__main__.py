"""Looks at a deployment and says what is wrong with it, and the mend: `make doctor` here, `make doctor STACK=name` in AWS.

It only reads. On AWS it takes the credentials and the Region that any AWS program takes.
"""

import os
import sys
from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError

from checks import CHECKS, Check
from environment import Environment, Finding, Unreachable, use_local_stack


def main() -> int:
    stack = os.environ.get("STACK", "")
    try:
        if not stack and "AWS_ENDPOINT_URL" not in os.environ:
            use_local_stack()
        env = Environment(stack or "doorward")
    except Unreachable as nothing:
        print(f"wrong {nothing}")
        return 1
    print(f"{env.name} in {'the emulator' if env.is_local else f'{env.session.region_name} of {env.account}'}")
    wrong = 0
    for question, check in CHECKS:
        findings = list(_findings(env, check))
        wrong += sum(not finding.is_note for finding in findings)
        if all(finding.is_note for finding in findings):
            print(f"ok    {question}")
        for finding in findings:
            print(f"{'note ' if finding.is_note else 'wrong'} {finding.text}")
    print(f"{wrong} wrong." if wrong else "Nothing is wrong.")
    return 1 if wrong else 0


def _findings(env: Environment, check: Check) -> Iterator[Finding]:
    try:
        yield from check(env)
    except ClientError as error:
        yield Finding(f"AWS refuses to be asked ({error.operation_name}: {error.response['Error']['Message']}): use credentials that may read it.")
    except BotoCoreError as error:
        yield Finding(f"AWS does not answer ({error}): try again.")


if __name__ == "__main__":
    sys.exit(main())
