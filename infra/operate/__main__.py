"""What an operator does to a deployment, here or in AWS: `make doctor`, `make set`.

With STACK=name it is a stack in AWS, reached with the credentials and the Region that any AWS program takes; without, the one of `make up`.
"""

import os
import sys

from doctor import doctor
from environment import Environment, Unreachable, use_local_stack
from parameters import set_parameters

COMMANDS = {"doctor": doctor, "set": set_parameters}


def main(command: str) -> int:
    stack = os.environ.get("STACK", "")
    try:
        if not stack and "AWS_ENDPOINT_URL" not in os.environ:
            use_local_stack()
        return 0 if COMMANDS[command](Environment(stack or "doorward")) else 1
    except Unreachable as nothing:
        print(f"wrong {nothing}")
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
