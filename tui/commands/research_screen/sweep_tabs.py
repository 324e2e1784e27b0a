"""The tabs of a sweep: the map over two axes, its trials by score, how much is luck, the best."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow.parquet as pq

from engine.config.schema import DeskConfig
from engine.market.calendar import DAY, midnight
from engine.numbers import count, counted, rupees
from engine.research.evidence.evidence_gate import wanted_text
from engine.research.parameter_space import point_text
from engine.research.sweep_tables import SCORE, heat_map, varied_axes
from engine.research.trials import SweepRow
from tui.app.research_port import (
    CurveLine,
    ResultCurves,
    ResultMap,
    ResultTable,
    TableColumn,
    TabRequest,
    TabRow,
)
from tui.commands.research.sweep_files import TRIALS
from tui.commands.research.sweep_manifest import SweepOutcome
from tui.commands.research_screen.result_tabs import (
    CLOSE,
    MARKS,
    MOST_TRADES,
    VERDICTS,
    depths,
    findings_table,
    plain_row,
)

METRICS: Final = (
    SCORE,
    "sharpe",
    "net",
    "return",
    "max_drawdown",
    "sortino",
    "profit_factor",
    "win_rate",
    "expectancy",
    "trades",
    "charges",
)
"""What a map can show, the score first."""
MOST_CELLS: Final = 40
"""Values of an axis on the map; further numbers share a cell with their neighbours."""

TrialScores = Mapping[str, tuple[float, str]]
"""Score of each trial by its name, and why it was rejected; empty where it was not."""


def read_scores(outcome: SweepOutcome) -> TrialScores:
    """Return the scores that were written with the last study; none while it runs."""
    # a sweep that runs, or was stopped, has no study yet: its trials are shown all the same
    try:
        table = pq.read_table(outcome.folder / TRIALS, columns=["trial", "score", "rejected"])
    except (OSError, ValueError, KeyError):
        return {}
    names, scores, faults = (table.column(name).to_pylist() for name in table.column_names)
    return dict(zip(names, zip(scores, faults, strict=True), strict=True))


def map_tab(outcome: SweepOutcome, scores: TrialScores, asked: TabRequest) -> ResultMap:
    """Return a metric over two axes, the mean over everything else."""
    rows, objective = outcome.rows, outcome.manifest.objective
    metrics = [name for name in METRICS if name != SCORE or scores]
    # The objective is what the sweep was made for, whatever else it measures.
    metrics = [objective, *(name for name in metrics if name != objective)]
    metric = asked.metric if asked.metric in metrics else metrics[0]
    found = heat_map(
        rows,
        metric,
        asked.across,
        asked.down,
        scores={name: score for name, (score, _) in scores.items()},
        most=MOST_CELLS,
    )
    done = f"{counted(len(rows), 'trial')}{' so far' if outcome.is_partial else ''}"
    # a cell of several symbols is no trial of its own
    cells = sum(cell is not None for line in found.cells for cell in line) if found else 0
    if cells < len(rows):
        done += ", the mean where a cell has several"
    if found is None:
        return ResultMap(f"{done}, and no axis that varies", metric, "", [], "", [], [])
    return ResultMap(
        done,
        metric,
        found.across,
        [_value_text(each) for each in found.columns],
        found.down,
        [_value_text(each) for each in found.rows],
        found.cells,
        axes=varied_axes(rows),
        metrics=metrics,
    )


def _value_text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def trials_tab(outcome: SweepOutcome, scores: TrialScores) -> ResultTable:
    """Return the trials by score, those that break a gate behind the others."""
    objective = outcome.manifest.objective

    # a trial that breaks a gate is out, however high it stands
    def place(row: SweepRow) -> tuple[bool, bool, float]:
        score, fault = scores.get(row.name, (None, ""))
        value = score if score is not None else row.result.metrics.get(objective)
        return bool(row.result.failure), bool(fault), -(value if value is not None else -1e18)

    rows = [_trial_row(row, scores) for row in sorted(outcome.rows, key=place)[:MOST_TRADES]]
    columns = [
        TableColumn("parameters", 22, right=False, most=44),
        TableColumn("symbol", 9, right=False, most=22),
        TableColumn("score", 7),
        TableColumn("net ₹", 13),
        TableColumn("sharpe", 6),
        TableColumn("dd %", 6, rank=1),
        TableColumn("trades", 6, rank=1),
        TableColumn("won", 6, rank=2),
        TableColumn("left out for", 12, right=False, most=60, rank=2),
    ]
    title = f"{counted(len(outcome.rows), 'trial')} of {count(outcome.manifest.wanted)}"
    if not scores:
        title += f", by {objective}: scores come with the end"
    return ResultTable(title, columns, rows, "no trial is finished yet")


def _trial_row(row: SweepRow, scores: TrialScores) -> TabRow:
    metrics = row.result.metrics
    score, fault = scores.get(row.name, (None, ""))
    fault = row.result.failure or fault

    def text(key: str) -> str:
        value = metrics.get(key)
        return "" if value is None else f"{value:.2f}"

    net = round(100 * (metrics.get("net") or 0.0))
    symbol = row.trial.symbol
    return plain_row(
        row.name,
        [
            point_text(row.trial.parameters),
            "all" if symbol == "*" else symbol,
            "" if score is None else f"{score:.3g}",
            "" if row.result.failure else rupees(net),
            text("sharpe"),
            text("max_drawdown"),
            text("trades").partition(".")[0],
            text("win_rate"),
            fault,
        ],
        [
            "strong",
            "",
            "",
            _sign_tone(net),
            _sign_tone(metrics.get("sharpe") or 0.0),
            "",
            "",
            "",
            "dim",
        ],
        values=[
            0.0,
            0.0,
            score or 0.0,
            float(net),
            *(float(metrics.get(key) or 0.0) for key in ("sharpe", "max_drawdown", "trades")),
        ],
        symbol="" if symbol == "*" else symbol,
    )


def _sign_tone(value: float) -> str:
    return "up" if value > 0 else "down" if value < 0 else ""


def luck_tab(outcome: SweepOutcome, config: DeskConfig) -> ResultTable:
    """Return how much of the best is luck: the gate, the chosen, what the study has to say."""
    # pandas, scipy and arch: not before the verdict is looked at
    from engine.research.sweep_tables import (
        efficiency_text,
        freshness_text,
        rejections,
        verdict_text,
    )
    from tui.commands.research.sweep_output import study_outcome

    study = study_outcome(outcome, config.scoring, outcome.manifest.study, "")
    best = study.best
    tone = "up" if best.is_believed else "danger"
    rows = [
        plain_row(
            "best",
            [
                "best",
                "✓" if best.is_believed else "✕",
                f"{point_text(best.row.trial.parameters)} {best.row.trial.symbol}",
                verdict_text(best),
            ],
            ["title", tone, "strong", tone],
        )
    ]
    for each in best.findings:
        status = VERDICTS.get(each.verdict, "")
        rows.append(
            plain_row(
                each.rule,
                [
                    "luck",
                    MARKS.get(each.verdict, "?"),
                    each.label,
                    f"{each.text} (wanted {wanted_text(each)})",
                ],
                ["faint", status, status, "dim"],
            )
        )
    rows += [
        plain_row(
            f"next {each.name}",
            [
                "next day",
                "✓" if each.is_believed else "✕",
                f"{point_text(each.row.trial.parameters)} {each.row.trial.symbol}",
                verdict_text(each),
            ],
            ["title", "up" if each.is_believed else "notice", "", "dim"],
        )
        for each in study.chosen
    ]
    told = [("age", freshness_text(study.freshness))]
    if faults := rejections(study):
        said = ", ".join(f"{gate} {count(number)}" for gate, number in faults)
        told.append(("rejected", said))
    if study.forward is not None:
        told.append(("walk-forward", efficiency_text(study.forward.efficiency)))
    told += [("note", each) for each in outcome.manifest.warnings]
    rows += [
        plain_row(f"{name} {place}", [name, "", "", text], ["title", "", "", "dim"])
        for place, (name, text) in enumerate(told)
    ]
    return findings_table("how much of the best is luck", rows)


def best_curves(outcome: SweepOutcome, scores: TrialScores) -> ResultCurves:
    """Return the best trial's worth beside the middle of all, from 100 on."""
    objective = outcome.manifest.objective
    rows = [row for row in outcome.rows if not row.result.failure]
    days = outcome.manifest.days
    if not rows or not days:
        return ResultCurves("no trial is finished yet", [], [])

    def height(row: SweepRow) -> float:
        score, fault = scores.get(row.name, (None, ""))
        value = score if score is not None else row.result.metrics.get(objective)
        return -1e18 if value is None or fault else value

    # where every trial breaks a gate the first of them stands for all
    best = max(rows, key=height)
    # from 100 on: trials of different cash stand beside each other
    paths = 100 * np.cumprod(1 + np.stack([row.result.daily for row in rows]), axis=1)
    own = 100 * np.cumprod(1 + best.result.daily)
    moments = [midnight(day) + CLOSE for day in days]
    worth = [100.0, *own.tolist()]
    return ResultCurves(
        f"best trial, {point_text(best.trial.parameters)} {best.trial.symbol}, and the middle",
        [moments[0] - DAY, *moments],
        [
            CurveLine("middle", "faint", [100.0, *np.median(paths, axis=0).tolist()]),
            CurveLine("best", "strong", worth),
        ],
        below=depths(worth),
        unit="",
    )
