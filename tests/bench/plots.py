"""The report's pictures."""

from pathlib import Path
from statistics import median
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt  # noqa: E402

from cost import PRICES, cognito, month  # noqa: E402
from operations import in_order, measured  # noqa: E402

OWN, HASH, STORE, EMPTY = "#0b6357", "#d98e04", "#8fa3ad", "#555555"
plt.rcParams.update({"svg.hashsalt": "doorward", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})


def save(figure: Any, directory: Path, name: str) -> None:
    figure.tight_layout()
    figure.savefig(directory / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)


def cold(data: dict[str, Any], directory: Path) -> None:
    """Times from spawn to the first poll, and of the first request, one dot per start."""
    names = sorted(data, key=lambda name: (name != "empty", median(data[name]["poll_ms"])))
    figure, axis = plt.subplots(figsize=(7, 4))
    for place, name in enumerate(names):
        for what, colour, shift, label in (("poll_ms", OWN, 0.15, "spawn to first poll"), ("first_ms", HASH, -0.15, "first request")):
            times = data[name][what]
            axis.plot(times, [place + shift] * len(times), "|", color=colour, alpha=0.3)
            axis.plot(median(times), place + shift, "o", color=colour, markersize=4, label=label if place == 0 else None)
    axis.set_yticks(range(len(names)), names)
    axis.set_xlabel("ms")
    axis.set_xscale("log")
    axis.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    save(figure, directory, "cold")


def warm(data: dict[str, Any], directory: Path) -> None:
    """The parts of the time of a warm request."""
    names = [operation.name for operation in measured(data)][::-1]
    figure, axis = plt.subplots(figsize=(7, 4))
    left = [0.0] * len(names)
    for what, colour, label in (("own_ms", OWN, "processor, own"), ("hash_ms", HASH, "processor, Argon2id"), ("busy_ms", STORE, "the store and the mail service")):
        widths = [median(data[name][what]) for name in names]
        axis.barh(names, widths, left=left, color=colour, label=label)
        left = [start + width for start, width in zip(left, widths)]
    axis.set_xlabel("ms, medians")
    axis.legend(frameon=False)
    save(figure, directory, "warm")


def growth(data: dict[str, Any], directory: Path) -> None:
    """Processor time over accounts and over sessions."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.6))
    for axis, what in zip(axes, ("accounts", "sessions")):
        counts = sorted(data[what], key=int)
        for name in in_order(data[what][counts[0]]):
            axis.plot([int(count) for count in counts], [median(data[what][count][name]["own_ms"]) for count in counts], "o-", markersize=3, label=name)
        axis.set_xscale("log")
        axis.set_ylim(bottom=0)
        axis.set_xlabel(what if what == "accounts" else "sessions of the account")
        axis.legend(frameon=False, fontsize=7)
    axes[0].set_ylabel("processor time but for hashing, ms, medians")
    save(figure, directory, "growth")


def peer(data: dict[str, Any], directory: Path) -> None:
    """Processor time of the same requests to Doorward and to the stack that it replaces."""
    names = in_order(data)[::-1]
    figure, axis = plt.subplots(figsize=(7, 3.2))
    theirs = [median(whole - store for whole, store in zip(data[name]["theirs_ms"], data[name]["their_store_ms"], strict=True)) for name in names]
    for shift, times, colour, label in ((0.2, [median(data[name]["ours_ms"]) for name in names], OWN, "Doorward"), (-0.2, theirs, EMPTY, "Django REST Framework")):
        axis.barh([place + shift for place in range(len(names))], times, height=0.38, color=colour, label=label)
    axis.set_yticks(range(len(names)), names)
    axis.set_xscale("log")
    axis.set_xlabel("processor time of a request, ms, medians")
    axis.legend(frameon=False)
    save(figure, directory, "peer")


def load(data: dict[str, Any], directory: Path) -> None:
    """Requests per second and core over the number of instances."""
    figure, axes = plt.subplots(1, len(data), figsize=(8, 3.2))
    for axis, name in zip(axes, in_order(data)):
        levels = data[name]
        counts = sorted(levels, key=int)
        axis.plot(counts, [levels[count]["requests"] / levels[count]["cpu_seconds"] for count in counts], "o-", color=OWN, label="per core of the functions")
        axis.plot(counts, [levels[count]["requests"] / levels[count]["seconds"] for count in counts], "o-", color=STORE, label="on this machine, store included")
        axis.set_title(name)
        axis.set_xlabel("instances")
        axis.set_ylim(bottom=0)
        axis.legend(frameon=False, fontsize=7)
    axes[0].set_ylabel("requests per second")
    save(figure, directory, "load")


def cost(results: dict[str, Any], directory: Path) -> None:
    """US dollars per month over active accounts."""
    active = [10_000, 30_000, 100_000, 300_000, 1_000_000]
    figure, axis = plt.subplots(figsize=(7, 3.6))
    axis.plot(active, [month(count, results) for count in active], "o-", color=OWN, label="Doorward")
    axis.plot(active, [month(count, results, without=("check a token",)) for count in active], "o--", color=OWN, label="Doorward, without checks of tokens")
    for plan, style in zip(PRICES["cognito"]["plans"], (":", "--", "-")):
        axis.plot(active, [cognito(plan, count) for count in active], style, color=EMPTY, label=f"Cognito {plan}")
    axis.set_xscale("log")
    axis.set_yscale("symlog", linthresh=1)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("accounts active in the month")
    axis.set_ylabel("USD a month")
    axis.legend(frameon=False, fontsize=7)
    save(figure, directory, "cost")
