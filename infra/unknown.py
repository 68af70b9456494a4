"""Names the unknown commands that make was called with."""

import os
import re
import sys

from typed import leave, nearest


def main(makefile: str) -> int:
    with open(makefile) as file:
        known = set(re.findall(r"^([a-z][a-z-]*):", file.read(), re.MULTILINE))
    unknown = [goal for goal in os.environ["MAKECMDGOALS"].split() if goal not in known]
    for goal in unknown:
        print(f"make: there is no command {goal}{nearest(goal, known) or '.'} `make help` lists them.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    leave(main(*sys.argv[1:]))
