"""The report of a sweep as one page of HTML."""

from collections.abc import Sequence
from math import floor
from typing import Final, NamedTuple

from engine.backtest.report.html_markup import (
    Content,
    HtmlCell,
    HtmlColumn,
    HtmlMarkup,
    joined_markup,
    table,
    tag,
)
from engine.backtest.report.page_shell import page
from engine.backtest.results.figure_text import NONE, percent, ratio
from engine.indian_time import made_text
from engine.numbers import count
from engine.research.evidence.evidence_gate import EvidenceFinding, wanted_text
from engine.research.parameter_space import point_text
from engine.research.sweep_study import ChosenTrial, SweepStudy, own_parameters
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
from engine.research.trial_chance import SHOWN, chance_lines
from engine.research.trials import SweepRow

SHADES: Final = 4
BEST: Final = 25
"""Lines of the table of trials: the Parquet file has all."""
TONES: Final = {"pass": "pass", "fail": "fail", "not run": "none"}


class SweepFacts(NamedTuple):
    """The facts of a sweep that its page states."""

    name: str
    made: str
    first: str
    last: str
    sessions: int
    trials: int
    failed: int
    refused: int
    objective: str
    command: str
    notices: Sequence[str]


def sweep_html(facts: SweepFacts, study: SweepStudy, rows: Sequence[SweepRow]) -> str:
    """Return the report of a sweep as one page that needs nothing else."""
    best = study.best
    tone = "pass" if best.is_believed else "fail"
    header = [
        tag("h1", facts.name),
        tag(
            "p",
            f"{facts.first} to {facts.last}, {count(facts.sessions)} sessions · "
            f"{count(facts.trials)} trials · {count(facts.refused)} points that the strategy "
            f"refuses · {count(facts.failed)} failed · made {made_text(facts.made)}",
            class_="about",
        ),
        tag("p", freshness_text(study.freshness), class_="about"),
        tag(
            "p",
            tag("strong", f"The best is {verdict_text(best)}", class_=tone),
            tag("a", "see why", href="#luck"),
            class_=f"verdict {tone}",
        ),
        *(tag("p", each, class_="notice") for each in facts.notices),
    ]
    maps = heat_maps(rows, facts.objective)
    parts = [
        ("best", "The best trials", _trials_table(best_lines(study, rows, BEST))),
        ("next", "The next day", _chosen_table(study)),
        ("luck", "How much of the best is luck", _findings_table(best.findings)),
        ("map", "Over the parameters", joined_markup(map(_heat_table, maps.values())) or None),
        ("slices", "One parameter at a time", _slices_table(best)),
        ("chance", "The same by chance", _chance_table(study)),
        ("forward", "Walk-forward", _forward_table(study)),
        ("folds", "Cross-validation", _folds_table(study, fold_lines(study, rows))),
        ("rejected", "Rejected", _rejected_table(study)),
    ]
    return page(f"{facts.name}: sweep", header, parts, facts.command or "patang")


def _number_columns(*names: str) -> list[HtmlColumn]:
    return [HtmlColumn(name, "n") for name in names]


def _carded_table(made: HtmlMarkup) -> HtmlMarkup:
    return tag("div", made, class_="card")


def _trials_table(lines: Sequence[TrialLine]) -> HtmlMarkup:
    if not lines:
        return tag("p", "No trial stays: every one breaks a gate.")
    several = len({each.strategy for each in lines}) > 1
    columns = [
        HtmlColumn("Parameters"),
        HtmlColumn("Symbol"),
        *_number_columns(
            "Bars, s", "Score", "Net ₹", "Return", "Sharpe", "Drawdown", "Trades", "Won"
        ),
    ]
    rows = [
        [
            HtmlCell(f"{each.strategy}: {each.parameters}" if several else each.parameters),
            HtmlCell(each.symbol),
            HtmlCell(str(each.timeframe)),
            HtmlCell(score_text(each.score)),
            HtmlCell(f"{each.net:,.2f}", "up" if each.net > 0 else "down"),
            HtmlCell(percent(each.return_)),
            HtmlCell(ratio(each.sharpe)),
            HtmlCell(percent(each.drawdown)),
            HtmlCell(count(each.trades)),
            HtmlCell(percent(each.win_rate)),
        ]
        for each in lines
    ]
    return _carded_table(table("Best trials", columns, rows))


def _chosen_table(study: SweepStudy) -> HtmlMarkup:
    if not study.chosen:
        return tag("p", f"None. Of the best: {study.scores.trials['reason'].iloc[0]}.")
    columns = [
        HtmlColumn("Trial"),
        HtmlColumn("Symbol"),
        *_number_columns("Score"),
        HtmlColumn("Gate"),
    ]
    rows = []
    for each in study.chosen:
        line = trial_line(each.row, each.score)
        rows.append(
            [
                HtmlCell(f"{line.strategy}: {line.parameters}"),
                HtmlCell(line.symbol),
                HtmlCell(score_text(line.score)),
                HtmlCell(verdict_text(each), "pass" if each.is_believed else "fail"),
            ]
        )
    return _carded_table(table("Next day", columns, rows))


def _findings_table(findings: Sequence[EvidenceFinding]) -> HtmlMarkup:
    columns = [
        HtmlColumn("Rule"),
        HtmlColumn("Status"),
        HtmlColumn("Wanted"),
        HtmlColumn("Found"),
        HtmlColumn("Why it matters"),
        HtmlColumn("How to mend it"),
    ]
    rows = [
        [
            HtmlCell(each.label),
            HtmlCell(each.verdict, f"status {TONES[each.verdict]}"),
            HtmlCell(wanted_text(each)),
            HtmlCell(each.text),
            HtmlCell(each.why),
            HtmlCell(each.mend if each.verdict == "fail" else ""),
        ]
        for each in findings
    ]
    return _carded_table(table("Luck", columns, rows, class_="checks luck"))


def _heat_table(heat: HeatMap) -> HtmlMarkup:
    largest = heat.largest
    head = tag("tr", *(tag("th", each, scope="col") for each in ("", *map(str, heat.columns))))
    rows = [
        tag("tr", tag("th", str(name), scope="row"), *(_heat_cell(cell, largest) for cell in line))
        for name, line in zip(heat.rows, heat.cells, strict=True)
    ]
    caption = tag(
        "figcaption",
        f"{heat.metric}, mean over symbols and other parameters",
        tag("small", f"{heat.across} across" + (f", {heat.down} down" if heat.down else "")),
    )
    made = tag("table", tag("thead", head), tag("tbody", *rows), class_="heat map")
    region = tag("div", made, class_="scroll", role="region", aria_label="Map", tabindex=0)
    return tag("figure", caption, region)


def _heat_cell(value: float | None, largest: float) -> HtmlMarkup:
    if value is None:
        return tag("td")
    shade = min(floor(abs(value) / largest * SHADES) + 1, SHADES) if largest else 0
    return tag(
        "td", f"{value:.2f}", class_=f"{'g' if value > 0 else 'l'}{shade}" if shade else None
    )


def _slices_table(best: ChosenTrial) -> HtmlMarkup | None:
    slices = [each for each in best.plateau.slices if len(each.values) > 1] if best.plateau else []
    if not slices:
        return None
    columns = [
        HtmlColumn("Parameter"),
        HtmlColumn("Scores"),
        *_number_columns("Spread", "Largest step"),
    ]
    rows = [
        [
            HtmlCell(each.parameter + (" (at the edge)" if each.at_edge else "")),
            HtmlCell(
                ", ".join(
                    f"{value}: {score:.2f}"
                    for value, score in zip(each.values, each.scores, strict=True)
                )
            ),
            HtmlCell(f"{each.spread:.2f}"),
            HtmlCell(NONE if each.step is None else f"{each.step:.2f}"),
        ]
        for each in slices
    ]
    return _carded_table(table("Slices", columns, rows))


def _forward_table(study: SweepStudy) -> Content:
    forward = study.forward
    if forward is None:
        return None
    columns = [
        HtmlColumn("Window"),
        *_number_columns("Return of a year in sample", "out of sample"),
    ]
    rows = [
        [
            HtmlCell(str(number)),
            HtmlCell(percent(100.0 * inside, signed=True)),
            HtmlCell(percent(100.0 * outside, signed=True), "up" if outside > 0 else "down"),
        ]
        for number, (inside, outside) in enumerate(
            zip(forward.in_sample, forward.out_of_sample, strict=True), start=1
        )
    ]
    return joined_markup(
        [
            tag("p", f"Return out of sample / in sample: {efficiency_text(forward.efficiency)}."),
            _carded_table(table("Walk-forward", columns, rows)),
        ]
    )


def _folds_table(study: SweepStudy, lines: Sequence[FoldLine]) -> Content:
    if study.folds is None:
        return None
    if study.folds.note:
        return tag("p", f"Not run: {study.folds.note}.")
    columns = [
        HtmlColumn("Days judged"),
        *_number_columns("Days learned"),
        HtmlColumn("Best of these"),
        HtmlColumn("Symbol"),
        *_number_columns("Return of a year in sample", "out of sample"),
    ]
    rows = [
        [
            HtmlCell(f"{each.first} to {each.last}"),
            HtmlCell(count(each.learned)),
            HtmlCell(each.parameters),
            HtmlCell(each.symbol),
            HtmlCell(percent(each.in_sample, signed=True)),
            HtmlCell(
                percent(each.out_of_sample, signed=True), "up" if each.out_of_sample > 0 else "down"
            ),
        ]
        for each in lines
    ]
    said = f"{efficiency_text(study.folds.efficiency)}, {purge_text(study.folds)}"
    return joined_markup(
        [
            tag("p", f"Each fold is judged by the best of all other days: {said}."),
            _carded_table(table("Cross-validation", columns, rows)),
        ]
    )


def _chance_table(study: SweepStudy) -> Content:
    if not study.chances:
        return None
    shares = [*(f"{share}%" for share in SHOWN), "real"]
    columns = [
        HtmlColumn("Trial"),
        HtmlColumn("Drawn"),
        *_number_columns(*(f"Return {share}" for share in shares)),
        *_number_columns(*(f"Drawdown {share}" for share in shares)),
    ]
    rows = []
    for name, chance in study.chances.items():
        trial = study.leaders[name].row.trial
        for place, each in enumerate(chance_lines(chance)):
            figures = (*each.final, each.final_real, *each.drawdown, each.drawdown_real)
            who = f"{trial.symbol} {point_text(own_parameters(trial))}" if place == 0 else ""
            rows.append(
                [
                    HtmlCell(who),
                    HtmlCell(each.drawn),
                    *(HtmlCell(percent(figure, signed=True)) for figure in figures),
                ]
            )
    return joined_markup(
        [
            tag(
                "p",
                "The best and the chosen: their round trips in other orders and mixes, their days "
                "in blocks, 2,000 runs each. Percentiles of the return and of the maximum "
                "drawdown, % of the cash at the beginning.",
            ),
            _carded_table(table("Chance", columns, rows, class_="chance")),
        ]
    )


def _rejected_table(study: SweepStudy) -> HtmlMarkup | None:
    found = rejections(study)
    if not found:
        return None
    rows = [[HtmlCell(gate), HtmlCell(count(number))] for gate, number in found]
    return _carded_table(table("Rejected", [HtmlColumn("Gate"), *_number_columns("Trials")], rows))
