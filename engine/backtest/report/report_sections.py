"""The tables of a report."""

from collections.abc import Mapping, Sequence
from typing import Final

from engine.backtest import stress as lived
from engine.backtest import tables
from engine.backtest.figures import (
    NONE,
    SIGNED,
    by_group,
    day,
    figure,
    length,
    moment,
    money,
    percent,
    ratio,
    tone,
)
from engine.backtest.linter import Finding
from engine.backtest.metrics import Metric
from engine.backtest.outcome import Outcome
from engine.backtest.report.markup import Cell, Column, Content, Markup, joined, table, tag
from engine.backtest.stress import StressTable
from engine.numbers import count

TITLES: Final = {
    "strategy": "Strategy", "symbol": "Symbol", "side": "Side", "rung": "Rung", "exit": "Why out",
    "hour": "Hour of entry (IST)", "weekday": "Weekday of entry", "month": "Month of entry",
}  # fmt: skip
FOLDED: Final = 24
"""Rows from which on a breakdown can be folded away."""
MARKS: Final = {"pass": "✓ pass", "warn": "! warn", "fail": "✕ fail", "not run": f"{NONE} not run"}
"""A status says itself by sign and word, not by colour alone."""


def painted(metric: Metric) -> str:
    """Return what a metric is painted as."""
    value = metric.value
    return tone(value) if metric.key in SIGNED and isinstance(value, int | float) else ""


def span(seconds: int) -> str:
    """Return what a bar's length is called."""
    if seconds % 86_400 == 0:
        return "daily bars" if seconds == 86_400 else f"bars of {seconds // 86_400} days"
    return f"{seconds // 60}-minute bars" if seconds % 60 == 0 else f"{seconds}-second bars"


def _number(*names: str) -> list[Column]:
    return [Column(name, "n") for name in names]


def _money(paise: float) -> Cell:
    return Cell(money(paise, signed=True), tone(paise))


def _percent(value: float | None, places: int = 2) -> Cell:
    return Cell(percent(value, signed=True, places=places), tone(value and round(value, places)))


def _card(title: str, *content: Content, class_: str = "") -> Markup:
    return tag("div", tag("h3", title), *content, class_=f"card {class_}".strip())


def breakdowns(outcome: Outcome) -> Content:
    """Return the closed trades by what they have in common; months folded away."""
    groups = tables.breakdowns(outcome)
    made = [_breakdown(name, groups[name]) for name in TITLES if groups.get(name)]
    return tag("div", *made, class_="tables groups") if made else None


def _breakdown(name: str, groups: Sequence[tables.Group]) -> Markup:
    columns = [
        Column(TITLES[name]),
        *_number("Trades", "Won", "Net", "Average", "Gross", "Charges", "Slippage", "Profit factor", "MAE", "MFE"),
    ]
    rows = [
        [
            Cell(each.name), Cell(count(each.trades)), Cell(percent(each.win_rate, places=1)), _money(each.net),
            _money(each.average), Cell(money(each.gross, signed=True)), Cell(money(each.charges)),
            Cell(money(each.slippage)), Cell(ratio(each.profit_factor)), Cell(money(each.mae, signed=True)),
            Cell(money(each.mfe, signed=True)),
        ]
        for each in groups
    ]  # fmt: skip
    made = table(TITLES[name], columns, rows)
    title = f"By {TITLES[name][0].lower()}{TITLES[name][1:]}"
    if len(rows) <= FOLDED:
        return _card(title, made)
    return _card(
        title, tag("details", tag("summary", f"{count(len(rows))} rows"), made, open="" if name != "month" else None)
    )


def drawdowns(outcome: Outcome) -> Content:
    """Return the deepest ways down from a peak and back."""
    columns = [Column("#", "n"), *_number("Depth", "Amount"), Column("Peak", "t"), Column("Bottom", "t"), Column("Back", "t"),
               *_number("Length", "Recovery")]  # fmt: skip
    rows = [
        [
            Cell(i), _percent(each.depth), _money(each.amount), Cell(moment(each.start)),
            Cell(moment(each.trough)), Cell(moment(each.end) if each.end else "not yet"), Cell(length(each.length)),
            Cell(length(each.recovery)),
        ]
        for i, each in enumerate(tables.drawdowns(outcome), 1)
    ]  # fmt: skip
    return _plain("Drawdowns", columns, rows, "There were none.")


def checks(findings: Sequence[Finding]) -> Markup:
    """Return what each rule found, why it matters, and how to mend it."""
    columns = [Column("Check"), Column("Status"), Column("Found"), Column("Why it matters"), Column("How to mend it")]
    rows = [
        [
            Cell(each.label), Cell(MARKS[each.status], f"status {each.status if each.status != 'not run' else 'none'}"),
            Cell(each.text), Cell(each.why), Cell(each.mend if each.status in {"warn", "fail"} else NONE),
        ]
        for each in findings
    ]  # fmt: skip
    return _plain("Checks", columns, rows, "No check was made.", class_="checks")


def stress_days(outcome: Outcome, table_: StressTable) -> Content:
    """Return what became of the account on days on which the market was not itself, and on days of each kind."""
    days, kinds = lived.lived(outcome, table_), lived.kinds(outcome, table_)
    if len(kinds) < 2:
        return None
    of_kinds = [Column("Kind"), *_number("Days", "Net", "Mean return", "Worst")]
    of_days = [Column("Day", "t"), Column("What happened"), *_number("Net", "Account", "Buy and hold")]
    summed = [
        [Cell(each.name), Cell(count(each.days)), _money(each.net), _percent(each.mean, 3),
         _percent(each.worst)]
        for each in kinds
    ]  # fmt: skip
    dated = [
        [Cell(day(each.day)), Cell(each.what), _money(each.net), _percent(each.account),
         _percent(each.held)]
        for each in days
    ]  # fmt: skip
    parts = [_card("Days of a kind", table("Days of a kind", of_kinds, summed))]
    if dated:
        parts.append(_card("Days with a name", table("Days with a name", of_days, dated, class_="days")))
    return tag("div", *parts, class_="tables")


def metrics(listed: Sequence[Metric]) -> Markup:
    """Return every metric under its heading; a pointer that rests on a name is told what it means."""
    cards = []
    for group, members in by_group(listed).items():
        rows = (
            tag(
                "tr", tag("th", each.label, scope="row", title=definition.means),
                tag("td", figure(each), class_=f"n {painted(each)}".strip()),
            )
            for each, definition in members
        )  # fmt: skip
        cards.append(_card(group, tag("table", tag("tbody", *rows))))
    means = (tag("tr", tag("th", each.label, scope="row"), tag("td", definition.means))
             for members in by_group(listed).values() for each, definition in members)  # fmt: skip
    defined = tag("details", tag("summary", "What each metric is"), tag("table", tag("tbody", *means), class_="facts"))
    return joined([tag("div", *cards, class_="metrics"), tag("div", defined, class_="card")])


def manifest(outcome: Outcome) -> Markup:
    """Return of what the run was made."""
    held = outcome.manifest
    facts: list[tuple[str, str]] = [
        ("Run", held.run),
        ("Made", held.made),
        ("Command", held.command or NONE),
        *((f"Strategy {name}", _pairs(values)) for name, values in held.strategies.items()),
        *((f"Source of {name}", source) for name, source in held.sources.items()),
        ("Symbols", ", ".join(held.symbols)),
        ("Sessions", f"{held.first} to {held.last}, {count(len(outcome.daily.day))}"),
        ("Bars", f"{count(outcome.bars)} {span(held.span)}, {'all golden' if held.golden else 'not all golden'}"),
        ("Orders", count(outcome.orders)),
        ("Refused", _pairs(outcome.refused) or "none"),
        ("Cash at the beginning", money(held.start_cash)),
        ("Slippage", held.slippage),
        ("Limits", _pairs(held.limits) or "none"),
        ("Settings", held.config),
        ("Code", f"{held.code}, {'native' if held.native else 'interpreted'}"),
        ("Versions", _pairs(held.versions)),
        ("Took", length(held.seconds)),
        ("Digest", held.digest),
    ]
    rows = (tag("tr", tag("th", name, scope="row"), tag("td", text)) for name, text in facts)
    columns = [
        Column("Symbol"),
        Column("Version", "t"),
        Column("Bars", "n"),
        Column("First", "t"),
        Column("Last", "t"),
        Column("Prices"),
        Column("Hash"),
    ]
    data = [
        [Cell(symbol), Cell(each.version), Cell(count(each.bars)), Cell(moment(each.first)), Cell(moment(each.last)),
         Cell("adjusted" if each.adjusted else "as traded"), Cell(each.sha256[:16])]
        for symbol, each in held.data.items()
    ]  # fmt: skip
    return joined(
        [
            tag("div", tag("table", tag("tbody", *rows), class_="facts"), class_="card"),
            _card("Bars", table("Bars that were read", columns, data)) if data else None,
        ]
    )


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _plain(
    name: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], none: str, class_: str | None = None
) -> Markup:
    held = table(name, columns, rows, class_=class_) if rows else tag("p", none, class_="quiet")
    return tag("div", held, class_="card")
