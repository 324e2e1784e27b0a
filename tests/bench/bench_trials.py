"""Benchmark of `patang sweep` itself: the command on a year of minutes of twenty symbols."""

import tempfile
from pathlib import Path

import bench_sweep
import sweep_peers
import trial_peers
from contender import OWN, PEERS, contend, ratio
from report import goal, plural, section, table

Report = dict[str, object]
LOOP = "patang, Python strategy that follows"
ONE, TWO, DASK = "one process", "two processes", "two Dask workers"
PORTFOLIO, ALONE = "all symbols on one account", "each symbol alone"
PER_DAY = 375


def axes(texts: tuple[str, ...]) -> list[str]:
    """Return axes as the command takes them."""
    return [part for text in texts for part in ("--param", text)]


def ladder(place: Path, axis: tuple[str, ...], way: str, *, alone: bool = False) -> Report:
    """Return the report of a sweep of the momentum ladder, run one way."""
    arguments = ["momentum_ladder", *axes(axis), *([] if alone else ["--portfolio"])]
    name, workers = ("dask", 2) if way == DASK else ("local", 1 if way == ONE else 2)
    given = {"folder": str(place), "workers": workers, "arguments": arguments}
    return contend("trial_peers", name, OWN, timeout=3_600.0, **given)


def memory(report: Report) -> float:
    """Return the most memory that all processes of a contender held at one moment, in MB."""
    if "together" in report:
        return float(report["together"])
    return bench_sweep.memory(report)


def row(name: str, report: Report, bars: int) -> Report:
    """Return a line of a table; `bars` are those of all trials."""
    if "absent" in report:
        return {"sweep": name, "absent": report["absent"]}
    return {
        "sweep": name,
        "trials": report["trials"],
        "round trips": report["trades"],
        "seconds": report["seconds"],
        "CPU seconds": report["cpu"],
        "in trials": report["in trials"],
        "M bars/s": bars / float(report["seconds"]) / 1e6,
        "peak MB of all processes": memory(report),
    }


def same_trials(reports: list[Report]) -> None:
    """Assert that however trials were run, they came to the same digests."""
    found = {report["digest"] for report in reports if "absent" not in report}
    assert len(found) == 1, "the ways to run a sweep made other trades"


def of(upper: list[Report], lower: list[Report]) -> float | None:
    """Return the median ratio of the seconds of two, None where one could not be measured."""
    if "absent" in upper[0] or "absent" in lower[0]:
        return None
    return ratio(*([float(each["seconds"]) for each in side] for side in (upper, lower)))


def run(*, quick: bool = False) -> dict[str, object]:
    """Return the section of the report."""
    symbols, sessions = (3, 10) if quick else (trial_peers.SYMBOLS, 250)
    whole = trial_peers.LADDER_AXES[:1] if quick else trial_peers.LADDER_AXES
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        trial_peers.write_history(place, symbols, sessions)
        told = {way: [ladder(place, whole, way)] for way in (ONE, TWO, DASK)}
        alone = ladder(place, whole[:1], TWO, alone=True)
        same_trials([report for reports in told.values() for report in reports])
        crosses = cross_reports(place, sessions * PER_DAY, quick=quick)
    [portfolio] = told[TWO]
    per_point = symbols * sessions * PER_DAY
    rows = [row(PORTFOLIO, portfolio, per_point * int(portfolio["trials"]))]
    rows += [row(ALONE, alone, per_point * int(alone["trials"]) // symbols)]
    ran = [
        row(way, min(reports, key=_seconds), per_point * int(reports[0].get("trials", 0)))
        for way, reports in told.items()
    ]
    count = sessions * PER_DAY * len(sweep_peers.PAIRS)
    paths = [cross_row(name, report, count) for name, report in crosses.items()]
    spent = float(portfolio["seconds"])
    faster, share = of(told[ONE], told[TWO]), of(told[TWO], told[DASK])
    goals = [
        goal(
            f"patang sweep, {plural(int(portfolio['trials']), 'trial')} of the momentum ladder on "
            f"{symbols} symbols × {sessions * PER_DAY:,} minutes, s",
            "≤ 60",
            spent,
            None if quick else spent <= 60,
        ),
        goal(
            f"patang sweep, those {portfolio['trials']} trials in two processes, times one",
            "≥ 1.75",
            faster,
            met(faster, 1.75, quick),
        ),
        goal(
            "patang sweep, speed of two Dask workers, of two processes",
            "≥ 0.85",
            share,
            met(share, 0.85, quick),
        ),
        memory_goal(crosses, quick=quick),
    ]
    return section("Sweeps by the command", ABOUT, tables(rows, ran, paths), goals)


ABOUT = (
    "patang sweep from its start to its table: reading, workers, trials, journal, scores and the "
    "gate against luck. The momentum ladder as it ships, in plain Python, three rungs with stops "
    "that trail, on random walks of whole sessions. CPU seconds are those of the command and its "
    'own workers, "in trials" those of the trials alone. However a sweep is run, its trials '
    "have the same digests. Memory is the most that all processes held at one moment: the sum of "
    "what each held, so that a page they share counts in each. The pairs of averages are those of "
    "Sweeps, as a strategy of a user's own that follows, in a year of sessions with all charges: "
    "beside it stands the bare loop over as many bars."
)


def tables(rows: list[Report], ran: list[Report], paths: list[Report]) -> list[dict[str, object]]:
    """Return the tables of the section."""
    return [
        table("The momentum ladder", rows),
        table("The same trials, one process to two, and two here to two of Dask", ran),
        table("200 pairs of averages, one symbol", paths),
    ]


def cross_reports(place: Path, bars: int, *, quick: bool) -> dict[str, Report]:
    """Return the reports of the pairs of averages: bare loop, command, and vectorbt."""
    arguments = ["pair_cross", *axes(trial_peers.CROSS_AXES), "--symbols", "S00"]
    loop = contend("sweep_peers", LOOP, OWN, path="", bars=bars, rounds=1 if quick else 2)
    given = {"folder": str(place), "workers": 2, "arguments": arguments}
    made = {"bare loop": loop, "patang sweep": contend("trial_peers", "local", OWN, **given)}
    if not quick:
        made["vectorbt"] = vectorbt(bars)
    return made


def vectorbt(bars: int) -> Report:
    """Return vectorbt's report on the same number of bars."""
    from bench_backtest import Workload
    from bench_cross import save

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bars.npz"
        save(Workload(1, bars), path)
        return contend("sweep_peers", "vectorbt", PEERS, path=str(path), bars=bars, rounds=1)


def cross_row(name: str, report: Report, bars: int) -> Report:
    """Return a line of the table of pairs."""
    if "absent" in report:
        return {"way": name, "absent": report["absent"]}
    return {
        "way": name,
        "seconds": report["seconds"],
        "M bars/s": bars / float(report["seconds"]) / 1e6,
        "CPU seconds in trials": report.get("in trials", ""),
        "peak MB of all processes": memory(report),
    }


def memory_goal(crosses: dict[str, Report], *, quick: bool) -> Report:
    """Return the goal on the memory of the command beside vectorbt's."""
    peer = crosses.get("vectorbt", {"absent": ""})
    held = None if "absent" in peer else memory(crosses["patang sweep"]) / memory(peer)
    met_ = None if quick or held is None else held <= 0.1
    return goal("patang sweep, memory of all its processes, of vectorbt's", "≤ 0.1", held, met_)


def met(measured: float | None, least: float, quick: bool) -> bool | None:
    """Return whether a goal is met; None where it could not be measured, or not in so short."""
    return None if quick or measured is None else measured >= least


def _seconds(report: Report) -> float:
    return float(report.get("seconds", 0.0))
