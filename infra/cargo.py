"""Runs cargo without credentials, because a build runs the scripts of hundreds of crates.

`python infra/cargo.py FILE PROGRAM …` builds programs and writes where they are into a file. Processes with BUILT=FILE take these and do not ask cargo,
which would let them wait for as long as it compiles anything else.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from processes import started
from root import ROOT
from typed import Failure, run_command


def environment() -> dict[str, str]:
    """The environment without AWS's variables and without arguments for the program that is built. AWS_LC_… are settings of a crate."""
    typed = ("ARGS", "EVENT", "PARAMS", "STACK", "STORE", "URL")
    return {name: value for name, value in os.environ.items() if name not in typed and (not name.startswith("AWS_") or name.startswith("AWS_LC_"))}


def built(binary: str, *options: str) -> Path:
    """Builds a program of the workspace, unless it comes with the zips, and returns its path."""
    return brought(binary) or all_built([binary], *options)[binary]


def brought(binary: str) -> Path | None:
    """A program that comes with the zips, in LAMBDA_DIR or in a release. A release has programs for Linux only."""
    if zips := os.environ.get("LAMBDA_DIR"):
        found = Path(zips).resolve() / binary
    elif platform.system() == "Linux":
        found = ROOT / "programs" / ("arm64" if platform.machine() == "aarch64" else "x86_64") / binary
    else:
        return None
    return found if found.is_file() else None


def all_built(binaries: Iterable[str], *options: str) -> dict[str, Path]:
    """Builds programs of the workspace and returns their paths. cargo's output is shown if there is something to compile."""
    if not (ROOT / "Cargo.toml").exists():
        raise Failure(f"{' and '.join(binaries)} is not in this release for {platform.system()} on {platform.machine()}: it needs a checkout, and Rust.")
    if not shutil.which("cargo"):
        raise Failure("cargo is not installed; Rust comes from rustup.rs.")
    wanted = list(binaries)
    if (file := os.environ.get("BUILT")) and not options:
        there = {name: Path(path) for name, path in json.loads(Path(file).read_text()).items()}
        if there.keys() >= set(wanted):
            return {name: there[name] for name in wanted}
    # The whole workspace is resolved, so that all programs and the tests share their compiled dependencies.
    command = ["cargo", "build", "--locked", "--message-format=json-render-diagnostics", *options, *(word for name in wanted for word in ("--bin", name))]
    color = {"CARGO_TERM_COLOR": "always"} if sys.stderr.isatty() else {}
    messages: list[str] = []
    with started(command, cwd=ROOT, env=environment() | color, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        reader = threading.Thread(target=messages.extend, args=(process.stdout,))
        reader.start()
        for line in process.stderr:
            if "Finished" not in line and "Blocking" not in line:
                sys.stderr.write(line)
        code = process.wait()
        reader.join()
    if code != 0:
        raise Failure(f"{' and '.join(wanted) if len(wanted) < 3 else 'the functions'} do not build; cargo says why above.")
    artifacts = [json.loads(message) for message in messages if '"executable":"' in message]
    there = {artifact["target"]["name"]: Path(artifact["executable"]) for artifact in artifacts}
    return {name: there[name] for name in wanted}


def main(file: str, *programs: str) -> None:
    built = {name: str(path) for name, path in all_built(programs).items()}
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text(json.dumps(built))


if __name__ == "__main__":
    sys.exit(run_command("build", lambda: main(*sys.argv[1:])))
