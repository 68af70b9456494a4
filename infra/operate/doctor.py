"""Finds what is wrong with a deployment and how to repair it. It only reads."""

from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError

from checks import CHECKS, Check
from stack import Environment, Finding


def doctor(env: Environment) -> int:
    """Prints the problems; returns 0 if there are none."""
    print(env.place)
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
