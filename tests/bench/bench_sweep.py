"""Benchmark of a sweep of 200 parameter pairs on two cores, in patang and vectorbt."""

import tempfile
from pathlib import Path

import sweep_peers
from bench_backtest import Workload
from bench_cross import COMPILED, FOLLOWS, PYTHON, Reports, save, seconds
from contender import OWN, PEERS, contend, passes, ratio
from report import goal, section, table

NAMES = (COMPILED, PYTHON, FOLLOWS, "vectorbt")


def measure(bars: int, repeats: int) -> Reports:
    """Return the reports of all.

    Assert that each tenth pair traded alike, and that all found the same best, to the paisa.

    Our fees are whole paise an order, vectorbt's are not: half a paisa an order may lie between the
    two.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bars.npz"
        save(Workload(1, bars), path)

        def one(name: str) -> dict[str, object]:
            python = PEERS if name == "vectorbt" else OWN
            return contend("sweep_peers", name, python, path=str(path), bars=bars, rounds=2)

        told = passes(repeats, {name: lambda name=name: one(name) for name in NAMES})
    wanted = told[COMPILED][0]
    for name, reports in told.items():
        if "absent" not in reports[0]:
            for key in ("checks", "best"):
                assert reports[0][key] == wanted[key], f"{name} made other trades ({key})"
            away = abs(reports[0]["profit"] - wanted["profit"])
            assert away <= 0.005 * reports[0].get("orders", 0) + 1e-9, (
                f"{name} made ₹{away:.4f} more or less"
            )
    return told


def memory(report: dict[str, object]) -> float:
    """Return the peak memory of all of a contender's processes in MB."""
    return float(report["rss_mb"]) + float(report.get("workers", 0.0))


def run(*, quick: bool = False) -> dict[str, object]:
    """Return the section of the report."""
    bars = 2_000 if quick else 93_750
    told = measure(bars, 1 if quick else 2)
    count = bars * len(sweep_peers.PAIRS)
    peer = told["vectorbt"]
    rows, goals = [], []
    for name, reports in told.items():
        if "absent" in reports[0]:
            rows.append({"backtester": name, "absent": reports[0]["absent"]})
            continue
        known = "absent" not in peer[0]
        rows.append(
            {
                "backtester": name,
                "version": reports[0]["version"],
                "seconds": min(seconds(reports)),
                "first run in its process": min(report["first"] for report in reports),
                "M bars/s": count / min(seconds(reports)) / 1e6,
                "best pair": "/".join(map(str, reports[0]["best"])),
                "its P&L, ₹": f"{reports[0]['profit']:,.2f}",
                "of vectorbt's time": ratio(seconds(reports), seconds(peer)) if known else None,
                "peak MB of all processes": max(map(memory, reports)),
            }
        )
    for name, limit in ((COMPILED, 0.1), (PYTHON, 0.6), (FOLLOWS, 0.6)):
        if "absent" in peer[0]:
            goals.append(goal(f"sweep, {name}, of vectorbt's time", f"≤ {limit}", None, None))
            continue
        spent = ratio(seconds(told[name]), seconds(peer))
        goals.append(
            goal(f"sweep, {name}, of vectorbt's time", f"≤ {limit}", spent, spent <= limit)
        )
    if "absent" not in peer[0]:
        held = max(map(memory, told[COMPILED])) / max(map(memory, peer))
        goals.append(
            goal("sweep, memory of all our processes, of vectorbt's", "≤ 0.1", held, held <= 0.1)
        )
    return section(
        "Sweeps",
        f"{len(sweep_peers.PAIRS)} pairs of averages (5 to 50 and 60 to 250 closes) over {bars:,} "
        "one-minute bars of one"
        " symbol, with the orders, fees and equity curve of Backtests; the fills of every tenth "
        "pair are the same in all,"
        " and so are the best pair and, but for the rounding of fees to the paisa, its P&L. "
        "patang runs each pair through the kernel and the venue, in two processes that are there"
        " when the clock starts; vectorbt holds all pairs as columns, and its functions are "
        "compiled by then.",
        [table("200 pairs", rows)],
        goals,
    )
