"""The operator's commands for a whole stack in AWS: `make deploy`, `make rollback`, `make restore`, `make delete`.

With the credentials and the Region that any AWS program takes. What goes wrong is one sentence on standard error, and a non-zero exit.
"""

import os
import sys
from pathlib import Path

INFRA = Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(INFRA), str(INFRA / "operate")]
from typed import Failure, interrupt_on_termination, leave, nearest


def main(command: str) -> int:
    interrupt_on_termination()
    try:
        return run(command)
    except Failure as failure:
        print(f"{command}: {failure}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, EOFError):
        print(f"\n{command}: stopped.", file=sys.stderr)
        return 130


def run(command: str) -> int:
    from botocore.exceptions import BotoCoreError, ClientError

    import deploy
    import remove
    import restore
    import rollback
    from stack import STACK, reason

    commands = {"deploy": deploy.deploy, "rollback": rollback.rollback, "restore": restore.restore, "delete": remove.delete}
    if command not in commands:
        raise Failure(f"there is no such command{nearest(command, commands)}")
    try:
        commands[command](os.environ.get("STACK") or STACK)
    except ClientError as error:
        raise Failure(f"AWS refuses ({error.operation_name}: {reason(error)}).") from None
    except BotoCoreError as error:
        raise Failure(f"AWS does not answer ({error}).") from None
    return 0


if __name__ == "__main__":
    leave(main(*sys.argv[1:]))
