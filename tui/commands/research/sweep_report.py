"""The report of a sweep for a terminal, and as JSON."""

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.numbers import count
from engine.research.evidence.evidence_gate import EvidenceFinding, wanted_text
from engine.research.fold_study import FoldStudy
from engine.research.sweep_study import SweepStudy
from engine.research.sweep_tables import (
    FoldLine,
    HeatMap,
    TrialLine,
    best_lines,
    efficiency_text,
    fold_lines,
    freshness_text,
    heat_maps,
    purge_text,
    rejections,
    score_text,
    trial_line,
    verdict_text,
)
from engine.research.trial_chance import chance_lines
from engine.research.trials import SweepRow
from engine.texts import plain_text
from tui.commands.backtest.chance_report import chance_table

SHOWN = 12
SCHEMA = 1
MARKS = {"fail": ("✕", "bold red"), "pass": ("✓", "green"), "not run": ("·", "dim")}
GREENS = ("on #173524", "on #1d4b30", "on #23633d", "on #2a7c4b")
REDS = ("on #3a1e22", "on #542529", "on #702c31", "on #8d343a")
LEVELS = len(GREENS)


def print_study(
    study: SweepStudy, rows: Sequence[SweepRow], objective: str, console: Console | None = None
) -> None:
    """Print a study on stdout, in colours on a terminal only."""
    out = console or Console(highlight=False, markup=False, emoji=False)
    style = "bold green" if study.best.is_believed else "bold red"
    out.print(Text(f"The best is {verdict_text(study.best)}", style))
    out.print(Text(freshness_text(study.freshness), "dim"))
    out.print(_trial_rows(best_lines(study, rows, SHOWN)))
    for name, heat in heat_maps(rows, objective).items():
        out.print(_heat_rows(f"{name}: {objective}", heat))
    out.print(_finding_rows(study.best.findings))
    if best_chance := study.chances.get(study.best.name):
        out.print(chance_table("The best by chance, % of the cash", best_chance))
    if study.forward is not None:
        said = efficiency_text(study.forward.efficiency)
        out.print(Text(f"walk-forward: {len(study.forward.winners)} windows, {said}", "bold"))
    if study.folds is not None:
        out.print(_fold_rows(study.folds, fold_lines(study, rows)))
    if faults := rejections(study):
        told = ", ".join(f"{gate} {count(number)}" for gate, number in faults)
        out.print(Text(f"rejected by gate: {told}", "dim"))
    for place, each in enumerate(study.chosen, start=1):
        line = trial_line(each.row, each.score)
        style = "green" if each.is_believed else "yellow"
        out.print(
            Text(
                plain_text(
                    f"next day {place}: {line.strategy} {line.symbol} {line.parameters}: "
                    f"{verdict_text(each)}"
                ),
                style,
            )
        )


def study_json(study: SweepStudy, rows: Sequence[SweepRow], **facts: object) -> str:
    """Return a study as one line of JSON."""
    return json.dumps(
        {
            "schema": SCHEMA,
            **facts,
            "verdict": verdict_text(study.best),
            "believed": study.best.is_believed,
            "freshness": study.freshness._asdict()
            | {"last_day": str(study.freshness.last_day), "as_of": str(study.freshness.as_of)},
            "best": trial_line(study.best.row, study.best.score)._asdict(),
            "ranking": [each._asdict() for each in best_lines(study, rows, len(rows))],
            "findings": [each._asdict() for each in study.best.findings],
            "next_day": [
                trial_line(each.row, each.score)._asdict()
                | {"believed": each.is_believed, "verdict": verdict_text(each)}
                for each in study.chosen
            ],
            "rejected": dict(rejections(study)),
            "efficiency": None if study.forward is None else study.forward.efficiency,
            "folds": None
            if study.folds is None
            else study.folds._asdict()
            | {"folds": [each._asdict() for each in fold_lines(study, rows)]},
            "chance": {
                name: [each._asdict() for each in chance_lines(chance)]
                for name, chance in study.chances.items()
            },
        }
    )


def _plain_table(title: str, *columns: str, left: int = 1, wraps: int = 0) -> Table:
    """Return a table of `left` columns of texts, then numbers; the column `wraps` may wrap."""
    made = Table(title=title, title_justify="left", box=None, header_style="dim", pad_edge=False)
    made.title_style = "bold"
    for place, name in enumerate(columns):
        made.add_column(name, justify="left" if place < left else "right", no_wrap=place != wraps)
    return made


def _trial_rows(lines: Sequence[TrialLine]) -> Table | Text:
    if not lines:
        return Text("no trial stays: every one breaks a gate", "yellow")
    names = ("Parameters", "Symbol", "Bars", "Score", "Net ₹", "Sharpe", "Drawdown", "Trades")
    made = _plain_table("Best trials", *names, left=2)
    for each in lines:
        made.add_row(
            plain_text(each.parameters),
            plain_text(each.symbol),
            f"{each.timeframe} s",
            score_text(each.score),
            Text(f"{each.net:,.2f}", "green" if each.net > 0 else "red"),
            "" if each.sharpe is None else f"{each.sharpe:.2f}",
            f"{each.drawdown:.2f} %",
            count(each.trades),
        )
    return made


def _heat_rows(title: str, heat: HeatMap) -> Table:
    corner = f"{heat.down} ╲ {heat.across}" if heat.down else heat.across
    made = _plain_table(title, corner, *map(str, heat.columns))
    for name, line in zip(heat.rows, heat.cells, strict=True):
        made.add_row(str(name), *(_heat_cell(value, heat.largest) for value in line))
    return made


def _heat_cell(value: float | None, largest: float) -> Text:
    if value is None:
        return Text("")
    level = min(int(abs(value) / largest * LEVELS), LEVELS - 1) if largest else 0
    return Text(f" {value:.2f} ", (GREENS if value > 0 else REDS)[level])


def _fold_rows(study: FoldStudy, lines: Sequence[FoldLine]) -> Table | Text:
    if study.note:
        return Text(f"cross-validation: {study.note}", "yellow")
    title = f"Cross-validation: {efficiency_text(study.efficiency)}, {purge_text(study)}"
    made = _plain_table(title, "Days", "Best of the others", "Symbol", "In", "Out", left=3, wraps=1)
    for each in lines:
        made.add_row(
            f"{each.first} to {each.last}",
            plain_text(each.parameters),
            plain_text(each.symbol),
            f"{each.in_sample:.2f} %",
            Text(f"{each.out_of_sample:.2f} %", "green" if each.out_of_sample > 0 else "red"),
        )
    return made


def _finding_rows(findings: Sequence[EvidenceFinding]) -> Table:
    made = _plain_table(
        "How much of the best is luck", "", "Rule", "Wanted", "Found", left=4, wraps=3
    )
    for each in findings:
        mark, style = MARKS[each.verdict]
        made.add_row(Text(mark, style), each.label, wanted_text(each), each.text)
    return made
