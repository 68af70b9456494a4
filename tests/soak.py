"""`python tests/soak.py TIMES COMMAND …`: runs tests many times while every processor is kept busy, and prints what a red run said.

A test that is red at random is red here. Time-outs, clocks and the order of things depend on how busy a machine is.
"""

import multiprocessing
import os
import subprocess
import sys
import time


def burn() -> None:
    while True:
        pass


def main(times: int, *command: str) -> int:
    busy = [multiprocessing.Process(target=burn, daemon=True) for _ in range(os.cpu_count() or 1)]
    for process in busy:
        process.start()
    red = 0
    for run in range(1, times + 1):
        began = time.monotonic()
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if result.returncode != 0:
            red += 1
            print(result.stdout)
        print(f"{run} of {times}: {'red' if result.returncode else 'green'}, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{red} of {times} were red.")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:]))
