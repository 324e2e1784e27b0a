"""Benchmark of bars: in one pass over packed columns, and tick by tick from Python."""

import tempfile
from pathlib import Path

import numpy as np
from bars_peers import workload
from contender import OWN, PEERS, contend, passes, ratio
from report import goal, plural, section, table

HOMES = {"patang": OWN, "duckdb": PEERS, "polars": PEERS}
JOBS = ("1 s", "1 min", "all")


def rows(told: dict[str, list[dict[str, object]]], count: int) -> list[dict[str, object]]:
    """Return a row for each contender; assert that all built the same bars."""
    made = []
    for name, reports in told.items():
        if "absent" in reports[0]:
            made.append({"builder": name, "absent": reports[0]["absent"]})
            continue
        assert reports[0]["checksum"] == told["patang"][0]["checksum"], f"{name} built other bars"
        figures: dict[str, object] = {"builder": name, "version": reports[0]["version"]}
        for job in JOBS:
            theirs, ours = (
                [each["seconds"][job] for each in side] for side in (reports, told["patang"])
            )
            figures[f"{job}, M ticks/s"] = count / min(theirs) / 1e6
            figures[f"{job}, patang is"] = ratio(theirs, ours)
        made.append(figures | {"peak MB": max(each["rss_mb"] for each in reports)})
    return made


def run(*, quick: bool = False) -> dict[str, object]:
    """Return the section of the report."""
    count, repeats, rounds = (200_000, 1, 1) if quick else (4_000_000, 3, 2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ticks.npz"
        np.savez(path, **workload(count))

        def one(name: str) -> dict[str, object]:
            return contend("bars_peers", name, HOMES[name], path=str(path), rounds=rounds)

        told = passes(repeats, {name: lambda name=name: one(name) for name in HOMES})
        single = contend("bars_peers", "one by one", OWN, path=str(path), count=min(count, 300_000))
    rate = count / min(each["seconds"]["all"] for each in told["patang"]) / 1e6
    late = single["p99.9"]
    return section(
        "Bars",
        f"{plural(count, 'tick')} of 500 tokens in time order, most of which close a one-second "
        "bar;"
        f" {told['patang'][0]['bars']:,} bars of 1 s, 1, 3, 5 and 15 min. patang builds all spans "
        "in one pass, the others in"
        " one query a span. All give the same open, high, low, close and count.",
        [
            table("In bulk", rows(told, count)),
            table(
                "One tick at a time from Python, ns with the timer",
                [{"": "Bars.update", **_percentiles(single)}],
            ),
        ],
        [
            goal("bars of 1 s to 15 min in one pass, M ticks/s", "≥ 30", rate, rate >= 30),
            goal("one tick from Python, p99.9, ns", "≤ 1,000", late, late <= 1_000),
        ],
    )


def _percentiles(told: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in told.items() if name.startswith("p")}
