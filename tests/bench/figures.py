"""Figures of measurements: medians, quartiles, and the parts of an operation's processor time."""

import math
from collections.abc import Callable
from statistics import median
from typing import Any

from operations import CALLS_AND_HASH, CALLS_FEW, CALLS_MANY, EMPTY, FEW, MANY

HASHING = ("register", "login", "login, wrong password", "set username", "change password", "confirm")


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[math.ceil(share * len(values)) - 1]


def ms(value: float) -> str:
    return f"{value:.2f}"


def spread(values: list[float], shown: Callable[[float], str] = ms) -> str:
    """The median and the quartiles."""
    return f"{shown(median(values))} ({shown(percentile(values, 0.25))} to {shown(percentile(values, 0.75))})"


def interval(values: list[float]) -> tuple[float, float]:
    """Where the median lies. If two such intervals do not overlap, the medians differ by more than chance, with 95 % confidence (McGill, Tukey and Larsen,
    Variations of Box Plots, The American Statistician 32, 1978: the notches)."""
    half = 1.57 * (percentile(values, 0.75) - percentile(values, 0.25)) / math.sqrt(len(values))
    return median(values) - half, median(values) + half


def of_a_call(warm: dict[str, Any]) -> float:
    """The processor time of a further call that does nothing else."""
    return (median(warm[CALLS_MANY.name]["own_ms"]) - median(warm[CALLS_FEW.name]["own_ms"])) / (MANY - FEW)


def shares(warm: dict[str, Any], name: str) -> tuple[float, float, float, float]:
    """An operation's processor time without hashing, in parts: the runtime, calls to services, what later work costs more after a hash, and the rest."""
    own = {operation: median(seen["own_ms"]) for operation, seen in warm.items()}
    runtime, few, many = (own[operation.name] for operation in (EMPTY, CALLS_FEW, CALLS_MANY))
    asked = median(warm[name]["calls"]) + warm[name]["mails"]
    calls = few - runtime + (asked - FEW) * of_a_call(warm)
    after_hash = own[CALLS_AND_HASH.name] - many if name in HASHING else 0.0
    return runtime, calls, after_hash, own[name] - runtime - calls - after_hash
