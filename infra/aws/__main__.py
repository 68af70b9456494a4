"""What an operator does to a stack in AWS as a whole: `make deploy`, `make restore`, `make delete`.

With the credentials and the Region that any AWS program takes. What goes wrong is one sentence on standard error, and a non-zero exit.
"""

import os
import sys

from botocore.exceptions import BotoCoreError, ClientError

import deploy
import remove
import restore
from place import Failure, reason

COMMANDS = {"deploy": deploy.deploy, "restore": restore.restore, "delete": remove.delete}


def main(command: str) -> int:
    try:
        COMMANDS[command](os.environ.get("STACK") or "doorward")
    except Failure as failure:
        print(f"{command}: {failure}", file=sys.stderr)
        return 1
    except ClientError as error:
        print(f"{command}: AWS refuses ({error.operation_name}: {reason(error)}).", file=sys.stderr)
        return 1
    except BotoCoreError as error:
        print(f"{command}: AWS does not answer ({error}).", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, EOFError):
        print(f"\n{command}: stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
