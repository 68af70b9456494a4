"""The operator's commands for a whole stack in AWS: `make deploy`, `make rollback`, `make restore`, `make delete`.

With the credentials and the Region that any AWS program takes. What goes wrong is one sentence on standard error, and a non-zero exit.
"""

import os
import sys
from pathlib import Path

INFRA = Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(INFRA), str(INFRA / "operate")]
from typed import Failure, known, leave, run_command


def main(command: str) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    import deploy
    from overrides import require_known
    import remove
    import restore
    import rollback
    from stack import STACK, reason

    require_known()
    work = known(command, {"deploy": deploy.deploy, "rollback": rollback.rollback, "restore": restore.restore, "delete": remove.delete})
    try:
        work(os.environ.get("STACK") or STACK)
    except ClientError as error:
        raise Failure(f"AWS refuses ({error.operation_name}: {reason(error)}).") from None
    except BotoCoreError as error:
        raise Failure(f"AWS does not answer ({error}).") from None


if __name__ == "__main__":
    leave(run_command(sys.argv[1], lambda: main(*sys.argv[1:])))
