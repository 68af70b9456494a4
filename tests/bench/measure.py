"""The parts of the bench. Each returns its measurements; the report interprets them."""

import json
import random
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import runtime
import template
from operations import BASELINE, EMPTY, OPERATIONS, Operation, named
from store import Store

Data = dict[str, Any]

WARM_UP = 5
# Requests in a row before the next operation: many, so that a function is as warm as a busy one, or few, so that changes of the machine's speed affect
# all operations alike.
LONG_TURN, SHORT_TURN = 10, 2


def cold(store: Store, count: int, say: Callable[[str], None]) -> Data:
    """Times from spawn to the first poll, of the first request and of the next. All functions take turns, in a new order each round."""
    first = {operation.function: operation for operation in [*reversed(OPERATIONS), EMPTY]}
    store.fill(2 * count * len(first))
    accounts = iter(range(1, store.accounts + 1))
    events = {name: operation.events(store, [next(accounts) for _ in range(2 * count)]) for name, operation in first.items()}
    seen: Data = {name: {"poll_ms": [], "init_cpu_ms": [], "first_ms": [], "next_ms": []} for name in first}
    for round_ in range(count):
        say(f"{round_ + 1} of {count}")
        for name in random.sample(list(first), len(first)):
            with runtime.start(template.function(name), store.url, store.mail_url) as instance:
                polled = instance.polled()
                time.sleep(runtime.SETTLE_SECONDS)
                init_cpu = instance.spent_ns()[0]
                seen[name]["poll_ms"].append((polled - instance.started_ns) / 1e6)
                seen[name]["init_cpu_ms"].append(init_cpu / 1e6)
                for request in ("first_ms", "next_ms"):
                    answered = instance.answer(events[name].pop())
                    _must_succeed(first[name], answered)
                    seen[name][request].append(answered.wall_ms)
    return seen


def warm(store: Store, count: int, say: Callable[[str], None]) -> Data:
    """Measures requests to a running function: time, processor time, calls, capacity units, memory, log."""
    operations = [*BASELINE, *OPERATIONS]
    number = count + WARM_UP
    store.fill(number * len(operations))
    with ExitStack() as running:
        askings = [
            Asking(store, operation, range(place * number + 1, (place + 1) * number + 1), running) for place, operation in enumerate(operations)
        ]
        _ask_in_turn(askings, LONG_TURN, say)
        return {asking.operation.name: asking.seen | asking.resident() for asking in askings}


def argon2(_: Store, count: int, say: Callable[[str], None]) -> Data:
    """Times our Argon2id and the reference implementation alternately, at the configured cost, each after one uncounted hash."""
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
    """Runs one instance per simultaneous request, as Lambda does."""
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
    """Sizes of the zips, of the sections of the binaries, and of the files of this repository that are embedded in them."""
    seen = {}
    for name in [*template.functions(), EMPTY.function]:
        say(name)
        archive, code = runtime.archive_of(name), runtime.binary(name).read_bytes()
        found = {str(path): len(content) for path, content in _embeddable() if content in code}
        seen[name] = {"zip_bytes": archive.stat().st_size, "binary_bytes": len(code), "sections": _sections(code), "embedded": found}
    return seen


def growth(_: Store, count: int, say: Callable[[str], None]) -> Data:
    """Measures the same requests with more accounts in the store, and with more sessions of the account."""
    kept = [named(name) for name in ("register", "login", "check a token", "logout", "reset request", "validate", "confirm")]
    seen: Data = {"accounts": {}, "sessions": {}}
    with ExitStack() as running:
        levels = {}
        for accounts in ACCOUNTS if count > 3 else ACCOUNTS[:2]:
            say(f"{accounts} accounts")
            store = running.enter_context(Store())
            seen["bytes_per_account"] = store.fill(accounts)
            # Operations that change an account get accounts of their own.
            number = min(count + WARM_UP, accounts // 2)
            spoilt, others = range(1, number + 1), range(number + 1, accounts + 1)
            levels[str(accounts)] = [
                Asking(store, operation, spoilt if operation.spoils else random.sample(others, number), running) for operation in kept
            ]
        _ask_in_turn([asking for level in levels.values() for asking in level], SHORT_TURN, say)
        seen["accounts"] = {level: {asking.operation.name: asking.seen for asking in askings} for level, askings in levels.items()}
    with ExitStack() as running:
        store = running.enter_context(Store())
        number = count + WARM_UP
        store.fill(number * len(SESSIONS))
        levels = {}
        for place, sessions in enumerate(SESSIONS):
            say(f"{sessions} sessions")
            accounts = range(place * number + 1, (place + 1) * number + 1)
            seen["bytes_per_session"] = store.order("/sessions", accounts=list(accounts), each=sessions)["bytes_each"]
            # Operations that change the account come last, after all others.
            levels[str(sessions)] = [Asking(store, named(name), accounts, running) for name in ("check a token", "login", "logout", "change password")]
        for spoiling in (False, True):
            _ask_in_turn([asking for level in levels.values() for asking in level if asking.operation.spoils == spoiling], SHORT_TURN, say)
        seen["sessions"] = {level: {asking.operation.name: asking.seen for asking in askings} for level, askings in levels.items()}
    return seen


# The least has accounts for as many requests as the others.
ACCOUNTS = [200, 1_000, 10_000, 100_000, 1_000_000]
SESSIONS = [1, 10, 100, 1_000]


def _must_succeed(operation: Operation, answered: runtime.Answered) -> None:
    if not operation.succeeds(answered.body):
        raise runtime.Broken(f"{operation.name}: {answered.body}")


class Asking:
    """An operation, a running function, and their measurements: one request per account. The first few requests only warm up."""

    def __init__(self, store: Store, operation: Operation, accounts: Iterable[int], running: ExitStack) -> None:
        self.operation = operation
        self.seen: Data = {name: [] for name in (*SEEN, "busy_ms", "calls", "waits", "written", "read")}
        self._store, self._events = store, operation.events(store, list(accounts))
        self._instance = running.enter_context(runtime.start(template.function(operation.function), store.counted_url, store.mail_url))
        self.warm_up = min(WARM_UP, len(self._events) // 2)
        self._events.reverse()

    def ask(self, times: int, *, counted: bool = True) -> bool:
        """Makes this many requests; returns whether more are left."""
        for _ in range(min(times, len(self._events))):
            self._instance.polled()
            self._store.order("/forget")
            answered = self._instance.answer(self._events.pop())
            _must_succeed(self.operation, answered)
            called = self._store.order("/calls")
            if counted:
                for name in SEEN:
                    self.seen[name].append(getattr(answered, name))
                for name, value in (("busy_ms", called["busy_ms"]), ("calls", len(called["calls"])), ("waits", called["waits"]), ("written", called["written"]), ("read", called["read"])):
                    self.seen[name].append(value)
                self.seen.update(operations=called["calls"], mails=called["mails"])
        return bool(self._events)

    def resident(self) -> Data:
        return {"resident_kib": self._instance.resident_kib()}


SEEN = ("wall_ms", "own_ms", "hash_ms", "answer_bytes", "logged_bytes", "logged_lines")


def _ask_in_turn(askings: list[Asking], turns_of: int, say: Callable[[str], None]) -> None:
    """Interleaves the requests of all, in a new order each round, so that other load on the machine affects them alike."""
    for asking in askings:
        asking.ask(asking.warm_up, counted=False)
    left, turn = askings, 0
    while left:
        turn += 1
        say(f"turn {turn}")
        left = [asking for asking in random.sample(left, len(left)) if asking.ask(turns_of)]


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
    """Files that may be embedded in a binary: templates, languages, and the compiled list of common passwords."""
    for path in sorted((template.ROOT / "templates").rglob("*")):
        if path.is_file() and path.stat().st_size > 16:
            yield path.relative_to(template.ROOT), path.read_bytes()
    compiled = sorted((template.ROOT / "target").glob("**/build/doorward-*/out/common-passwords.fst"), key=lambda path: path.stat().st_mtime)
    if compiled:
        yield Path("shared/data/common-passwords.txt, compiled"), compiled[-1].read_bytes()


def _sections(code: bytes) -> dict[str, int]:
    """Sizes of the sections of a 64-bit ELF file that occupy space in the file (System V ABI, chapter 4)."""
    table, entry_bytes, count, names_index = struct.unpack_from("<Q", code, 40) + struct.unpack_from("<HHH", code, 58)
    entries = [struct.unpack_from("<IIQQQQ", code, table + entry_bytes * index) for index in range(count)]
    names = entries[names_index][4]

    def name(offset: int) -> str:
        return code[names + offset:code.index(b"\0", names + offset)].decode()

    no_bits = 8
    return {name(entry[0]): entry[5] for entry in entries if entry[1] not in (0, no_bits)}
