"""`python tests/bench [PART …]`: measures, keeps the measurements in results.json, and writes the report from them.

Without parts it measures all of them. `rest` measures the parts that have no measurement of this commit, to resume an interrupted run. `report`
measures nothing. Parts that are not measured keep their last measurement. QUICK=1 makes only enough requests to see that the bench works, and
writes to target/bench/quick.
"""

import json
import os
import sys
import time
from pathlib import Path

import connecting
import machine
import measure
import peer
import report
import runtime
from store import Store
from template import ROOT

QUICK = bool(os.environ.get("QUICK"))
PARTS = {**measure.PARTS, "connecting": (connecting.connecting, 100, 3), "peer": (peer.peer, 100, 10)}
DIRECTORY = ROOT / "target/bench/quick" if QUICK else ROOT / "docs/bench"


def main(*parts: str) -> int:
    unknown = set(parts) - {*PARTS, "rest", "report"}
    if unknown:
        print(f"bench: there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}, rest, report.", file=sys.stderr)
        return 2
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    file = DIRECTORY / "results.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    commit = machine.here()["commit"]
    rest = {part for part in PARTS if results.get(part, {}).get("machine", {}).get("commit") != commit}
    for name in [part for part in PARTS if not parts or part in parts or ("rest" in parts and part in rest)]:
        measured(name, results, file)
    # As they are kept, because the order of names is another there.
    report.write(json.loads(file.read_text()), DIRECTORY)
    print(f"bench: {(DIRECTORY / 'report.md').relative_to(ROOT)}", flush=True)
    return 0


def measured(name: str, results: dict, file: Path) -> None:
    """Measures a part and keeps its measurements."""
    part, usual, quick = PARTS[name]
    count = quick if QUICK else usual
    where, started = machine.here(), time.monotonic()

    def say(step: str) -> None:
        print(f"\r\033[K{name}: {step}" if sys.stderr.isatty() else f"{name}: {step}", end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)

    with Store() as store:
        data = part(store, count, say)
    seconds = time.monotonic() - started
    results[name] = {"machine": where, "count": count, "seconds": round(seconds, 1), "data": rounded(data)}
    new = file.with_suffix(".new")
    new.write_text(json.dumps(results, separators=(",", ":"), sort_keys=True) + "\n")
    new.replace(file)
    print(f"{name}: {seconds:.0f} s", flush=True)


def rounded(data: object) -> object:
    """Rounds to microseconds."""
    if isinstance(data, dict):
        return {str(key): rounded(value) for key, value in data.items()}
    if isinstance(data, list):
        return [rounded(value) for value in data]
    return round(data, 3) if isinstance(data, float) else data


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except runtime.Broken as broken:
        print(f"bench: {broken}", file=sys.stderr)
        sys.exit(1)
