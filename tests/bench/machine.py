"""The machine, time and commit of a measurement, and what others do on the machine meanwhile."""

import datetime
import os
import platform
import resource
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from template import ROOT

# Others may use this share of one core.
IDLE = 0.05
# How long they are watched, and how long the bench waits for them to end.
WATCHED_SECONDS, PATIENCE_SECONDS = 3, 300


def here() -> dict[str, str]:
    """Describes this machine at this moment, and the commit."""
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), platform.machine())
    memory = next(int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    # The report itself is being written, so it does not count as a change.
    changed = _said("git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/bench")
    return {
        "at": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _said("git", "rev-parse", "--short=12", "HEAD") + ("-dirty" if changed else ""),
        "cpu": f"{cpu}, {os.cpu_count()} cores",
        "memory": f"{memory / 2**20:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "rustc": _said("rustc", "--version"),
    }


class Others:
    """What is not of this process or of processes that it has waited for: their share of one core since the object was made."""

    def __init__(self) -> None:
        self._started, self._busy, self._own = time.monotonic(), _busy_seconds(), _own_seconds()

    def share(self) -> float:
        # The kernel counts what is busy in ticks, so it may count less than this process has used.
        others = _busy_seconds() - self._busy - (_own_seconds() - self._own)
        return max(0.0, others) / (time.monotonic() - self._started)


def wait_until_idle(say: Callable[[str], None], *, patience: float = PATIENCE_SECONDS, watched: float = WATCHED_SECONDS) -> float:
    """Waits until others use next to nothing, but not for ever. Returns their share of a core while they were watched last."""
    until = time.monotonic() + patience
    while True:
        others = Others()
        time.sleep(watched)
        share = others.share()
        if share < IDLE or time.monotonic() >= until:
            return share
        say(f"waits until others are idle, who use {share:.2f} of a core")


def _busy_seconds() -> float:
    """The time in which all cores together were busy since the machine started, interrupts and what the hypervisor gave to others included."""
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _said(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
