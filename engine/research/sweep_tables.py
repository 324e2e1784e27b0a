"""Tables of a sweep for every kind of report: the map over two axes, the best, the rejected."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Final, NamedTuple

from engine.numbers import counted
from engine.research.fold_study import FoldStudy
from engine.research.parameter_space import Point, Value, point_text
from engine.research.sweep_study import ChosenTrial, SweepStudy, TrialFreshness, own_parameters
from engine.research.trials import SweepRow

SMALL_SCORE: Final = 1.0
SCORE: Final = "score"
SYMBOL: Final = "symbol"
MOST_VALUES: Final = 12
"""Lines and columns of a map; a random sampler takes nearly every value of a long axis but once."""


class HeatMap(NamedTuple):
    """A metric over two parameters, mean over everything else; None where nothing was tried.

    `cells` are rows of `down`'s values by columns of `across`'s.
    """

    metric: str
    across: str
    columns: list[Value]
    down: str
    rows: list[Value]
    cells: list[list[float | None]]

    @property
    def largest(self) -> float:
        """Return the largest size of a cell."""
        return max((abs(cell) for row in self.cells for cell in row if cell is not None), default=0)


def heat_maps(rows: Sequence[SweepRow], metric: str) -> dict[str, HeatMap]:
    """Return a map for each strategy over its first two parameters with more than one value.

    A strategy with one such parameter has a map of one row.
    """
    strategies = dict.fromkeys(row.trial.strategy for row in rows)
    found = {
        name: heat_map([row for row in rows if row.trial.strategy == name], metric)
        for name in strategies
    }
    return {name: made for name, made in found.items() if made is not None}


def varied_axes(rows: Sequence[SweepRow]) -> list[str]:
    """Return the parameters of trials with more than one value, `symbol` behind them likewise."""
    values: dict[str, set[Value]] = defaultdict(set)
    for row in rows:
        for name, value in _trial_point(row).items():
            values[name].add(value)
    return [name for name, each in values.items() if len(each) > 1]


def heat_map(
    rows: Sequence[SweepRow],
    metric: str,
    across: str = "",
    down: str = "",
    *,
    scores: Mapping[str, float] | None = None,
    most: int = MOST_VALUES,
) -> HeatMap | None:
    """Return a metric over two axes; empty: the first parameters that vary. None without any.

    `scores` are by the name of a trial, for the metric `score`. An axis of numbers has `most`
    values at most, further ones are put together.
    """
    varied = [name for name in varied_axes(rows) if name != SYMBOL or name in {across, down}]
    if not varied:
        return None
    across = across if across in varied else varied[0]
    others = [name for name in varied if name not in {across, SYMBOL}]
    down = down if down in varied and down != across else others[0] if others else ""
    labels = {
        name: _axis_labels(dict.fromkeys(_trial_point(row)[name] for row in rows), most)
        for name in (across, down)
        if name
    } | {"": {"": ""}}
    groups: dict[tuple[Value, Value], list[float]] = defaultdict(list)
    for row in rows:
        figure = (scores or {}).get(row.name) if metric == SCORE else row.result.metrics.get(metric)
        if not row.result.failure and figure is not None:
            point = _trial_point(row)
            groups[labels[across][point[across]], labels[down][point.get(down, "")]].append(figure)
    columns = list(dict.fromkeys(labels[across].values()))
    lines = list(dict.fromkeys(labels[down].values()))
    cells = [[fmean(groups[x, y]) if (x, y) in groups else None for x in columns] for y in lines]
    return HeatMap(metric, across, columns, down, lines, cells)


def _trial_point(row: SweepRow) -> Point:
    return {**row.trial.parameters, SYMBOL: row.trial.symbol}


def _axis_labels(values: Iterable[Value], most: int) -> dict[Value, Value]:
    """Return the label of each value, in order: many numbers share theirs with their neighbours."""
    ordered = _in_order(values)
    numbers = [each for each in ordered if isinstance(each, (int, float))]
    if len(ordered) <= most or len(numbers) < len(ordered):
        return {each: each for each in ordered}
    size = math.ceil(len(numbers) / most)
    parts = [numbers[at : at + size] for at in range(0, len(numbers), size)]
    return {
        each: f"{part[0]:.4g} to {part[-1]:.4g}" if len(part) > 1 else each
        for part in parts
        for each in part
    }


def _in_order(values: Iterable[Value]) -> list[Value]:
    values = list(values)
    numbers = all(isinstance(each, (int, float)) for each in values)
    return sorted(values, key=lambda each: float(each) if numbers else 0.0)


class TrialLine(NamedTuple):
    """A trial as a line of a table; amounts are ₹, ratios plain, drawdown and return in %."""

    trial: str
    strategy: str
    symbol: str
    timeframe: int
    parameters: str
    score: float
    net: float
    return_: float
    sharpe: float | None
    drawdown: float
    trades: int
    win_rate: float | None


def trial_line(row: SweepRow, score: float) -> TrialLine:
    """Return a trial as a line."""
    metrics = row.result.metrics
    return TrialLine(
        row.name,
        row.trial.strategy,
        row.trial.symbol,
        row.timeframe,
        point_text(own_parameters(row.trial)),
        score,
        net=metrics.get("net") or 0.0,
        return_=metrics.get("return") or 0.0,
        sharpe=metrics.get("sharpe"),
        drawdown=metrics.get("max_drawdown") or 0.0,
        trades=int(metrics.get("trades") or 0),
        win_rate=metrics.get("win_rate"),
    )


class FoldLine(NamedTuple):
    """A fold of a cross-validation as a line of a table; returns are of a year, in %."""

    first: str
    last: str
    learned: int
    trial: str
    symbol: str
    parameters: str
    in_sample: float
    out_of_sample: float


def fold_lines(study: SweepStudy, rows: Sequence[SweepRow]) -> list[FoldLine]:
    """Return the folds of a cross-validation, none where it was not asked for."""
    by_name = {row.name: row for row in rows}
    found = []
    for fold in study.folds.folds if study.folds else ():
        row = by_name[study.names[fold.winner]]
        found.append(
            FoldLine(
                str(fold.first),
                str(fold.last),
                fold.learned,
                trial=row.name,
                symbol=row.trial.symbol,
                parameters=point_text(row.trial.parameters),
                in_sample=100.0 * fold.in_sample,
                out_of_sample=100.0 * fold.out_of_sample,
            )
        )
    return found


def efficiency_text(efficiency: float | None) -> str:
    """Return in words what of a return in sample is left out of sample."""
    if efficiency is None:
        return "no return in sample"
    return f"efficiency {100.0 * efficiency:.0f} %"


def purge_text(study: FoldStudy) -> str:
    """Return in words what is not learned from around a fold."""
    purge, embargo = counted(study.purge, "day"), counted(study.embargo, "day")
    return f"{purge} around a fold purged, {embargo} of embargo"


def best_lines(study: SweepStudy, rows: Sequence[SweepRow], count: int) -> list[TrialLine]:
    """Return the best trials by score, rejected ones left out."""
    by_name = {row.name: row for row in rows}
    table = study.scores.trials
    stays = table[table["rejected"] == ""].head(count)
    return [
        trial_line(by_name[name], float(score))
        for name, score in zip(stays["trial"], stays["score"], strict=True)
    ]


def rejections(study: SweepStudy) -> list[tuple[str, int]]:
    """Return how many trials break each gate, the most first."""
    gates = Counter(
        fault.partition(" ")[0]
        for faults in study.scores.trials["rejected"]
        for fault in str(faults).split("; ")
        if fault
    )
    return gates.most_common()


def score_text(score: float) -> str:
    """Return a score; a small one, as of old trials, by its figures and not as 0."""
    return f"{score:.2f}" if abs(score) >= SMALL_SCORE or not score else f"{score:.3g}"


def freshness_text(freshness: TrialFreshness) -> str:
    """Return how old trials are and what it takes off, in a line."""
    if not freshness.age_days:
        return f"as of {freshness.as_of}: fresh, the last session is of the same day"
    return (
        f"as of {freshness.as_of}: the last session was {counted(freshness.age_days, 'day')} ago, "
        f"{freshness.decay:.1%} of a score above 0 is left"
    )


def verdict_text(best: ChosenTrial) -> str:
    """Return what is to be thought of the best, in a line."""
    failed = [each.label for each in best.findings if each.verdict == "fail"]
    unknown = [each.label for each in best.findings if each.verdict == "not run" and each.needed]
    if failed:
        return f"not believed: {', '.join(failed).lower()}"
    if unknown:
        return f"not believed: not run: {', '.join(unknown).lower()}"
    return "believed: it passes the whole gate"
