"""Writes the report. Every figure in it comes from a measurement."""

from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import cost
import machine
import plots
import targets
import template
from figures import HASHING, ms, percentile, shares, spread
from operations import BASELINE, OPERATIONS, in_order, measured

# The memories, in MB, that functions which hash may have.
MEMORIES = (512, 768, 1024, 1769, 2048)

Rows = list[list[str]]


def write(results: dict[str, Any], directory: Path) -> None:
    """Writes report.md and its pictures; a part that was not measured is left out."""
    data = {part: seen["data"] for part, seen in results.items()}
    sections = [section(results, data, directory) for needed, section in SECTIONS if all(part in results for part in needed)]
    text = "# The numbers\n\n" + INTRODUCTION + "\n" + "\n".join(sections)
    (directory / "report.md").write_text(text.rstrip() + "\n")


INTRODUCTION = """`make bench` wrote this page from [results.json](results.json); `make bench PARTS=report` writes it again. The release zips run here as processes behind a
runtime API of the bench's own, with the template's environment; the store is dynoxide (the crate `dynoxide-rs`) in another process, over
plain HTTP on this machine. So nothing here says how long AWS takes: the network and DynamoDB itself are not in it, and TLS only under "Connecting". Processor time is the
kernel's count for the function's process. The runtime has one thread and hashes run on others, so hashing is told apart exactly, not by subtraction.
"""


NOT_MEASURED = """
A function without a row below was not measured: a stream, a queue or a timer calls it, or it is younger than the measurements. Its costs are estimated.
"""


def _table(head: list[str], rows: Rows, *, texts: tuple[int, ...] = ()) -> str:
    """A table. Its first column and those in `texts` contain words, the others figures."""
    align = ["---" if column in (0, *texts) else "---:" for column in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, align, *rows]) + "\n"


def _whole(values: list[float]) -> str:
    """A count, or its range if it varies."""
    least, most = min(values), max(values)
    return f"{least:g}" if least == most else f"{least:g} to {most:g}"


def _targets(results: dict[str, Any], data: dict[str, Any], directory: Path) -> str:
    text = "## Targets\n\n" + _table(["what", "target", "seen (median)", "", "why not"], targets.rows(data), texts=(1, 2, 3, 4))
    if "growth" in data:
        text += (
            "\nGrowth is undecided where the notches of the medians overlap (1.57 times the distance of the quartiles, divided by the root of the number of requests, to both sides; "
            "McGill, Tukey and Larsen, Variations of Box Plots, 1978): such medians do not differ with 95 % confidence.\n"
        )
    return text


def _where(results: dict[str, Any], data: dict[str, Any], directory: Path) -> str:
    rows = [[part, seen["machine"]["at"], seen["machine"]["commit"], str(seen["count"] or ""), f"{seen['seconds']:.0f}",
             *(f"{seen['others'][when]:.2f}" for when in ("before", "during"))] for part, seen in sorted(results.items())]
    machines = sorted({"{cpu}, {memory}, {kernel}; {rustc}".format(**seen["machine"]) for seen in results.values()})
    # What has changed since a part was measured. Its next measurement has no such note.
    said: dict[str, list[str]] = {}
    for part, seen in sorted(results.items()):
        if "note" in seen:
            said.setdefault(seen["note"], []).append(part)
    notes = "".join(f"\nSince {', '.join(parts)} {'was' if len(parts) == 1 else 'were'} measured: {note}\n" for note, parts in sorted(said.items()))
    return (
        f"Machine: {'. '.join(machines)}.\n\n"
        + _table(["part", "measured", "commit", "samples of each", "seconds", "others before", "others during"], rows, texts=(1, 2))
        + _others() + NOT_MEASURED + notes
    )


def _others() -> str:
    """What the columns about others mean."""
    return (
        f"\nOthers: the share of one core that was used in the last {machine.WATCHED_SECONDS} seconds before a part, when the bench does nothing, and during it by everything but the bench, the store and "
        f"the functions (interrupts of the kernel count as others). The bench waits for up to {machine.PATIENCE_SECONDS // 60} minutes until the share before is below {machine.IDLE}.\n"
    )


def _cold(results: dict[str, Any], data: dict[str, Any], directory: Path) -> str:
    plots.cold(data["cold"], directory)
    empty = data["cold"]["empty"]
    first, second = (median(data["cold"]["login"][request]) for request in ("first_ms", "next_ms"))
    rows = []
    for name, seen in sorted(data["cold"].items(), key=lambda entry: median(entry[1]["poll_ms"])):
        polls = seen["poll_ms"]
        rows.append([name, ms(median(polls)), ms(percentile(polls, 0.99)), f"{median(polls) / median(empty['poll_ms']):.2f}", ms(median(seen["init_cpu_ms"])),
                     *(ms(of(seen[request])) for request in ("first_ms", "next_ms") for of in (median, lambda times: percentile(times, 0.99)))])
    return (
        "## Cold start\n\nFrom spawn to the first poll of the runtime API, and from the first and the second event to their answers, ms. Each function and an empty "
        f"`lambda_http` one in turn, {results['cold']['count']} starts each. Before it polls, a function connects to the store, without TLS here. The first request is the first to use the templates, a second "
        "connection where two calls are made at once, and, in `mailer`, the one to SES. Where it hashes, the system also has to hand over the memory of the hash, "
        f"{int(template.parameters()['Argon2MemoryKib']) / 1024:g} MiB page by page, which the function then keeps: that is most of the {first - second:.1f} ms more than the second takes at `login`.\n\n"
        + _table(["function", "poll, median", "p99", "times empty", "processor", "first request, median", "p99", "second, median", "p99"], rows)
        + "\n![From spawn to first poll, and the first request](cold.svg)\n"
    )


def _connecting(results: dict[str, Any], data: dict[str, Any], directory: Path) -> str:
    rows, after = [], []
    pause = template.in_source("shared/src/aws/mod.rs", r"with_initial_backoff\(Duration::from_millis\((\d+)\)\)")
    idle = template.in_source("shared/src/aws/trust.rs", r"const IDLE: Duration = Duration::from_secs\((\d+)\)")
    for name, seen in data["connecting"].items():
        none, plain, tls = (median(seen["init_cpu_ms"][how]) for how in ("none", "plain", "tls"))
        memory = template.function(name).memory_mb
        share = min(1.0, memory / cost.assumed("one_processor_mb"))
        rows.append([name, f"{memory:,}", ms(none), ms(plain), ms(tls), ms((tls - none) / share)])
        usual, dropped = seen["usual"], seen["dropped"]
        after.append([name, *(ms(median(of[what])) for what in ("wall_ms", "cpu_ms") for of in (usual, dropped)), ms(percentile(dropped["wall_ms"], 0.99))])
    return (
        f"## Connecting\n\nProcessor time of a start's first thread, ms, medians of {results['connecting']['count']} starts: where nobody listens, with a store without TLS, and with one "
        "behind TLS 1.3 on this machine. Within a request, the share of a core that the function's memory buys would stretch the difference to the last column. Lambda gives a function "
        "that initialises more than its share, so the functions connect before their first event.\n\n"
        + _table(["function", "MB", "nobody listens", "plain", "TLS", "TLS in a request"], rows)
        + "\nAWS closes a connection that is idle for about a minute, which a frozen function learns when it goes on. A request after a freeze, with its connection kept, and closed "
        "meanwhile, over TLS; wall time and processor time but for hashing, ms, medians:\n\n"
        + _table(["function", "wall, kept", "wall, closed", "processor, kept", "processor, closed", "wall, closed, p99"], after)
        + f"\nMost of the wall time with a closed connection is a pause: the call fails, and the SDK waits for a random time of at most {pause} ms before it tries again on a new "
        "connection. A login makes its first two calls at once, on two connections, and waits for the longer pause of both. On AWS this happens seldom, because a function does not use a "
        f"connection that was idle for {idle} s.\n"
    )


def _warm(results: dict[str, Any], data: dict[str, Any], directory: Path) -> str:
    plots.warm(data["warm"], directory)
    rows = []
    for operation in [*BASELINE, *measured(data["warm"])]:
        seen = data["warm"][operation.name]
        own_wall = [wall - busy for wall, busy in zip(seen["wall_ms"], seen["busy_ms"])]
        parts = [ms(part) for part in shares(data["warm"], operation.name)] if operation in OPERATIONS else [""] * 4
        rows.append([operation.name, spread(own_wall), ms(percentile(own_wall, 0.99)), spread(seen["own_ms"]), *parts,
                     spread(seen["hash_ms"]) if max(seen["hash_ms"]) > 1 else "", f"{seen['resident_kib']['VmHWM'] / 1024:.1f}"])
    return (
        "## A warm request\n\nms, median and quartiles. Wall time is without the time in which a call was with the store. \"Own\" is the processor time "
        "of everything but hashing: reading the event, making, signing and reading the calls, the answer, the log line, the next poll. Of it the runtime's is what the empty "
        "function takes; that of the calls is what a program takes for as many that does nothing else; after a hash the same program takes so much more for the same calls (the "
        "hash's memory has passed through the processor's caches); the endpoint's is the rest. Resident is the most the process ever held, MiB.\n\n"
        + _table(["operation", "wall, without store", "p99", "processor, own", "runtime", "calls", "after a hash", "endpoint", "processor, hashing", "resident"], rows)
        + "\n![Where the time of a warm request goes](warm.svg)\n"
    )


def _store(results: dict[str, Any], data: dict[str, Any], directory: Path) -> str:
    rows = []
    for operation in measured(data["warm"]):
        seen = data["warm"][operation.name]
        calls = ", ".join(seen["operations"]) + (", SendEmail" if seen["mails"] else "")
        rows.append([operation.name, _whole(seen["calls"]), _whole(seen["written"]), _whole(seen["read"]), calls])
    return (
        "## Calls and units\n\nWhat DynamoDB is asked and what it charges, from ConsumedCapacity, each operation's usual case.\n\n"
        + _table(["operation", "calls", "write units", "read units", "which"], rows, texts=(4,))
    )


def _argon2(results: dict[str, Any], data: dict[str, Any], directory: Path) -> str:
    seen = data["argon2"]
    ours, theirs = seen["ours_ms"], seen["theirs_ms"]
    rows = [[name, spread(times), ms(percentile(times, 0.99)), str(len(times))] for name, times in (("Doorward", ours), (seen["reference"], theirs))]
    return (
        f"## Argon2id\n\nm={seen['memory_kib']} KiB, t={seen['iterations']}, p={seen['parallelism']}, ms a hash, median and quartiles, in turn in the same run. "
        "Doorward keeps its memory from hash to hash and wipes it; the reference implementation, from its PyPI wheel, asks the system anew each time. "
        f"Doorward takes {median(ours) / median(theirs):.2f} times as long.\n\n" + _table(["", "hash", "p99", "hashes"], rows)
    )


def _peer(results: dict[str, Any], data: dict[str, Any], directory: Path) -> str:
    seen = data["peer"]
    plots.peer(seen["operations"], directory)
    versions = ", ".join(f"{name} {version}" for name, version in seen["versions"].items())
    rows = []
    for name in in_order(seen["operations"]):
        of = seen["operations"][name]
        own = [whole - store for whole, store in zip(of["theirs_ms"], of["their_store_ms"], strict=True)]
        rows.append([name, spread(of["ours_ms"]), spread(own), f"{median(own) / median(of['ours_ms']):.2f}", ms(median(of["their_store_ms"])),
                     f"{of['our_resident_kib'] / 1024:.1f}"])
    return (
        "## Beside the stack that it replaces\n\n"
        f"{versions}, with one worker and Argon2id of the same cost, as their documentation sets them up ([peer_site.py](../../tests/bench/peer_site.py)); "
        f"requests to both in turn in one run, {results['peer']['count']} of each. Processor time of a request with its hash, ms, median and quartiles. The store is in neither: ours is a process of its own, "
        "theirs is SQLite in the worker, whose share is taken off and told. Neither sends mail. Between requests the worker holds "
        f"{seen['their_resident_kib'] / 1024:.1f} MiB for all of them; a function holds what its row says at most.\n\n"
        + _table(["operation", "Doorward", "theirs", "times ours", "SQLite's share, taken off", "resident, MiB"], rows)
        + "\n![Processor time beside Django](peer.svg)\n"
    )


def _memory(results: dict[str, Any], data: dict[str, Any], directory: Path) -> str:
    rows = []
    for operation in measured(data["warm"]):
        if operation.name not in HASHING or operation.name == "login, wrong password":
            continue
        for memory in MEMORIES:
            dollars = sum(cost.per_million(operation, data["warm"], data["cold"], memory).values())
            first = sum(cost.per_million(operation, data["warm"], data["cold"], MEMORIES[0]).values())
            rows.append([operation.name, f"{memory:,}", str(cost.billed_ms(operation, data["warm"][operation.name], memory)), f"{dollars:.2f}", f"{dollars / first - 1:+.1%}"])
    return (
        "## Memory of functions that hash\n\nA function has a share of a processor that grows with its memory, and a whole one from "
        f"{cost.assumed('one_processor_mb'):,} MB on, of which a single hash uses no more. Wall time of a warm request and what a million cost, "
        "modelled as under [Cost](#cost) from the measured processor time; the parameter is `HashingMemory`.\n\n"
        + _table(["operation", "MB", "wall and billed, ms", "USD a million", f"against {MEMORIES[0]} MB"], rows)
    )


def _load(results: dict[str, Any], data: dict[str, Any], directory: Path) -> str:
    plots.load(data["load"], directory)
    rows = []
    for name in in_order(data["load"]):
        levels = data["load"][name]
        for count in sorted(levels, key=int):
            level = levels[count]
            rows.append([name, count, f"{level['requests'] / level['cpu_seconds']:.0f}", f"{level['requests'] / level['seconds']:.0f}", f"{max(level['resident_kib']) / 1024:.1f}"])
    return (
        "## Under load\n\nLambda gives every request at once an instance of its own, so so many instances run, each busy all the time. Per core: requests "
        "for each second of processor time of the functions. On this machine the store and the bench take their share of the same cores.\n\n"
        + _table(["operation", "instances", "requests/s per core", "requests/s here", "peak resident, MiB"], rows)
        + "\n![Requests per second](load.svg)\n"
    )


def _sizes(results: dict[str, Any], data: dict[str, Any], directory: Path) -> str:
    named = {".text": "code", ".rodata": "constants", ".data.rel.ro": "relocated", ".rela.dyn": "relocations"}
    unwinding = (".eh_frame", ".eh_frame_hdr", ".gcc_except_table")
    rows = []
    for name, seen in sorted(data["sizes"].items(), key=lambda entry: entry[1]["zip_bytes"]):
        parts = {what: seen["sections"].get(section, 0) for section, what in named.items()}
        unwound = sum(seen["sections"].get(section, 0) for section in unwinding)
        rest = seen["binary_bytes"] - sum(parts.values()) - unwound
        rows.append([name, *(f"{size / 1e6:.2f}" for size in (seen["zip_bytes"], seen["binary_bytes"], *parts.values(), unwound, rest)),
                     f"{sum(seen['embedded'].values()) / 1024:.0f}"])
    largest = max(data["sizes"].values(), key=lambda seen: sum(seen["embedded"].values()))["embedded"]
    files = ", ".join(f"`{name}` {size / 1024:.0f}" for name, size in sorted(largest.items(), key=lambda entry: -entry[1])[:5])
    return (
        "## Zips\n\nMB (10⁶ bytes); embedded files (templates, languages, the list of common passwords) are in the constants, KiB, found word for word.\n\n"
        + _table(["function", "zip", "binary", *named.values(), "unwinding", "rest", "embedded, KiB"], rows)
        + (f"\nThe largest embedded files, KiB: {files}.\n" if files else "")
    )


def _growth(results: dict[str, Any], data: dict[str, Any], directory: Path) -> str:
    plots.growth(data["growth"], directory)
    text = "## Growth\n\nProcessor time but for hashing, ms, medians; calls / write units / read units where they differ from the first row's.\n"
    for what, head in (("accounts", "accounts"), ("sessions", "sessions of the account")):
        levels = data["growth"][what]
        counts = sorted(levels, key=int)
        names = in_order(levels[counts[0]])
        units = {count: {name: tuple(median(levels[count][name][kind]) for kind in ("calls", "written", "read")) for name in names} for count in counts}

        def cell(count: str, name: str) -> str:
            changed = "" if units[count][name] == units[counts[0]][name] else " (" + " / ".join(f"{value:g}" for value in units[count][name]) + ")"
            return ms(median(levels[count][name]["own_ms"])) + changed

        text += "\n" + _table([head, *names], [[f"{int(count):,}", *(cell(count, name) for name in names)] for count in counts])
    return text + f"\nAn account takes {data['growth']['bytes_per_account']:,} bytes with its claims, a session {data['growth']['bytes_per_session']:,}.\n\n![Processor time over accounts and sessions](growth.svg)\n"


def _cost(results: dict[str, Any], data: dict[str, Any], directory: Path) -> str:
    plots.cost(results, directory)
    rows = []
    for operation in measured(data["warm"]):
        parts = cost.per_million(operation, data["warm"], data["cold"])
        rows.append([operation.name, str(cost.billed_ms(operation, data["warm"][operation.name])), *(f"{dollars:.2f}" if dollars else "" for dollars in parts.values()), f"{sum(parts.values()):.2f}"])
    usage = ", ".join(f"{name} {often:g}" for name, often in cost.PRICES["usage"].items() if name in data["warm"])
    active = (10_000, 100_000, 1_000_000)
    months = [["Doorward", *(f"{cost.month(count, results):,.2f}" for count in active)],
              ["of which checks of tokens", *(f"{cost.month(count, results) - cost.month(count, results, without=('check a token',)):,.2f}" for count in active)]]
    counted = cost.metrics()
    months.append(["of which metrics", *(f"{counted * cost.price('metric_month'):,.2f}" for _ in active)])
    months += [[f"Cognito {plan}", *(f"{cost.cognito(plan, count) + cost.cognito_mails(count):,.2f}" for count in active)] for plan in cost.PRICES["cognito"]["plans"]]
    prices = [[price["what"], f"{price['price']:.10f}".rstrip("0").rstrip("."), price["per"], price["source"]] for price in cost.PRICES["prices"].values()]
    assumed = [[entry["what"], f"{entry['value']:g}"] for entry in cost.PRICES["assumptions"].values()]
    timers = template.timers()
    called = " and ".join(f"`{name}` {often} times a day" for name, often in timers.items())
    return (
        f"## Cost\n\n{cost.PRICES['currency']}, {cost.PRICES['region']}, prices as found on {cost.PRICES['looked_up']} ([prices.json](../../tests/bench/prices.json)). Doorward's side has nothing taken off that AWS gives "
        "for nothing; Cognito's free users are. Not in it: WAF, alarms, a domain, tax, and the gateway of your own API, which asks the authorizer.\n\n"
        "A million of each operation, and the milliseconds Lambda bills for one: measured processor time at the share of a processor that the template's memory buys, and the assumed time of calls.\n\n"
        + _table(["operation", "billed ms", "gateway", "Lambda", "DynamoDB", "SES", "logs", "transfer", "sum"], rows)
        + f"\nA month, where an active account does this much in it: {usage}. Cognito's tokens are checked by their signature, at no price, until they expire; "
        "Doorward's are looked up, so that they end at once. Both sides pay for the same mails. "
        f"Each of the {counted} metrics that count while nothing fails is taken to count something in every hour. OPERATIONS.md has the price of the alarms.\n\n"
        f"With units as counted and times as estimated, a million events cost {cost.event():.2f} more than the operations that cause them (`Events`), and their delivery by a webhook {cost.event(webhook=True):.2f}.\n\n"
        f"While nobody logs in, {len(timers)} timers run: they call {called}. If each call starts its function anew, they cost "
        f"{cost.idle_month(results):.4f} in a month of {cost.MONTH_DAYS} days. Storage comes on top.\n\n"
        + _table(["accounts active in the month", *(f"{count:,}" for count in active)], months)
        + "\n![Dollars a month](cost.svg)\n\n" + _table(["price", "USD", "per", "source"], prices, texts=(2, 3))
        + f"\nCognito: {cost.PRICES['cognito']['source']}.\n\n" + _table(["assumption", ""], assumed)
    )


SECTIONS: list[tuple[tuple[str, ...], Callable[[dict[str, Any], dict[str, Any], Path], str]]] = [
    ((), _targets),
    ((), _where),
    (("cold",), _cold),
    (("connecting",), _connecting),
    (("warm",), _warm),
    (("argon2",), _argon2),
    (("peer",), _peer),
    (("load",), _load),
    (("warm",), _store),
    (("growth",), _growth),
    (("sizes",), _sizes),
    (("warm", "cold"), _memory),
    (("warm", "cold", "growth"), _cost),
]
