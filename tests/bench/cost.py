"""Computes costs: measured work, multiplied by published prices and an assumed use."""

import json
import math
import re
from pathlib import Path
from statistics import mean, median
from typing import Any

import template
from operations import CALLS_MANY, MANY, Operation, measured

PRICES = json.loads(Path(__file__).with_name("prices.json").read_text())
GB = 1e9
# Bytes that Lambda itself logs per request (START, END, REPORT), and 26 more that CloudWatch counts per event.
PLATFORM_LINES = [
    "START RequestId: 00000000-0000-0000-0000-000000000000 Version: $LATEST\n",
    "END RequestId: 00000000-0000-0000-0000-000000000000\n",
    "REPORT RequestId: 00000000-0000-0000-0000-000000000000\tDuration: 100.00 ms\tBilled Duration: 100 ms\tMemory Size: 512 MB\tMax Memory Used: 50 MB\t\n",
]
EVENT_OVERHEAD_BYTES = 26
MONTH_DAYS = 31


def price(name: str) -> float:
    return PRICES["prices"][name]["price"]


def assumed(name: str) -> float:
    return PRICES["assumptions"][name]["value"]


def billed_ms(operation: Operation, seen: dict[str, Any], memory: int | None = None) -> int:
    """The milliseconds that Lambda bills for a warm request, which are also how long it takes: computing with the share of a processor that comes with
    the memory (the template's if none is given), and waiting for services."""
    memory = memory or template.functions()[operation.function].memory_mb
    computing = median(own + hash_ for own, hash_ in zip(seen["own_ms"], seen["hash_ms"])) * max(1.0, assumed("one_processor_mb") / memory)
    # Calls that are made together are one wait. Measurements from before that was counted made one after the other.
    waits = median(seen.get("waits", seen["calls"]))
    return math.ceil(computing + waits * assumed("store_call_ms") + seen["mails"] * assumed("mail_call_ms"))


def per_million(operation: Operation, warm: dict[str, Any], cold: dict[str, Any], memory: int | None = None) -> dict[str, float]:
    """US dollars for a million of an operation, by service."""
    seen, function = warm[operation.name], template.functions()[operation.function]
    memory = memory or function.memory_mb
    init_ms = median(cold[operation.function]["init_cpu_ms"]) * max(1.0, assumed("one_processor_mb") / memory)
    seconds = (billed_ms(operation, seen, memory) + init_ms * assumed("cold_share")) / 1000
    platform = PLATFORM_LINES if function.logs_starts else []
    events = mean(seen["logged_lines"]) + len(platform)
    logged = mean(seen["logged_bytes"]) + sum(map(len, platform)) + events * EVENT_OVERHEAD_BYTES
    return {
        "gateway": price("gateway_request_million") if operation.gateway else 0.0,
        "lambda": price("lambda_request_million") + seconds * memory / 1024 * price("lambda_gb_second") * 1e6,
        "store": mean(seen["written"]) * price("write_million") + mean(seen["read"]) * price("read_million"),
        "mail": seen["mails"] * price("mail_thousand") * 1000,
        "logs": logged * 1e6 / GB * price("logs_gb"),
        "transfer": (mean(seen["answer_bytes"]) + assumed("head_bytes")) * 1e6 / GB * price("transfer_gb") if operation.gateway else 0.0,
    }


def month(active: int, results: dict[str, Any], *, without: tuple[str, ...] = ()) -> float:
    """US dollars per month for this many active accounts, without AWS's free tier."""
    warm, cold, growth = (results[part]["data"] for part in ("warm", "cold", "growth"))
    asked = sum(
        PRICES["usage"][operation.name] * active / 1e6 * sum(per_million(operation, warm, cold).values())
        for operation in measured(warm) if operation.name not in without
    )
    overhead = assumed("item_overhead_bytes")
    account = growth["bytes_per_account"] + assumed("items_per_account") * overhead
    kept = assumed("accounts_per_active") * account + assumed("sessions_per_active") * (growth["bytes_per_session"] + overhead)
    return asked + metrics() * price("metric_month") + active * kept / GB * (price("storage_gb_month") + price("recovery_gb_month"))


def idle_month(results: dict[str, Any]) -> float:
    """US dollars for a month in which only the timers call, storage not included.

    Every call is taken to start its function anew, and to take as long as the slowest function to start and as the bench's own function for its queries.
    Each query finds nothing, which costs one unit, and is one wait, as is the connection to the store.
    """
    warm, cold = (results[part]["data"] for part in ("warm", "cold"))
    queries = {"mailer": 1, "sweeper": int(template.in_source("shared/src/deletion_list.rs", r"const LISTS: u32 = (\d+);"))}
    starting = max(median(seen["init_cpu_ms"]) for seen in cold.values())
    logged = sum(map(len, PLATFORM_LINES)) + len(PLATFORM_LINES) * EVENT_OVERHEAD_BYTES
    dollars = 0.0
    for name, calls_a_day in template.timers().items():
        memory, asked = template.functions()[name].memory_mb, queries[name]
        computing = (starting + asked / MANY * median(warm[CALLS_MANY.name]["own_ms"])) * max(1.0, assumed("one_processor_mb") / memory)
        seconds = math.ceil(computing + (1 + asked) * assumed("store_call_ms")) / 1000
        each = price("lambda_request_million") / 1e6 + seconds * memory / 1024 * price("lambda_gb_second")
        each += asked * price("read_million") / 1e6 + logged / GB * price("logs_gb")
        dollars += MONTH_DAYS * calls_a_day * each
    return dollars


def event(*, webhook: bool = False) -> float:
    """US dollars for a million events. Two units for the write in a transaction, one for the deletion and one to be read are what event_data.rs counts. The
    function that publishes is estimated: it waits for three calls.

    With a webhook, what a delivery adds: three calls of the queue and a function that waits for the receiver as long as for a mail.
    """
    def function(waits_ms: float) -> float:
        memory = 256 / 1024
        return price("lambda_request_million") + (waits_ms + assumed("store_call_ms")) / 1000 * memory * price("lambda_gb_second") * 1e6

    if webhook:
        return 3 * price("queue_million") + function(assumed("mail_call_ms"))
    return 3 * price("write_million") + price("read_million") + function(3 * assumed("store_call_ms")) + price("event_million")


def metrics() -> int:
    """The number of metrics that are counted by default while nothing fails, each of which is assumed to count something in every hour."""
    source = (template.ROOT / "shared/src/metric.rs").read_text()
    if template.parameters()["Metrics"] == "few":
        of_alarms = re.findall(r"Self::(\w+)", re.search(r"const OF_ALARMS: .*?=\s*\[(.*?)\];", source, re.DOTALL)[1])
        return sum(not name.endswith(("_FAILED", "_GONE")) for name in of_alarms)
    return len(re.findall(r"const \w+: Self = Self\(", source)) + len(re.findall(r"histogram!\((\w+)\)", source))


def cognito(plan: str, active: int) -> float:
    """US dollars per month for this many active users who sign in directly, with the free tier."""
    dollars, below = 0.0, 0
    for upto, each in PRICES["cognito"]["plans"][plan]:
        upto = active if upto is None else min(upto, active)
        dollars += max(0, upto - below) * each
        below = max(below, upto)
    return dollars


def cognito_mails(active: int) -> float:
    """US dollars for mail, which Cognito sends through SES too."""
    return active * PRICES["usage"]["send a mail"] / 1000 * price("mail_thousand")
