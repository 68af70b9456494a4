"""What the Makefile calls."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import Any

import build
import deploy
import emulator
import watch
from failure import Failure
from settings import CREDENTIALS, REGION, ROOT, STACK, Settings


def up() -> None:
    """Brings the stack up in the background, or brings the running one up to date."""
    settings = Settings()
    with emulator.exclusive(settings.directory):
        _bring_up(settings)
    print(f"\n{_what_to_try(settings)}\nmake mail, make logs, make down")


def down() -> None:
    """Stops the stack."""
    directory = Settings().directory
    with emulator.exclusive(directory):
        print("Stopped." if emulator.stop(directory) else "No stack was running.")


def dev() -> None:
    """The stack in the foreground: shows the functions' logs, builds and deploys again on change."""
    settings = Settings()
    for end in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, lambda *_: signal.raise_signal(signal.SIGINT))
    with emulator.exclusive(settings.directory):
        try:
            _bring_up(settings)
            print(f"\n{_what_to_try(settings)}\n")
            with watch.keys() as key, watch.Logs(settings) as logs:
                sources = watch.Sources()
                print("Watching the sources. Keys: r builds and deploys, m shows the newest mail, q or Ctrl-C stops.", flush=True)
                while (pressed := key()) != "q":
                    logs.show()
                    if pressed == "m":
                        _try(lambda: _print_newest_mail(settings))
                    if sources.changed() or pressed == "r":
                        _try(lambda: _bring_up(settings))
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second Ctrl-C must not leave it running
            emulator.stop(settings.directory)
            print("\nStopped.", flush=True)


def mail() -> None:
    """Prints the newest mail as text."""
    _print_newest_mail(_settings_of_running())


def logs() -> None:
    """Prints what the functions have logged."""
    with watch.Logs(_settings_of_running(), from_the_start=True) as lines:
        lines.show()


def replay(event: str = "") -> None:
    """Runs one event of events/ through `cargo lambda` against the deployed function."""
    file = ROOT / event
    if not event or not file.is_file():
        known = ", ".join(sorted(str(path.relative_to(ROOT)) for path in (ROOT / "events").glob("*.json")))
        raise Failure(f"say which event: make replay EVENT=… ({known}).")
    settings = _settings_of_running()
    function = f"{STACK}-{file.name.split('.')[0]}"
    command = ["cargo", "lambda", "invoke", "--remote", "--endpoint-url", settings.endpoint, "--region", REGION]
    command += ["--data-file", str(file), "--output-format", "json", function]
    if subprocess.run(command, cwd=ROOT, env={**build.environment(), **CREDENTIALS}, check=False).returncode != 0:
        raise Failure(f"{function} did not answer.")


def with_stack(*command: str) -> None:
    """Runs a command against a stack of its own, which is stopped in any case."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    settings = Settings(directory=ROOT / ".local" / f"test-{os.getpid()}", wished_port=port)
    for end in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        variables = _bring_up(settings)
        if subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, check=False).returncode != 0:
            with watch.Logs(settings, from_the_start=True) as lines:
                lines.show(last=50)
            raise Failure(f"`{' '.join(command)}` failed; above are the last lines of the functions' logs.")
    finally:
        emulator.stop(settings.directory)
        shutil.rmtree(settings.directory, ignore_errors=True)


def _bring_up(settings: Settings) -> dict[str, str]:
    """Builds, starts, deploys; returns the variables of stack.env when every function answers."""
    began = time.monotonic()
    settings.parameters()  # complains before anything takes long
    found = emulator.running(settings)
    if not found:
        emulator.require_free(settings)
    _say("Building the functions")
    binaries = build.binaries(settings)
    try:
        try:
            outputs = _deploy(settings, binaries, start=not found)
        except deploy.RoutesChanged:
            _say("The API's routes changed, which the emulator cannot do in place: starting afresh, accounts are gone")
            emulator.stop(settings.directory)
            found = None
            outputs = _deploy(settings, binaries, start=True)
        variables = _variables(settings, outputs)
        lines = [f"{name}={value}" for name, value in variables.items()] + [f"export {' '.join(variables)}"]
        (settings.directory / "stack.env").write_text("\n".join(lines) + "\n")
    except BaseException:
        if not found:
            emulator.stop(settings.directory)
        raise
    _say(f"Up after {time.monotonic() - began:.0f} s")
    return variables


def _deploy(settings: Settings, binaries: dict[str, Any], *, start: bool) -> dict[str, str]:
    if start:
        _say("Starting the emulator")
        emulator.start(settings)
    _say("Deploying")
    return deploy.deploy(settings, binaries)


def _variables(settings: Settings, outputs: dict[str, str]) -> dict[str, str]:
    return {
        "API_URL": settings.api_url(outputs["StageName"]),
        "MAIL_URL": settings.mail_url,
        "INBOX_URL": settings.inbox_url,
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        **CREDENTIALS,
        "ACCOUNTS_TABLE": outputs["AccountsTable"],
        "LIMITS_TABLE": outputs["LimitsTable"],
        "OUTBOX_TABLE": outputs["OutboxTable"],
        "AUTHORIZER_ARN": outputs["AuthorizerArn"],
    }


def _settings_of_running() -> Settings:
    """The settings that fit the stack that runs, whatever its port."""
    found = emulator.remembered(Settings().directory)
    if not found:
        raise Failure("no stack is running; start one with `make up`.")
    return Settings(wished_port=str(found.port))


def _print_newest_mail(settings: Settings) -> None:
    try:
        with urllib.request.urlopen(settings.mail_url, timeout=10) as response:
            accounts = json.load(response)["messages"].values()
    except OSError as error:
        raise Failure(f"{settings.mail_url} does not answer: {error}") from error
    messages = [message for account in accounts for message in account]
    if not messages:
        raise Failure("no mail was sent yet.")
    newest = max(messages, key=lambda message: message["Timestamp"])
    print(f"From: {newest['Source']}\nTo: {', '.join(newest['To'])}\nSubject: {newest['Subject']}\n\n{newest['BodyText']}")


def _what_to_try(settings: Settings) -> str:
    variables = settings.directory / "stack.env"
    shown = os.path.relpath(variables) if not os.path.relpath(variables).startswith("..") else variables
    api = settings.api_url(settings.parameters()["StageName"])
    return f"""API    {api}
Mail   {settings.inbox_url}
Logs   make logs; the emulator's own: {variables.with_name('emulator.log')}

Try it:
  . {shown}
  curl $API_URL/api/register/ -d username=ada -d email=ada@example.org -d password='correct horse battery'
  curl $API_URL/api/login/ -d username=ada -d password='correct horse battery'
  curl $API_URL/api/password_reset/ -d email=ada@example.org
  make mail

In a browser: {api}/api/password_reset/
"""


def _say(what: str) -> None:
    print(f"==> {what}", flush=True)


def _try(step: Any) -> None:
    """While watching, what fails is told and the watching goes on."""
    try:
        step()
    except Failure as failure:
        print(failure, file=sys.stderr, flush=True)
