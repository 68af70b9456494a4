"""What it costs: measured work, times published prices, times a stated use."""

import json
import math
import re
from pathlib import Path
from statistics import mean, median
from typing import Any

import template
from operations import OPERATIONS, Operation

PRICES = json.loads(Path(__file__).with_name("prices.json").read_text())
GB = 1e9
# What Lambda itself writes to the log about a request: START, END, REPORT; and CloudWatch counts 26 bytes more for every event.
PLATFORM_LINES = [
    "START RequestId: 00000000-0000-0000-0000-000000000000 Version: $LATEST\n",
    "END RequestId: 00000000-0000-0000-0000-000000000000\n",
    "REPORT RequestId: 00000000-0000-0000-0000-000000000000\tDuration: 100.00 ms\tBilled Duration: 100 ms\tMemory Size: 512 MB\tMax Memory Used: 50 MB\t\n",
]
EVENT_OVERHEAD_BYTES = 26


def price(name: str) -> float:
    return PRICES["prices"][name]["price"]


def assumed(name: str) -> float:
    return PRICES["assumptions"][name]["value"]


def billed_ms(operation: Operation, seen: dict[str, Any]) -> int:
    """What Lambda bills for a warm request: computing at the share of a processor that the memory buys, and waiting for services."""
    memory = template.functions()[operation.function].memory_mb
    computing = median(own + hash_ for own, hash_ in zip(seen["own_ms"], seen["hash_ms"])) * max(1.0, assumed("one_processor_mb") / memory)
    return math.ceil(computing + median(seen["calls"]) * assumed("store_call_ms") + seen["mails"] * assumed("mail_call_ms"))


def per_million(operation: Operation, warm: dict[str, Any], cold: dict[str, Any]) -> dict[str, float]:
    """Dollars for a million of an operation, by what they are paid for."""
    seen = warm[operation.name]
    memory = template.functions()[operation.function].memory_mb
    init_ms = median(cold[operation.function]["init_cpu_ms"]) * max(1.0, assumed("one_processor_mb") / memory)
    seconds = (billed_ms(operation, seen) + init_ms * assumed("cold_share")) / 1000
    events = mean(seen["logged_lines"]) + len(PLATFORM_LINES)
    logged = mean(seen["logged_bytes"]) + sum(map(len, PLATFORM_LINES)) + events * EVENT_OVERHEAD_BYTES
    return {
        "gateway": price("gateway_request_million") if operation.gateway else 0.0,
        "lambda": price("lambda_request_million") + seconds * memory / 1024 * price("lambda_gb_second") * 1e6,
        "store": mean(seen["written"]) * price("write_million") + mean(seen["read"]) * price("read_million"),
        "mail": seen["mails"] * price("mail_thousand") * 1000,
        "logs": logged * 1e6 / GB * price("logs_gb"),
        "transfer": (mean(seen["answer_bytes"]) + assumed("head_bytes")) * 1e6 / GB * price("transfer_gb") if operation.gateway else 0.0,
    }


def month(active: int, results: dict[str, Any], *, without: tuple[str, ...] = ()) -> float:
    """Dollars a month for so many active accounts. What AWS gives for nothing is not taken off."""
    warm, cold, growth = (results[part]["data"] for part in ("warm", "cold", "growth"))
    asked = sum(
        PRICES["usage"][operation.name] * active / 1e6 * sum(per_million(operation, warm, cold).values())
        for operation in OPERATIONS if operation.name not in without
    )
    overhead = assumed("item_overhead_bytes")
    account = growth["bytes_per_account"] + assumed("items_per_account") * overhead
    kept = assumed("accounts_per_active") * account + assumed("sessions_per_active") * (growth["bytes_per_session"] + overhead)
    return asked + metrics() * price("metric_month") + active * kept / GB * (price("storage_gb_month") + price("recovery_gb_month"))


def metrics() -> int:
    """How many metrics there are when each counts something in every hour."""
    source = (template.ROOT / "shared/src/metric.rs").read_text()
    return len(re.findall(r"const \w+: Self = Self\(", source)) + len(re.findall(r"histogram!\((\w+)\)", source))


def cognito(plan: str, active: int) -> float:
    """Dollars a month for so many active users who sign in directly, what AWS gives for nothing taken off."""
    dollars, below = 0.0, 0
    for upto, each in PRICES["cognito"]["plans"][plan]:
        upto = active if upto is None else min(upto, active)
        dollars += max(0, upto - below) * each
        below = max(below, upto)
    return dollars


def cognito_mails(active: int) -> float:
    """Cognito sends through SES too."""
    return active * PRICES["usage"]["send a mail"] / 1000 * price("mail_thousand")
