"""The report of a backtest as one page: its parts in order, its style, and the one script that it may run."""

import base64
import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from engine.backtest import stress, tables
from engine.backtest.figures import DEFINITIONS, figure, key_figures, noteworthy
from engine.backtest.linter import Finding, verdict
from engine.backtest.metrics import Metric
from engine.backtest.outcome import Outcome
from engine.backtest.report import curves, sections, spreads
from engine.backtest.report.candles import Candles, picture
from engine.backtest.report.ledger import ledger
from engine.backtest.report.markup import Content, Markup, joined, tag
from engine.numbers import count

_HERE: Final = Path(__file__).parent
SCRIPT: Final = (_HERE / "page.js").read_text(encoding="utf-8")
STYLE: Final = (_HERE / "page.css").read_text(encoding="utf-8")
_HASH: Final = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
POLICY: Final = (
    f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
)
"""What a browser lets the page do: nothing but be painted, and run its own script."""


def html(
    outcome: Outcome,
    metrics: Sequence[Metric],
    findings: Sequence[Finding],
    candles: Candles | None = None,
    asked: Collection[int] = (),
) -> str:
    """Return the report of a run as one page of HTML that needs nothing else.

    `candles` returns the bars around the trades that are drawn: the noteworthy ones, and those whose numbers are `asked`
    for; without it none are.
    """
    parts = (
        _parts(outcome, metrics, findings, candles, asked) if len(outcome.daily.day) else _nothing(outcome, findings)
    )
    shown = [(name, title, each) for name, title, each in parts if each]
    links = tag("nav", tag("div", *(tag("a", title, href=f"#{name}") for name, title, _ in shown)), aria_label="Parts")
    body = joined([
        tag("header", *_top(outcome, findings)),
        links,
        tag("main", *(tag("section", tag("h2", title), each, id=name) for name, title, each in shown)),
        tag("footer", f"{outcome.manifest.command or 'patang'} · digest {outcome.manifest.digest}"),
        tag("script", Markup(SCRIPT)),
    ])  # fmt: skip
    head = joined(
        [
            Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
            Markup(
                f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><meta name="referrer" content="no-referrer">'
            ),
            tag("title", f"{outcome.manifest.name}: backtest {outcome.manifest.first} to {outcome.manifest.last}"),
            tag("style", Markup(STYLE)),
        ]
    )
    return f'<!doctype html>\n<html lang="en-IN"><head>{head}</head><body>{body}</body></html>\n'


Part = tuple[str, str, Content]
"""Its anchor, its title, and what it shows."""


def _parts(
    outcome: Outcome, metrics: Sequence[Metric], findings: Sequence[Finding], candles: Candles | None, asked: Collection[int]
) -> list[Part]:  # fmt: skip
    years = tables.years(outcome)
    return [
        ("figures", "Key figures", _tiles(metrics)),
        ("account", "Account", joined([curves.equity(outcome), curves.underwater(outcome), curves.exposure(outcome)])),
        ("returns", "Returns", _pairs(
            spreads.months(years), spreads.yearly(years), spreads.distribution(outcome), curves.rolling(outcome),
        ) if years else None),
        ("costs", "Costs", spreads.waterfall(outcome)),
        ("behaviour", "Trades as a whole", _pairs(spreads.excursions(outcome.trades))),
        ("breakdowns", "Breakdowns", joined([curves.strategies(outcome), sections.breakdowns(outcome)])),
        ("drawdowns", "Drawdowns", sections.drawdowns(outcome)),
        ("checks", "Checks", sections.checks(findings)),
        ("trades", "Trades to look at", _pictures(outcome, candles, asked)),
        ("stress", "Stress days", sections.stress_days(outcome, stress.load())),
        ("metrics", "All metrics", sections.metrics(metrics)),
        ("ledger", "Ledger", tag("div", ledger(outcome.trades), class_="card")),
        ("manifest", "Manifest", sections.manifest(outcome)),
    ]  # fmt: skip


def _nothing(outcome: Outcome, findings: Sequence[Finding]) -> list[Part]:
    return [
        ("figures", "Key figures", tag("p", "No session was replayed: there is nothing to show.", class_="quiet")),
        ("checks", "Checks", sections.checks(findings)),
        ("manifest", "Manifest", sections.manifest(outcome)),
    ]


def _top(outcome: Outcome, findings: Sequence[Finding]) -> list[Markup]:
    held = outcome.manifest
    worst = next((each for each in ("fail", "warn", "pass") if any(one.status == each for one in findings)), "none")
    symbols = held.symbols[0] if len(held.symbols) == 1 else f"{count(len(held.symbols))} symbols"
    told = (
        f"{held.first} to {held.last}, {count(len(outcome.daily.day))} sessions",
        symbols, sections.span(held.span), ", ".join(held.strategies), f"slippage {held.slippage}",
        "golden bars" if held.golden else "bars that are not all golden",
    )  # fmt: skip
    notices = (["stopped before its last session: this is a part of the run"] if held.partial else []) + held.warnings
    return [
        tag("h1", held.name),
        tag("p", " · ".join(told), class_="about"),
        tag("p", f"run {held.run}, made {held.made}", class_="about"),
        tag("p", tag("strong", verdict(findings), class_=worst), tag("a", "see the checks", href="#checks"), class_=f"verdict {worst}"),
        *(tag("p", each, class_="notice") for each in notices),
    ]  # fmt: skip


def _tiles(metrics: Sequence[Metric]) -> Markup:
    tiles = (
        tag(
            "div", tag("dt", each.label, title=DEFINITIONS[each.key].means),
            tag("dd", figure(each), class_=sections.painted(each) or None), class_="tile",
        )
        for each in key_figures(metrics)
    )  # fmt: skip
    return tag("dl", *tiles, class_="tiles")


def _pairs(*figures: Content) -> Markup:
    return tag("div", *figures, class_="grid2")


def _pictures(outcome: Outcome, candles: Candles | None, asked: Collection[int]) -> Content:
    chosen = noteworthy(outcome.trades, asked)
    if candles is None or not chosen:
        return None
    trades = {each.number: each for each in outcome.trades if each.number in chosen}
    return _pairs(
        *(
            picture(trades[number], why, candles, outcome.manifest.span)
            for number, why in chosen.items()
            if number in trades
        )
    )
