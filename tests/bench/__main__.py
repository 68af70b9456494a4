"""`python tests/bench [PART …]`: measures, keeps the measurements in results.json, and writes the report from them.

Without parts it measures all of them, each when the machine is idle. `rest` measures the parts that have no measurement of this commit, to resume an
interrupted run. `report` measures nothing. Parts that are not measured keep their last measurement. QUICK=1 makes only enough requests to see that the
bench works, waits for no idle machine, and writes to target/bench/quick; with LAMBDA_DIR=target/debug it takes development builds, for all parts but sizes.
"""

import json
import sys
import time
from pathlib import Path

import connecting
import machine
import measure
import parts
import peer
import report
import runtime
from store import Store
from template import ROOT
from typed import Failure, run_command

FUNCTIONS = {
    function.__name__: function
    for function in (measure.sizes, measure.cold, measure.warm, measure.argon2, measure.load, measure.growth, connecting.connecting, peer.peer)
}
DIRECTORY = ROOT / "target/bench/quick" if parts.quick() else ROOT / "docs/bench"


def main(*words: str) -> None:
    parts.check(words)
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    file = DIRECTORY / "results.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    commit = machine.here()["commit"]
    rest = {part for part in parts.PARTS if results.get(part, {}).get("machine", {}).get("commit") != commit}
    for name in [part for part in parts.PARTS if not words or part in words or (parts.REST in words and part in rest)]:
        try:
            measured(name, results, file)
        except runtime.Broken as broken:
            raise Failure(str(broken)) from broken
    # As they are kept, because the order of names is another there.
    report.write(json.loads(file.read_text()), DIRECTORY)
    print(f"bench: {(DIRECTORY / 'report.md').relative_to(ROOT)}", flush=True)


def measured(name: str, results: dict, file: Path) -> None:
    """Measures a part and keeps its measurements."""

    def say(step: str) -> None:
        print(f"\r\033[K{name}: {step}" if sys.stderr.isatty() else f"{name}: {step}", end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)

    count = parts.PARTS[name][1 if parts.quick() else 0]
    before = machine.wait_until_idle(say, patience=0 if parts.quick() else machine.PATIENCE_SECONDS)
    where, others, started = machine.here(), machine.Others(), time.monotonic()
    with Store() as store:
        data = FUNCTIONS[name](store, count, say)
    seconds = time.monotonic() - started
    shares = {"before": before, "during": others.share()}
    results[name] = {"machine": where, "others": rounded(shares), "count": count, "seconds": round(seconds, 1), "data": rounded(data)}
    new = file.with_suffix(".new")
    new.write_text(json.dumps(results, separators=(",", ":"), sort_keys=True) + "\n")
    new.replace(file)
    print(f"{name}: {seconds:.0f} s; others used {before:.2f} of a core before and {shares['during']:.2f} meanwhile", flush=True)


def rounded(data: object) -> object:
    """Rounds to microseconds, and shares to thousandths."""
    if isinstance(data, dict):
        return {str(key): rounded(value) for key, value in data.items()}
    if isinstance(data, list):
        return [rounded(value) for value in data]
    return round(data, 3) if isinstance(data, float) else data


if __name__ == "__main__":
    sys.exit(run_command("bench", lambda: main(*sys.argv[1:])))
