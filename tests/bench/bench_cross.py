"""Benchmark of one strategy in patang and in the backtesters of `backtest_peers.py`."""

import shutil
import tempfile
from pathlib import Path
from statistics import median

import cross_floor
import depth_peers
import numpy as np
from bench_backtest import Tape, Workload, cross, quoting, ticks
from contender import OWN, PEERS, contend, passes, ratio
from report import goal, plural, section, table

OURS = (
    "patang, compiled strategy",
    "patang, Python strategy",
    "patang, Python strategy that follows",
    "hand-written loop",
)
COMPILED, PYTHON, FOLLOWS = OURS[:3]
SLOW_ONES = ("backtrader", "nautilus_trader")
Reports = dict[str, list[dict[str, object]]]


def save(work: Workload, path: Path) -> None:
    """Write the bars in whole ticks for the contenders."""
    columns = {name: getattr(work, name) for name in ("open", "high", "low", "close")}
    np.savez(
        path, **{name: np.rint(column * 20).astype(np.int64) for name, column in columns.items()}
    )


def measure(symbols: int, bars: int, names: tuple[str, ...], repeats: int) -> Reports:
    """Return the reports of contenders on one workload; assert that all made the same trades."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bars.npz"
        save(Workload(symbols, bars), path)

        def one(name: str) -> dict[str, object]:
            python = OWN if name in OURS else PEERS
            return contend(
                "backtest_peers",
                name,
                python,
                path=str(path),
                rounds=1 if name in (*SLOW_ONES, "backtesting.py") else 3,
            )

        told = passes(repeats, {name: lambda name=name: one(name) for name in names})
    wanted = told[COMPILED][0]
    for name, reports in told.items():
        if "absent" not in reports[0]:
            same = all(reports[0][key] == wanted[key] for key in ("trips", "checksum"))
            assert same, (
                f"{name} made other trades: {reports[0]['trips']} round trips, not "
                f"{wanted['trips']}"
            )
    return told


def rows(told: Reports, count: int) -> list[dict[str, object]]:
    """Return a table of contenders on one workload of `count` bars in all."""
    made = []
    for name, reports in told.items():
        if "absent" in reports[0]:
            made.append({"backtester": name, "absent": reports[0]["absent"]})
            continue
        made.append(
            {
                "backtester": name,
                "version": reports[0]["version"],
                "seconds": min(seconds(reports)),
                "first run in its process": min(report["first"] for report in reports),
                "M bars/s": count / min(seconds(reports)) / 1e6,
                "compiled is": beyond(told, name, COMPILED),
                "Python is": beyond(told, name, PYTHON),
                "round trips": reports[0]["trips"],
                "peak MB": max(report["rss_mb"] for report in reports),
            }
        )
    return made


def seconds(reports: list[dict[str, object]]) -> list[float]:
    """Return the seconds of the best run of each pass."""
    return [report["seconds"] for report in reports]


def beyond(told: Reports, name: str, ours: str) -> float | None:
    """Return how many times as fast as a contender ours is, None where it could not be measured."""
    if name not in told or "absent" in told[name][0]:
        return None
    return ratio(seconds(told[name]), seconds(told[ours]))


def with_depth(count: int, repeats: int) -> tuple[list[dict[str, object]], float]:
    """Return a row for each tick backtester, and our M ticks/s.

    Assert that all filled at the same prices.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ticks.npz"
        np.savez(path, **depth_peers.workload(count))

        def one(name: str) -> dict[str, object]:
            python = OWN if name == "patang" else PEERS
            return contend("depth_peers", name, python, path=str(path), rounds=3)

        told = passes(
            repeats, {name: lambda name=name: one(name) for name in depth_peers.CONTENDERS}
        )
    made = []
    for name, reports in told.items():
        if "absent" in reports[0]:
            made.append({"backtester": name, "absent": reports[0]["absent"]})
            continue
        assert reports[0]["fills"] == told["patang"][0]["fills"], f"{name} filled at other prices"
        made.append(
            {
                "backtester": name,
                "version": reports[0]["version"],
                "seconds": min(seconds(reports)),
                "first run in its process": min(report["first"] for report in reports),
                "M ticks/s": count / min(seconds(reports)) / 1e6,
                "M events/s": reports[0]["events"] / min(seconds(reports)) / 1e6,
                "patang is": beyond(told, name, "patang"),
                "fills": len(reports[0]["fills"]),
                "peak MB": max(report["rss_mb"] for report in reports),
            }
        )
    return made, made[0]["M ticks/s"]


def alone(count: int) -> list[dict[str, object]]:
    """Return M ticks/s with depth of ours through the kernel, without and with queueing."""
    whole, quoted = Tape(count), Tape(count // 4)
    return [
        {
            "what": "the cross on minutes built from ticks, stops set",
            "M ticks/s": count / ticks(whole, 1.0)[0] / 1e6,
        },
        {
            "what": "the venue alone, a bid and an offer queueing, tick by tick from Python",
            "M ticks/s": count // 4 / quoting(quoted, 100)[0] / 1e6,
        },
    ]


def beside_cpp(plans: list[tuple[int, int]], rounds: int) -> list[dict[str, object]]:
    """Return a row for each (symbols, bars); assert that fills and account are the same."""
    if shutil.which("g++") is None:
        return [{"what": "loop in C++", "absent": "g++ is not installed"}]
    made: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        program = cross_floor.loop(Path(folder))
        for symbols, bars in plans:
            work = Workload(symbols, bars)
            floor = cross_floor.by_hand(program, work, rounds)
            ours = cross_floor.by_kernel(work, cross, rounds)
            assert cross_floor.same_run(floor, ours), "the loop in C++ made another run"
            count = symbols * bars
            made.append(
                {
                    "what": f"{plural(symbols, 'symbol')} x {bars:,} bars",
                    "C++ M bars/s": count / floor.seconds / 1e6,
                    "patang M bars/s": count / ours.seconds / 1e6,
                    "of C++": floor.seconds / ours.seconds,
                    "fills": len(ours.fills),
                }
            )
    return made


def first_result(bars: int) -> float:
    """Return the seconds from the start of a process to its first backtest's result."""
    with tempfile.TemporaryDirectory() as folder:
        work, path = Workload(1, bars), Path(folder)
        columns = work.columns()
        named = {"slots": columns.slots, "starts": columns.starts, "volume": columns.volumes}
        named |= {
            "open": columns.opens,
            "high": columns.highs,
            "low": columns.lows,
            "close": columns.closes,
        }
        for name, column in named.items():
            (path / name).write_bytes(column)
        (path / "bars").write_text(str(bars))
        return median(
            contend("backtest_peers", "first result", OWN, path=folder)["seconds"] for _ in range(3)
        )


def run(*, quick: bool = False) -> dict[str, object]:
    """Return the section of the report."""
    repeats = 1 if quick else 3
    plans: dict[str, tuple[int, int, tuple[str, ...], int]] = {
        "long": (1, 20_000 if quick else 1_000_000, (*OURS, "vectorbt", "backtesting.py"), repeats),
        "short": (1, 5_000 if quick else 200_000, (*OURS[:3], *SLOW_ONES), 1),
    }
    if not quick:
        plans["wide"] = (50, 75_000, (*OURS, "vectorbt"), repeats)
        plans["narrow"] = (50, 4_000, (*OURS[:3], "backtesting.py", *SLOW_ONES), 1)
    told = {name: measure(*plan) for name, plan in plans.items()}
    tables = [
        table(
            f"{plural(symbols, 'symbol')} x {bars:,} one-minute bars",
            rows(told[name], symbols * bars),
        )
        for name, (symbols, bars, _, _) in plans.items()
    ]
    count = plans["long"][1]
    rates = {name: count / min(seconds(told["long"][name])) / 1e6 for name in OURS}
    tick_count = 20_000 if quick else 400_000
    tick_rows, tick_rate = with_depth(tick_count, 1)
    tables.append(table(f"{plural(tick_count, 'tick')} with five levels a side", tick_rows))
    tables.append(table("Ticks with depth, patang alone", alone(tick_count)))
    sizes = [plan[:2] for name, plan in plans.items() if name in {"long", "wide"}]
    tables.append(
        table(
            "Beside a loop by hand in C++, delivery charges to the paisa",
            beside_cpp(sizes, repeats),
        )
    )
    start = first_result(plans["short"][1])
    peers = {
        "backtesting.py": ("long", "≥ 15"),
        "nautilus_trader": ("short", "≥ 100"),
        "backtrader": ("short", "≥ 100"),
    }
    goals = [
        goal(
            "backtest, compiled strategy, M bars/s", "≥ 20", rates[COMPILED], rates[COMPILED] >= 20
        ),
        goal(
            f"first result of a process, {plans['short'][1]:,} bars, s",
            "≤ 0.5",
            start,
            start <= 0.5,
        ),
        goal("backtest, Python strategy, M bars/s", "≥ 3", rates[PYTHON], rates[PYTHON] >= 3),
        goal(
            "backtest, Python strategy that follows, M bars/s",
            "≥ 3",
            rates[FOLLOWS],
            rates[FOLLOWS] >= 3,
        ),
    ]
    for name, (plan, wanted) in peers.items():
        measured = beyond(told[plan], name, PYTHON)
        met = None if measured is None else measured >= float(wanted.removeprefix("≥ "))
        goals.append(goal(f"backtest, Python strategy, times {name}", wanted, measured, met))
    goals.append(goal("tick backtest with depth, M events/s", "≥ 8", tick_rate, tick_rate >= 8))
    return section(
        "Backtests",
        "A cross of the averages of 10 and 30 closes: 100 shares bought at the next open, sold at "
        "the open after the cross"
        " back, 0.03 % a side; every contender makes the same trades, bar and price. Ours run the "
        "kernel of the live desk"
        " (risk, order life cycle, ledger, charges) on the simulated venue, with an equity curve; "
        "a Python strategy that follows"
        " lets the desk keep its averages and hears the bars at which they cross. vectorbt "
        "compiles in its"
        " first run. backtesting.py runs symbol by symbol. nautilus_trader fills at the close of "
        "the bar an order comes"
        " from, so it gets bars that close at the next open. Slow contenders get shorter data. "
        "With depth, a market order"
        " a minute; a tick is one event to us and twelve rows to hftbacktest, which compiles in "
        "its first run. Garbage"
        " collection is off in every contender; in patang's own command it comes rarely.",
        tables,
        goals,
    )
