"""The machine, time and commit of a measurement."""

import datetime
import os
import platform
import subprocess
from pathlib import Path

from template import ROOT


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
        "load": f"{os.getloadavg()[0]:.2f}",
    }


def _said(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
