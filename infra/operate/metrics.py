"""`make metrics`: the metrics of a stack for the last minutes, hour and day, as a table.

On AWS it queries CloudWatch. On the local stack it reads the log lines from which CloudWatch would make the metrics.
"""

import json
import time
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from statistics import quantiles

from logs import Reader
from stack import Environment

NAMESPACE = "Doorward"
# The columns: seconds, and what they are called.
SPANS = ((300, "5 minutes"), (3600, "1 hour"), (86_400, "1 day"))
# The only metric that is not a count: the times of hashes in milliseconds.
HASHES = "HashMilliseconds"

# The number of each metric within each span, in the order of SPANS.
Counts = dict[str, list[float]]


def metrics(env: Environment) -> int:
    """Prints the table. A metric that counted nothing within a day is left out, because CloudWatch has no data for it."""
    counts, hashes = _of_lines(env) if env.is_local else _of_cloudwatch(env)
    print(env.place)
    if env.parameters.get("Metrics") == "few":
        print("Only what alarms use is counted; `make set PARAMS=Metrics=all` counts all.")
    if not counts and not hashes:
        print("Nothing was counted within a day.")
        return 0
    width = max(map(len, [*counts, HASHES]))
    print(" " * width + "".join(f"{name:>12}" for _, name in SPANS))
    for name in sorted(counts):
        print(f"{name:{width}}" + "".join(f"{count:>12.0f}" for count in counts[name]))
    if hashes:
        print(f"{HASHES:{width}}  median {hashes[0]:.0f}, 99th percentile {hashes[1]:.0f}, within {SPANS[-1][1]}")
    return 0


def _of_lines(env: Environment) -> tuple[Counts, tuple[float, float] | None]:
    now = time.time()
    counts: Counts = defaultdict(lambda: [0.0] * len(SPANS))
    hashes: list[float] = []
    for line in Reader(env, int((now - SPANS[-1][0]) * 1000)).new():
        if not line.is_metric:
            continue
        event = json.loads(line.text)
        age = now - event["_aws"]["Timestamp"] / 1000
        for name in (metric["Name"] for directive in event["_aws"]["CloudWatchMetrics"] for metric in directive["Metrics"]):
            if name == HASHES:
                hashes += event[name] if isinstance(event[name], list) else [event[name]]
            else:
                counts[name] = [count + event[name] * (age <= span) for count, (span, _) in zip(counts[name], SPANS)]
    return dict(counts), _percentiles(hashes)


def _percentiles(values: list[float]) -> tuple[float, float] | None:
    if len(values) < 2:
        return (values[0], values[0]) if values else None
    cuts = quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[98]


def _of_cloudwatch(env: Environment) -> tuple[Counts, tuple[float, float] | None]:
    cloudwatch = env.client("cloudwatch")
    deployment = [{"Name": "Deployment", "Value": env.name}]
    pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace=NAMESPACE, Dimensions=deployment)
    names = sorted({metric["MetricName"] for page in pages for metric in page["Metrics"]})
    if not names:
        return {}, None
    end = datetime.now(timezone.utc)

    def query(number: int, name: str, statistic: str, period: int) -> dict[str, object]:
        metric = {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": deployment}
        return {"Id": f"m{number}", "Label": f"{name} {statistic}", "MetricStat": {"Metric": metric, "Period": period, "Stat": statistic}}

    wanted = [(name, "Sum", SPANS[0][0]) for name in names if name != HASHES]
    wanted += [(HASHES, statistic, SPANS[-1][0]) for statistic in ("p50", "p99")] if HASHES in names else []
    queries = [query(number, *each) for number, each in enumerate(wanted)]
    counts: Counts = {}
    hashes: dict[str, float] = {}
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=end - timedelta(seconds=SPANS[-1][0]), EndTime=end,
    )
    for result in (result for page in pages for result in page["MetricDataResults"]):
        name, _, statistic = result["Label"].partition(" ")
        if not result["Values"]:
            continue
        if name == HASHES:
            hashes[statistic] = result["Values"][0]
            continue
        ages = [((end - at).total_seconds(), value) for at, value in zip(result["Timestamps"], result["Values"])]
        before = counts.get(name, [0.0] * len(SPANS))
        counts[name] = [count + sum(value for age, value in ages if age <= span) for count, (span, _) in zip(before, SPANS)]
    return counts, (hashes["p50"], hashes["p99"]) if len(hashes) == 2 else None
