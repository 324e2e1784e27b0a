"""The tables of a report."""

from collections.abc import Mapping, Sequence
from typing import Final

from engine.backtest.linter.result_linter import LinterFinding
from engine.backtest.report.html_markup import (
    Content,
    HtmlCell,
    HtmlColumn,
    HtmlMarkup,
    joined_markup,
    table,
    tag,
)
from engine.backtest.results.figure_text import (
    NONE,
    SIGNED,
    day_text,
    duration_text,
    figure,
    metrics_by_group,
    moment_text,
    money,
    percent,
    ratio,
    tone,
)
from engine.backtest.run_outcome import RunOutcome
from engine.backtest.statistics import result_tables
from engine.backtest.statistics import stress_days as lived
from engine.backtest.statistics.run_metrics import RunMetric
from engine.backtest.statistics.stress_days import StressTable
from engine.indian_time import made_text
from engine.numbers import count

TITLES: Final = {
    "strategy": "Strategy",
    "symbol": "Symbol",
    "side": "Side",
    "rung": "Rung",
    "exit": "Why out",
    "hour": "Hour of entry (IST)",
    "weekday": "Weekday of entry",
    "month": "Month of entry",
}
FOLDED: Final = 24
"""Rows from which on a breakdown can be folded away."""
MARKS: Final = {"pass": "✓ pass", "warn": "! warn", "fail": "✕ fail", "not run": f"{NONE} not run"}
"""A status says itself by sign and word, not by colour alone."""


def metric_tone(metric: RunMetric) -> str:
    """Return the tone of a metric."""
    value = metric.value
    return tone(value) if metric.key in SIGNED and isinstance(value, int | float) else ""


def span_text(seconds: int) -> str:
    """Return the name of a bar's length."""
    if seconds % 86_400 == 0:
        return "daily bars" if seconds == 86_400 else f"bars of {seconds // 86_400} days"
    return f"{seconds // 60}-minute bars" if seconds % 60 == 0 else f"{seconds}-second bars"


def _number_columns(*names: str) -> list[HtmlColumn]:
    return [HtmlColumn(name, "n") for name in names]


def _money_cell(paise: float) -> HtmlCell:
    return HtmlCell(money(paise, signed=True), tone(paise))


def _percent_cell(value: float | None, places: int = 2) -> HtmlCell:
    return HtmlCell(
        percent(value, signed=True, places=places), tone(value and round(value, places))
    )


def _titled_card(title: str, *content: Content, class_: str = "") -> HtmlMarkup:
    return tag("div", tag("h3", title), *content, class_=f"card {class_}".strip())


def breakdown_tables(outcome: RunOutcome) -> Content:
    """Return the closed trades by their common fields; months folded away."""
    groups = result_tables.breakdowns(outcome)
    made = [_breakdown_card(name, groups[name]) for name in TITLES if groups.get(name)]
    return tag("div", *made, class_="tables groups") if made else None


def _breakdown_card(name: str, groups: Sequence[result_tables.TradeGroup]) -> HtmlMarkup:
    columns = [
        HtmlColumn(TITLES[name]),
        *_number_columns(
            "Trades",
            "Won",
            "Net",
            "Average",
            "Gross",
            "Charges",
            "Slippage",
            "Profit factor",
            "MAE",
            "MFE",
        ),
    ]
    rows = [
        [
            HtmlCell(each.name),
            HtmlCell(count(each.trades)),
            HtmlCell(percent(each.win_rate, places=1)),
            _money_cell(each.net),
            _money_cell(each.average),
            HtmlCell(money(each.gross, signed=True)),
            HtmlCell(money(each.charges)),
            HtmlCell(money(each.slippage)),
            HtmlCell(ratio(each.profit_factor)),
            HtmlCell(money(each.mae, signed=True)),
            HtmlCell(money(each.mfe, signed=True)),
        ]
        for each in groups
    ]
    made = table(TITLES[name], columns, rows)
    title = f"By {TITLES[name][0].lower()}{TITLES[name][1:]}"
    if len(rows) <= FOLDED:
        return _titled_card(title, made)
    return _titled_card(
        title,
        tag(
            "details",
            tag("summary", f"{count(len(rows))} rows"),
            made,
            # Months are also in the table of returns, and can be dozens.
            open="" if name != "month" else None,
        ),
    )


def drawdown_table(outcome: RunOutcome) -> Content:
    """Return the deepest ways down from a peak and back."""
    columns = [
        HtmlColumn("#", "n"),
        *_number_columns("Depth", "Amount"),
        HtmlColumn("Peak", "t"),
        HtmlColumn("Bottom", "t"),
        HtmlColumn("Back", "t"),
        *_number_columns("Length", "Recovery"),
    ]
    rows = [
        [
            HtmlCell(i),
            _percent_cell(each.depth),
            _money_cell(each.amount),
            HtmlCell(moment_text(each.start)),
            HtmlCell(moment_text(each.trough)),
            HtmlCell(moment_text(each.end) if each.end else "not yet"),
            HtmlCell(duration_text(each.length)),
            HtmlCell(duration_text(each.recovery)),
        ]
        for i, each in enumerate(result_tables.drawdowns(outcome), 1)
    ]
    return _table_card("Drawdowns", columns, rows, "There were none.")


def checks_table(findings: Sequence[LinterFinding]) -> HtmlMarkup:
    """Return each rule's finding, its reason, and its remedy."""
    columns = [
        HtmlColumn("Check"),
        HtmlColumn("Status"),
        HtmlColumn("Found"),
        HtmlColumn("Why it matters"),
        HtmlColumn("How to mend it"),
    ]
    rows = [
        [
            HtmlCell(each.label),
            HtmlCell(
                MARKS[each.status], f"status {each.status if each.status != 'not run' else 'none'}"
            ),
            HtmlCell(each.text),
            HtmlCell(each.why),
            HtmlCell(each.mend if each.status in {"warn", "fail"} else NONE),
        ]
        for each in findings
    ]
    return _table_card("Checks", columns, rows, "No check was made.", class_="checks")


def stress_tables(outcome: RunOutcome, table_: StressTable) -> Content:
    """Return the account's results on days of stress, and on days of each kind."""
    days, kinds = lived.day_results(outcome, table_), lived.kind_results(outcome, table_)
    # Without a day of stress there is nothing to hold the others against.
    if len(kinds) < 2:
        return None
    of_kinds = [HtmlColumn("Kind"), *_number_columns("Days", "Net", "Mean return", "Worst")]
    of_days = [
        HtmlColumn("Day", "t"),
        HtmlColumn("What happened"),
        *_number_columns("Net", "Account", "Buy and hold"),
    ]
    summed = [
        [
            HtmlCell(each.name),
            HtmlCell(count(each.days)),
            _money_cell(each.net),
            _percent_cell(each.mean, 3),
            _percent_cell(each.worst),
        ]
        for each in kinds
    ]
    dated = [
        [
            HtmlCell(day_text(each.day)),
            HtmlCell(each.what),
            _money_cell(each.net),
            _percent_cell(each.account),
            _percent_cell(each.held),
        ]
        for each in days
    ]
    parts = [_titled_card("Days of a kind", table("Days of a kind", of_kinds, summed))]
    if dated:
        parts.append(
            _titled_card(
                "Days with a name", table("Days with a name", of_days, dated, class_="days")
            )
        )
    return tag("div", *parts, class_="tables")


def metrics_cards(listed: Sequence[RunMetric]) -> HtmlMarkup:
    """Return every metric under its heading.

    A pointer that rests on a name shows its meaning.
    """
    cards = []
    for group, members in metrics_by_group(listed).items():
        rows = (
            tag(
                "tr",
                tag("th", each.label, scope="row", title=definition.means),
                tag("td", figure(each), class_=f"n {metric_tone(each)}".strip()),
            )
            for each, definition in members
        )
        cards.append(_titled_card(group, tag("table", tag("tbody", *rows))))
    means = (
        tag("tr", tag("th", each.label, scope="row"), tag("td", definition.means))
        for members in metrics_by_group(listed).values()
        for each, definition in members
    )
    defined = tag(
        "details",
        tag("summary", "What each metric is"),
        tag("table", tag("tbody", *means), class_="facts"),
    )
    return joined_markup([tag("div", *cards, class_="metrics"), tag("div", defined, class_="card")])


def _data_facts(outcome: RunOutcome) -> list[tuple[str, str]]:
    """Return on what a run ran: bars, or ticks with what they were read of."""
    held = outcome.manifest
    if held.feeds:
        feeds = [(f"Ticks of {name}", f"SHA-256 {sha}") for name, sha in held.feeds.items()]
        return [("Ticks", count(outcome.bars)), *feeds, ("Latency", held.latency)]
    golden = "all golden" if held.golden else "not all golden"
    return [("Bars", f"{count(outcome.bars)} {span_text(held.span)}, {golden}")]


def manifest_tables(outcome: RunOutcome) -> HtmlMarkup:
    """Return the ingredients of the run."""
    held = outcome.manifest
    facts: list[tuple[str, str]] = [
        ("Run", held.run),
        ("Made", made_text(held.made)),
        ("Command", held.command or NONE),
        *((f"Strategy {name}", _pairs_text(values)) for name, values in held.strategies.items()),
        *((f"Source of {name}", source) for name, source in held.sources.items()),
        *(
            (f"Own {name}", f"{part['class']} {part['sha256']}")
            for name, part in held.parts.items()
        ),
        *((("Compiled", ", ".join(held.compiled)),) if held.compiled else ()),
        ("Symbols", ", ".join(held.symbols)),
        *((("Symbols of", " ".join(held.universe.values())),) if held.universe else ()),
        ("Sessions", f"{held.first} to {held.last}, {count(len(outcome.daily.day))}"),
        *_data_facts(outcome),
        ("Orders", count(outcome.orders)),
        ("Refused", _pairs_text(outcome.refused) or "none"),
        ("Cash at the beginning", money(held.start_cash)),
        ("Slippage", held.slippage),
        ("Limits", _pairs_text(held.limits) or "none"),
        ("Settings", held.config),
        ("Code", f"{held.code}, {'native' if held.native else 'interpreted'}"),
        ("Versions", _pairs_text(held.versions)),
        # most runs take less than a second
        ("Took", duration_text(held.seconds) if held.seconds >= 10 else f"{held.seconds:.2f} s"),
        ("Digest", held.digest),
    ]
    rows = (tag("tr", tag("th", name, scope="row"), tag("td", text)) for name, text in facts)
    columns = [
        HtmlColumn("Symbol"),
        HtmlColumn("Version", "t"),
        HtmlColumn("Bars", "n"),
        HtmlColumn("First", "t"),
        HtmlColumn("Last", "t"),
        HtmlColumn("Prices"),
        HtmlColumn("Hash"),
    ]
    data = [
        [
            HtmlCell(symbol),
            HtmlCell(each.version),
            HtmlCell(count(each.bars)),
            HtmlCell(moment_text(each.first)),
            HtmlCell(moment_text(each.last)),
            HtmlCell("adjusted" if each.adjusted else "as traded"),
            HtmlCell(each.sha256[:16]),
        ]
        for symbol, each in held.data.items()
    ]
    return joined_markup(
        [
            tag("div", tag("table", tag("tbody", *rows), class_="facts"), class_="card"),
            _titled_card("Bars", table("Bars that were read", columns, data)) if data else None,
        ]
    )


def _pairs_text(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _table_card(
    name: str,
    columns: Sequence[HtmlColumn],
    rows: Sequence[Sequence[HtmlCell]],
    none: str,
    class_: str | None = None,
) -> HtmlMarkup:
    held = table(name, columns, rows, class_=class_) if rows else tag("p", none, class_="quiet")
    return tag("div", held, class_="card")
