"""The parts of the bench. Each returns what it saw; what to make of it is the report's business."""

import json
import random
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import runtime
import template
from operations import OPERATIONS, Operation, named
from store import Store

Data = dict[str, Any]

EMPTY = template.Function("empty", 256, {})
# A gateway event for the empty function, which answers all alike.
EMPTY_OPERATION = Operation("empty", "empty", named("login").events, lambda answer: answer["statusCode"] == 200)
WARM_UP = 5


def cold(store: Store, count: int, say: Callable[[str], None]) -> Data:
    """From spawn to the first poll, and on to the first answer. All functions in turn, in another order each time."""
    functions = {**template.functions(), "empty": EMPTY}
    first = {operation.function: operation for operation in reversed(OPERATIONS)} | {"empty": EMPTY_OPERATION}
    store.fill(count * len(first))
    accounts = iter(range(1, store.accounts + 1))
    events = {name: operation.events(store, [next(accounts) for _ in range(count)]) for name, operation in first.items()}
    seen: Data = {name: {"poll_ms": [], "answer_ms": [], "init_cpu_ms": []} for name in first}
    for round_ in range(count):
        say(f"{round_ + 1} of {count}")
        for name in random.sample(list(first), len(first)):
            with runtime.start(functions[name], store.url, store.mail_url) as instance:
                polled = instance.polled()
                time.sleep(runtime.SETTLE_SECONDS)
                init_cpu = instance.spent_ns()[0]
                # The clock starts anew: what was waited for is not the function's.
                answered = instance.answer(events[name][round_])
                _must_succeed(first[name], answered)
                seen[name]["poll_ms"].append((polled - instance.started_ns) / 1e6)
                seen[name]["answer_ms"].append((polled - instance.started_ns) / 1e6 + answered.wall_ms)
                seen[name]["init_cpu_ms"].append(init_cpu / 1e6)
    return seen


def warm(store: Store, count: int, say: Callable[[str], None]) -> Data:
    """A request to a function that runs: time, processor time, calls, units, memory, log."""
    operations = [EMPTY_OPERATION, *OPERATIONS]
    store.fill((count + WARM_UP) * len(operations))
    accounts = list(range(1, store.accounts + 1))
    seen = {}
    for operation in operations:
        say(operation.name)
        chosen, accounts = accounts[:count + WARM_UP], accounts[count + WARM_UP:]
        seen[operation.name] = _asked(store, operation, chosen)
    return seen


def argon2(_: Store, count: int, say: Callable[[str], None]) -> Data:
    """Our Argon2id and the reference implementation's, in turn, at the configured cost, each after a hash that is not counted."""
    import argon2 as reference
    from argon2.low_level import Type, hash_secret_raw

    parameters = template.parameters()
    memory, passes, lanes = (int(parameters[f"Argon2{name}"]) for name in ("MemoryKib", "Iterations", "Parallelism"))
    program = runtime.binary("calibrate")
    hashes = 5
    ours, theirs = [], []
    for round_ in range(count):
        say(f"{round_ + 1} of {count}")
        told = subprocess.run([program, "--memory-kib", str(memory), "--iterations", str(passes), "--hashes", str(hashes)],
                              capture_output=True, text=True, check=True)
        ours += json.loads(told.stdout)
        for hash_ in range(hashes + 1):
            started = time.perf_counter_ns()
            hash_secret_raw(b"Correct-Horse-42", bytes(16), passes, memory, lanes, 32, Type.ID)
            if hash_:
                theirs.append((time.perf_counter_ns() - started) / 1e6)
    return {"memory_kib": memory, "iterations": passes, "parallelism": lanes, "reference": f"argon2-cffi {reference.__version__}", "ours_ms": ours, "theirs_ms": theirs}


def load(store: Store, count: int, say: Callable[[str], None]) -> Data:
    """As many instances at once as there are requests at once, which is how Lambda does it."""
    seen: Data = {}
    for name, share in (("login", 1), ("check a token", 10)):
        operation, function = named(name), template.functions()[named(name).function]
        seen[name] = {}
        for instances in (1, 2, 4, 8):
            say(f"{name}, {instances} at once")
            each = max(2, count * share // instances)
            store.fill(max(store.accounts, (each + WARM_UP) * instances))
            events = operation.events(store, list(range(1, (each + WARM_UP) * instances + 1)))
            seen[name][str(instances)] = _at_once(store, operation, function, [events[start::instances] for start in range(instances)])
    return seen


def sizes(_: Store, __: int, say: Callable[[str], None]) -> Data:
    """What goes to Lambda: zips, the sections of the binaries, and the files of this repository that are in them word for word."""
    seen = {}
    for name in [*template.functions(), "empty"]:
        say(name)
        binary = runtime.binary(name)
        code = binary.read_bytes()
        archive = template.lambda_directory() / name / "bootstrap.zip"
        found = {str(path): len(content) for path, content in _embeddable() if content in code}
        seen[name] = {"zip_bytes": archive.stat().st_size, "binary_bytes": len(code), "sections": _sections(code), "embedded": found}
    return seen


def growth(_: Store, count: int, say: Callable[[str], None]) -> Data:
    """The same requests with more accounts in the store, and with more sessions of the account they are about."""
    kept = [named(name) for name in ("register", "login", "check a token", "logout", "reset request", "validate", "confirm")]
    seen: Data = {"accounts": {}, "sessions": {}}
    with Store() as store:
        before = 0
        for accounts in ACCOUNTS if count > 3 else ACCOUNTS[:2]:
            say(f"{accounts} accounts")
            seen["bytes_per_account"] = store.fill(accounts)
            # The newest ones, of which nobody was spoilt yet; of a hundred there is no other choice.
            number = min(count + WARM_UP, (accounts - before) // 2)
            spoilt, others = range(before + 1, before + number + 1), range(before + number + 1, accounts + 1)
            seen["accounts"][str(accounts)] = {
                operation.name: _asked(store, operation, list(spoilt) if operation.spoils else random.sample(others, number)) for operation in kept
            }
            before = accounts
    with Store() as store:
        number = count + WARM_UP
        store.fill(number * len(SESSIONS))
        for place, sessions in enumerate(SESSIONS):
            say(f"{sessions} sessions")
            accounts = list(range(place * number + 1, (place + 1) * number + 1))
            seen["bytes_per_session"] = store.order("/sessions", accounts=accounts, each=sessions)["bytes_each"]
            seen["sessions"][str(sessions)] = {
                name: _asked(store, named(name), accounts) for name in ("check a token", "login", "logout", "change password")
            }
    return seen


ACCOUNTS = [100, 1_000, 10_000, 100_000, 1_000_000]
SESSIONS = [1, 10, 100, 1_000]


def _must_succeed(operation: Operation, answered: runtime.Answered) -> None:
    if not operation.succeeds(answered.body):
        raise runtime.Broken(f"{operation.name}: {answered.body}")


def _asked(store: Store, operation: Operation, accounts: list[int]) -> Data:
    """Asks once for each account, after some that only warm it up."""
    function = EMPTY if operation.function == "empty" else template.functions()[operation.function]
    events = operation.events(store, accounts)
    seen: Data = {name: [] for name in ("wall_ms", "busy_ms", "own_ms", "hash_ms", "answer_bytes", "logged_bytes", "logged_lines", "calls", "written", "read")}
    with runtime.start(function, store.counted_url, store.mail_url) as instance:
        warm_up = min(WARM_UP, len(events) // 2)
        for number, event in enumerate(events):
            instance.polled()
            store.order("/forget")
            answered = instance.answer(event)
            _must_succeed(operation, answered)
            counted = store.order("/calls")
            if number < warm_up:
                continue
            for name in ("wall_ms", "own_ms", "hash_ms", "answer_bytes", "logged_bytes", "logged_lines"):
                seen[name].append(getattr(answered, name))
            seen["busy_ms"].append(counted["busy_ms"])
            seen["calls"].append(len(counted["calls"]))
            seen["written"].append(counted["written"])
            seen["read"].append(counted["read"])
        seen.update(operations=counted["calls"], mails=counted["mails"], resident_kib=instance.resident_kib())
    return seen


def _at_once(store: Store, operation: Operation, function: template.Function, shares: list[list[Any]]) -> Data:
    instances = [runtime.start(function, store.url, store.mail_url) for _ in shares]
    begin = threading.Barrier(len(shares) + 1)
    failures: list[Exception] = []
    spent = [0.0] * len(shares)

    def ask(place: int) -> None:
        instance, events = instances[place], shares[place]
        try:
            for event in events[:WARM_UP]:
                _must_succeed(operation, instance.answer(event))
        except Exception as failure:  # noqa: BLE001
            failures.append(failure)
        begin.wait()
        try:
            for event in events[WARM_UP:]:
                answered = instance.answer(event)
                _must_succeed(operation, answered)
                spent[place] += answered.cpu_ms
        except Exception as failure:  # noqa: BLE001
            failures.append(failure)

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(shares))]
    try:
        for thread in threads:
            thread.start()
        begin.wait()
        started = time.perf_counter()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - started
        if failures:
            raise failures[0]
        resident = [instance.resident_kib()["VmHWM"] for instance in instances]
    finally:
        for instance in instances:
            instance.__exit__()
    requests = sum(len(share) - WARM_UP for share in shares)
    return {"requests": requests, "seconds": seconds, "cpu_seconds": sum(spent) / 1000, "resident_kib": resident}


def _embeddable() -> Iterable[tuple[Path, bytes]]:
    """What may be in a binary: templates, languages, and the list of common passwords as it is compiled."""
    for path in sorted((template.ROOT / "templates").rglob("*")):
        if path.is_file() and path.stat().st_size > 16:
            yield path.relative_to(template.ROOT), path.read_bytes()
    compiled = sorted((template.ROOT / "target").glob("**/build/doorward-*/out/common-passwords.fst"), key=lambda path: path.stat().st_mtime)
    if compiled:
        yield Path("shared/data/common-passwords.txt, compiled"), compiled[-1].read_bytes()


def _sections(code: bytes) -> dict[str, int]:
    """Sizes of a 64-bit ELF file's sections that take room in the file (System V ABI, chapter 4)."""
    table, entry_bytes, count, names_index = struct.unpack_from("<Q", code, 40) + struct.unpack_from("<HHH", code, 58)
    entries = [struct.unpack_from("<IIQQQQ", code, table + entry_bytes * index) for index in range(count)]
    names = entries[names_index][4]

    def name(offset: int) -> str:
        return code[names + offset:code.index(b"\0", names + offset)].decode()

    no_bits = 8
    return {name(entry[0]): entry[5] for entry in entries if entry[1] not in (0, no_bits)}


# In this order; how often each asks, usually and when it only has to be seen to work.
PARTS: dict[str, tuple[Callable[[Store, int, Callable[[str], None]], Data], int, int]] = {
    "sizes": (sizes, 0, 0),
    "cold": (cold, 100, 2),
    "warm": (warm, 100, 3),
    "argon2": (argon2, 20, 2),
    "load": (load, 200, 20),
    "growth": (growth, 40, 3),
}
