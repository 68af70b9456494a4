"""Builds with cargo, which never sees credentials: a build runs the scripts of hundreds of crates."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from stack import ROOT
from typed import Failure


def environment() -> dict[str, str]:
    """This shell's variables without AWS's and without what was typed for the program that is built. AWS_LC_… are settings of a crate."""
    typed = ("ARGS", "EVENT", "PARAMS", "STACK", "URL")
    return {name: value for name, value in os.environ.items() if name not in typed and (not name.startswith("AWS_") or name.startswith("AWS_LC_"))}


def run(command: list[str], **options: Any) -> int:
    """Runs a program and waits for it; its exit code. When we are told to end it ends with all that it has started."""
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, **options)
    try:
        return process.wait()
    except BaseException:
        end(process)
        raise


def end(process: "subprocess.Popen[Any]") -> None:
    """Ends a program that leads a process group, and the group: politely, then not."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(timeout=5)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def built(binary: str, *options: str) -> Path:
    """Builds a program of the workspace and says where it is. What cargo compiles it says; when there is nothing to compile it is silent."""
    if not shutil.which("cargo"):
        raise Failure("cargo is not installed; Rust comes from rustup.rs.")
    # Of the whole workspace, so that it has its dependencies in common with the tests and the functions.
    command = ["cargo", "build", "--locked", "--bin", binary, "--message-format=json-render-diagnostics", *options]
    color = {"CARGO_TERM_COLOR": "always"} if sys.stderr.isatty() else {}
    process = subprocess.Popen(command, cwd=ROOT, env=environment() | color, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout and process.stderr
    messages: list[str] = []
    reader = threading.Thread(target=lambda stream: messages.extend(stream), args=(process.stdout,))
    reader.start()
    for line in process.stderr:
        if "Finished" not in line and "Blocking" not in line:
            sys.stderr.write(line)
    reader.join()
    if process.wait() != 0:
        raise Failure(f"{binary} does not build; cargo says why above.")
    artifacts = [message for message in map(json.loads, messages) if message["reason"] == "compiler-artifact" and message.get("executable")]
    return next(Path(artifact["executable"]) for artifact in artifacts if artifact["target"]["name"] == binary)
