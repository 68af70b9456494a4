"""The commands that the Makefile calls."""

import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import build
import cargo
import check
import deploy
import emulator
import keep
import watch
from processes import free_port, run
from replay import replay as run_event
from settings import CREDENTIALS, REGION, Settings
from root import ROOT
from stack import local_variables, remember
from typed import Failure


def up() -> None:
    """Brings the stack up in the background, or brings the running one up to date."""
    settings = _settings()
    with emulator.exclusive(settings.directory):
        _bring_up(settings)
    print(f"\n{_what_to_try(settings)}\nmake mail, make logs, make down")


def down() -> None:
    """Stops the stack; its accounts come back with the next `make up`."""
    directory = Settings().directory
    with emulator.exclusive(directory):
        print("Stopped; `make up` brings its accounts back, `make reset` forgets them." if emulator.stop(directory) else "No stack was running.")


def reset() -> None:
    """Stops the stack and deletes its kept accounts and parameters."""
    directory = Settings().directory
    with emulator.exclusive(directory):
        emulator.stop(directory, keeping=False)
        keep.forget(directory)
        remember(directory, {})
    print("The local stack is stopped, and its accounts and parameters are forgotten.")


def dev() -> None:
    """Runs the stack in the foreground, shows the functions' logs, and builds and deploys again on change."""
    settings = _settings()
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
            _undisturbed()
            emulator.stop(settings.directory)
            with suppress(OSError):  # the terminal may be gone
                print("\nStopped; its accounts come back the next time.", flush=True)


def mail() -> None:
    """Prints the newest mail as text, also when it was asked for this very moment."""
    settings = _running()
    if not deploy.settle(settings):
        print("mail: the mailer has not finished every mail yet; `make logs` shows what it says. The newest that was sent:", file=sys.stderr)
    _print_newest_mail(settings)


def replay() -> None:
    """Runs the event that EVENT names against the deployed function."""
    run_event(_running(), local_variables(), os.environ.get("EVENT", ""), raw=bool(os.environ.get("RAW")))


def calibrate() -> None:
    """Prints the cost of a hash that this machine allows, as parameters of the template. QUICK=1 uses the tests' build of the program."""
    program = cargo.built("calibrate", *([] if os.environ.get("QUICK") else ["--release"]))
    limits = {"--memory-kib": os.environ.get("MEMORY_KIB"), "--budget-ms": os.environ.get("BUDGET_MS")}
    arguments = [word for name, value in limits.items() if value for word in (name, value)]
    if run([str(program), *arguments]) != 0:
        raise Failure("nothing was measured.")


def with_stack(*command: str) -> None:
    """Runs a command with a stack of its own, which is always stopped afterwards."""
    (ROOT / ".local").mkdir(exist_ok=True)
    # Not the number of this process, which a killed run may have had before.
    settings = Settings(directory=Path(tempfile.mkdtemp(prefix="test-", dir=ROOT / ".local")), requested_port=str(free_port()))
    try:
        settings.parameters()  # reports wrong arguments before anything takes long
        _say("Building the functions")
        binaries = build.binaries(settings)
        # With STATE every `make` that the command calls uses this stack. PARAMS was for this stack only.
        variables = {name: value for name, value in os.environ.items() if name not in ("PORT", "PARAMS")}
        settings, of_stack = on_a_free_port(settings, lambda chosen: _bring_up(chosen, binaries))
        variables |= of_stack | {"STATE": str(settings.directory)}
        if run(list(command), cwd=ROOT, env=variables) != 0:
            with watch.Logs(settings, from_the_start=True) as lines:
                lines.show(last=50)
            raise Failure(f"`{' '.join(command)}` failed; above are the last lines of the functions' logs.")
    finally:
        _undisturbed()
        emulator.stop(settings.directory, keeping=False)
        shutil.rmtree(settings.directory, ignore_errors=True)


COMMANDS: dict[str, Callable[..., None]] = {
    "dev": dev, "up": up, "down": down, "reset": reset, "mail": mail, "replay": replay,
    "calibrate": calibrate, "with_stack": with_stack,
}


def on_a_free_port(settings: Settings, work: Callable[[Settings], dict[str, str]]) -> tuple[Settings, dict[str, str]]:
    """Runs something that needs a port. It is chosen here and not earlier, because a build takes minutes. If another program takes it first, another one is."""
    for _ in range(4):
        chosen = replace(settings, requested_port=str(free_port()))
        with suppress(emulator.PortTaken):
            return chosen, work(chosen)
    chosen = replace(settings, requested_port=str(free_port()))
    return chosen, work(chosen)


def _bring_up(settings: Settings, binaries: dict[str, Path] | None = None) -> dict[str, str]:
    """Builds, starts, deploys; returns the variables of stack.env when every function answers."""
    began = time.monotonic()
    settings.parameters()  # reports wrong arguments before anything takes long
    if settings.requested and settings.said is None:
        requested = " ".join(f"{name}={value}" for name, value in settings.requested.items())
        _say(f"Parameters as the last time: {requested}; `make up PARAMS=` puts them back")
    ended = settings.requested.get("SessionsNotBefore")
    if ended and settings.said is not None and ended not in settings.said:
        _say(f"SessionsNotBefore stays {ended}, so that ended sessions stay ended; `make reset` forgets accounts and parameters")
    found = emulator.running(settings)
    if not found:
        emulator.require_free(settings)
    if binaries is None:
        _say("Building the functions")
        binaries = build.binaries(settings)
    if complaints := check.complaints(settings.template.zips, settings.parameters(requested={}), settings.parameters()):
        raise Failure(f"PARAMS: {'; '.join(complaints)}")
    if broken := check.broken_templates():
        raise Failure("; ".join(broken))
    try:
        try:
            outputs = _deploy(settings, binaries, start=not found)
        except deploy.RoutesChanged:
            _say("The API's routes changed, which the emulator cannot do in place: starting it afresh")
            emulator.stop(settings.directory)
            found = None
            outputs = _deploy(settings, binaries, start=True)
        variables = _variables(settings, outputs)
        _write_variables(settings, variables)
    except BaseException:
        if not found:
            emulator.stop(settings.directory)
        raise
    if settings.said is not None:
        remember(settings.directory, settings.requested)
    _say(f"Up after {time.monotonic() - began:.0f} s")
    return variables


def _write_variables(settings: Settings, variables: dict[str, str]) -> None:
    lines = [f"{name}={value}" for name, value in variables.items()] + [f"export {' '.join(variables)}"]
    (settings.directory / "stack.env").write_text("\n".join(lines) + "\n")
    # For `cargo lambda watch`, which gives all functions the same variables. A variable means the same in each function.
    of_functions = deploy.function_variables(settings) | {name: value for name, value in variables.items() if name.startswith("AWS_")}
    (settings.directory / "functions.env").write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in of_functions.items()))


def _deploy(settings: Settings, binaries: dict[str, Any], *, start: bool) -> dict[str, str]:
    if start:
        _say("Starting the emulator")
        emulator.start(settings)
    _say("Deploying")
    outputs = deploy.deploy(settings, binaries)
    if start and (accounts := keep.load(settings, outputs)):
        _say(f"{accounts} accounts of the last time are there again; `make reset` forgets them")
    return outputs


def _variables(settings: Settings, outputs: dict[str, str]) -> dict[str, str]:
    return {
        "API_URL": settings.api_url(outputs["StageName"]),
        "MAIL_URL": settings.mail_url,
        "INBOX_URL": settings.inbox_url,
        "ACCOUNT_PAGE_URL": settings.account_page_url,
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        **CREDENTIALS,
        "ACCOUNTS_TABLE": outputs["AccountsTable"],
        "LIMITS_TABLE": outputs["LimitsTable"],
        "OUTBOX_TABLE": outputs["OutboxTable"],
        "AUTHORIZER_ARN": outputs["AuthorizerArn"],
    }


def _settings() -> Settings:
    """The settings of this invocation. A running stack keeps its port unless PORT names another."""
    settings = Settings()
    found = emulator.remembered(settings.directory)
    return replace(settings, requested_port=settings.requested_port or (str(found.port) if found else ""))


def _running() -> Settings:
    """The settings of the running stack, whatever its port."""
    found = emulator.remembered(Settings().directory)
    if not found:
        raise Failure("no stack is running; start one with `make up`.")
    return Settings(requested_port=str(found.port))


def _undisturbed() -> None:
    """Ignores a second Ctrl-C, which would leave the emulator running."""
    for end in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, signal.SIG_IGN)


def _print_newest_mail(settings: Settings) -> None:
    messages = deploy.mails(settings)
    if not messages:
        raise Failure("no mail was sent yet.")
    newest = max(messages, key=lambda message: message["Timestamp"])
    print(f"From: {newest['Source']}\nTo: {', '.join(newest['To'])}\nSubject: {newest['Subject']}\n\n{newest['BodyText']}")


def _what_to_try(settings: Settings) -> str:
    variables = settings.directory / "stack.env"
    shown = os.path.relpath(variables) if not os.path.relpath(variables).startswith("..") else variables
    api = settings.api_url(settings.parameters()["StageName"])
    # README already uses the name ada, and an earlier run of these example lines may have used another.
    name = deploy.free_name(settings, "grace")
    return f"""API    {api}
Mail   {settings.inbox_url}
Logs   make logs; the emulator's own: {variables.with_name('emulator.log')}

Try it:
  . {shown}
  curl $API_URL/api/register/ -d username={name} -d email={name}@example.org -d password='correct horse battery'
  curl $API_URL/api/login/ -d username={name} -d password='correct horse battery'
  curl $API_URL/api/password_reset/ -d email={name}@example.org
  make mail

In a browser: {settings.account_page_url}
"""


def _say(what: str) -> None:
    print(f"==> {what}", flush=True)


def _try(step: Any) -> None:
    """Reports a failure and continues watching."""
    try:
        step()
    except Failure as failure:
        print(failure, file=sys.stderr, flush=True)
