"""What the project wants to reach, what was seen, and why a target is missed."""

from statistics import median
from typing import Any

import template
from figures import interval, of_a_call, shares
from operations import CALLS_FEW, FEW, measured

MIB = 2**20
ARCHIVE_BYTES = 3_000_000
OWN_MS = 0.5
# The smallest growth that matters.
FLAT = 1.10

MET, NOT_MET, UNDECIDED = "met", "**not met**", "undecided"

Row = list[str]

# Functions with what their zips contain that those before do not.
IN_ZIPS = (("empty", "the runtime"), ("authorizer", "also the client of DynamoDB and TLS"), ("logout", "also answers of the API"), ("disavow", "also pages with their languages"))
LARGE = {
    "confirm-reset": (IN_ZIPS, "hashing and the list of common passwords"),
    "verify-address": (IN_ZIPS[:3], "pages with their languages"),
    "disavow": (IN_ZIPS[:3], "pages with their languages"),
    "mailer": (IN_ZIPS[:2], "the client of SES, and mails with their languages"),
}


def rows(data: dict[str, Any]) -> list[Row]:
    """Each target with what was seen of it, whether it is met, and if not, why."""
    found: list[Row] = []

    def target(what: str, wanted: str, seen: str, met: bool, why: str = "") -> None:
        found.append([what, wanted, seen, MET if met else NOT_MET, "" if met else why])

    if "cold" in data:
        empty = median(data["cold"]["empty"]["poll_ms"])
        ratio, name = max((median(seen["poll_ms"]) / empty, name) for name, seen in data["cold"].items())
        target("start, spawn to first poll, against the empty function", "≤ 2.5 times", f"{ratio:.2f} times ({name})", ratio <= 2.5)
    if "warm" in data:
        parts = {operation.name: shares(data["warm"], operation.name) for operation in measured(data["warm"])}
        name = max(parts, key=lambda name: parts[name][-1])
        rest = parts[name][-1]
        target("processor time of a request beyond hashing, the runtime and calling the store", f"< {OWN_MS} ms", f"{rest:.2f} ms ({name})", rest < OWN_MS,
               _rest(data["warm"], parts, name))
        name = max(parts, key=lambda name: sum(parts[name]))
        own = sum(parts[name])
        target("the same, the runtime and the store's client in it", f"< {OWN_MS} ms", f"{own:.2f} ms ({name})", own < OWN_MS, _calls(data["warm"], parts, name))
    if "argon2" in data:
        ratio = median(data["argon2"]["ours_ms"]) / median(data["argon2"]["theirs_ms"])
        target("Argon2id against the reference C library", "≤ 1 times", f"{ratio:.2f} times", ratio <= 1)
    if "argon2" in data and "warm" in data:
        # Of the same code: only how a program is built can make it slower in a function.
        ratio = median(data["warm"]["register"]["hash_ms"]) / median(data["argon2"]["ours_ms"])
        target("a hash in a function against the same in calibrate", "≤ 1.25 times", f"{ratio:.2f} times (register)", ratio <= 1.25)
    if "connecting" in data:
        first, name = max((median(seen["init_cpu_ms"]["tls"]) - median(seen["init_cpu_ms"]["none"]), name) for name, seen in data["connecting"].items())
        target("processor time of a program's first connection, over TLS", "≤ 5 ms", f"{first:.1f} ms ({name})", first <= 5)
    if "sizes" in data:
        size, name = max((seen["zip_bytes"], name) for name, seen in data["sizes"].items())
        target("zip", f"≤ {ARCHIVE_BYTES / 1e6:g} MB", f"{size / 1e6:.2f} MB ({name})", size <= ARCHIVE_BYTES, _zip(data["sizes"], name))
    if "load" in data:
        hashing = int(template.parameters()["Argon2MemoryKib"]) / 1024
        for operation, besides in (("login", hashing), ("check a token", 0.0)):
            most = max(max(level["resident_kib"]) for level in data["load"][operation].values()) / 1024
            wanted = "≤ 30 MB and hashing memory" if besides else "≤ 30 MB"
            target(f"resident under load, {operation}", wanted, f"{(most - besides) * MIB / 1e6:.1f} MB" + (f" and {besides:.0f} MiB" if besides else ""),
                   (most - besides) * MIB <= 30e6)
    if "growth" in data:
        for what in ("accounts", "sessions"):
            found.append(_growth(what, data["growth"][what]))
            same = _units_stay(data["growth"][what])
            target(f"calls and units with more {what}", "flat", "the same" if same else "differ", same)
    return found


def _rest(warm: dict[str, Any], parts: dict[str, tuple[float, ...]], name: str) -> str:
    """Why an endpoint takes long."""
    if name != "send a mail":
        return ""
    return (
        f"Three templates are rendered, a mail's subject, text and HTML; for the one page of \"open the link\" the endpoint takes {parts['open the link'][-1]:.2f} ms. "
        f"And its calls are larger than those that are taken off for them: {warm[name]['operations'].count('TransactWriteItems')} are transactions, and that of SES contains the mail"
    )


def _calls(warm: dict[str, Any], parts: dict[str, tuple[float, ...]], name: str) -> str:
    """Why an operation takes long, the store's client in it."""
    asked, each = median(warm[name]["calls"]) + warm[name]["mails"], of_a_call(warm)
    most = max(0, int((OWN_MS - median(warm[CALLS_FEW.name]["own_ms"])) / each) + FEW)
    return (
        f"The {asked:g} calls take {parts[name][1]:.2f} ms of it. The SDK needs about {each:.2f} ms to make, sign and read a small one, so an operation of more than {most} calls cannot meet this"
    )


def _zip(sizes: dict[str, Any], name: str) -> str:
    """Why a zip is large."""
    smaller, more = LARGE.get(name, ((), ""))
    if not smaller:
        return ""
    steps = ", ".join(f"`{function}` {sizes[function]['zip_bytes'] / 1e6:.2f} MB ({what})" for function, what in smaller)
    return f"For comparison: {steps}. This one also has {more}"


def _growth(what: str, levels: dict[str, Any]) -> Row:
    """Processor time of the largest level, without hashing, against the smallest, of the operation that grows most. A growth within chance decides nothing."""
    counts = sorted(levels, key=int)
    first, last = ({name: seen["own_ms"] for name, seen in levels[count].items()} for count in (counts[0], counts[-1]))
    factors = {name: median(last[name]) / median(first[name]) for name in first}
    grown = [name for name in first if factors[name] > FLAT]
    real = [name for name in grown if interval(last[name])[0] > interval(first[name])[1]]
    name = max(real or grown or factors, key=lambda name: factors[name])
    verdict, why = MET, ""
    if grown:
        verdict = NOT_MET if real else UNDECIDED
        (low, high), (lower, higher) = interval(first[name]), interval(last[name])
        why = (
            f"The notches of the medians are {low:.2f} to {high:.2f} ms with {int(counts[0]):,} {what} ({len(first[name])} requests) and {lower:.2f} to {higher:.2f} ms with "
            f"{int(counts[-1]):,} ({len(last[name])} requests). They {'do not overlap, so the growth is more than chance' if real else 'overlap, so the growth may be chance'}"
        )
    return [f"processor time with more {what}", f"flat (≤ {FLAT:.2f} times)", f"{factors[name]:.2f} times ({name})", verdict, why]


def _units_stay(levels: dict[str, Any]) -> bool:
    def seen(level: dict[str, Any]) -> dict[str, Any]:
        return {name: [median(of[what]) for what in ("calls", "written", "read")] for name, of in level.items()}

    first, *others = [seen(level) for level in levels.values()]
    return all(other == first for other in others)
