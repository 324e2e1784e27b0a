"""The report of a backtest as one page: its parts in order."""

from collections.abc import Collection, Sequence

from engine.backtest.linter.result_linter import LinterFinding, overall_verdict
from engine.backtest.report import account_curves, report_sections, result_spreads
from engine.backtest.report.html_markup import Content, HtmlMarkup, joined_markup, tag
from engine.backtest.report.page_shell import Part, page
from engine.backtest.report.trade_candles import Candles, trade_picture
from engine.backtest.report.trade_ledger import ledger_markup
from engine.backtest.results.figure_text import DEFINITIONS, figure, key_figures, noteworthy_trades
from engine.backtest.run_outcome import RunOutcome
from engine.backtest.statistics import result_tables, stress_days
from engine.backtest.statistics.run_metrics import RunMetric
from engine.indian_time import made_text
from engine.numbers import count, counted


def html(
    outcome: RunOutcome,
    metrics: Sequence[RunMetric],
    findings: Sequence[LinterFinding],
    candles: Candles | None = None,
    asked: Collection[int] = (),
) -> str:
    """Return the report of a run as one page of HTML that needs nothing else.

    `candles` returns the bars around the trades that are drawn: the noteworthy ones, and those
    whose numbers are `asked` for; without it none are.
    """
    parts = (
        _page_parts(outcome, metrics, findings, candles, asked)
        if len(outcome.daily.day)
        else _empty_parts(outcome, findings)
    )
    held = outcome.manifest
    return page(
        f"{held.name}: backtest {held.first} to {held.last}",
        _page_header(outcome, findings),
        parts,
        f"{held.command or 'patang'} · digest {held.digest}",
    )


def _page_parts(
    outcome: RunOutcome,
    metrics: Sequence[RunMetric],
    findings: Sequence[LinterFinding],
    candles: Candles | None,
    asked: Collection[int],
) -> list[Part]:
    years = result_tables.yearly_returns(outcome)
    return [
        ("figures", "Key figures", _metric_tiles(metrics)),
        (
            "account",
            "Account",
            joined_markup(
                [
                    account_curves.equity_chart(outcome),
                    account_curves.underwater_chart(outcome),
                    account_curves.exposure_chart(outcome),
                ]
            ),
        ),
        (
            "returns",
            "Returns",
            _figure_pairs(
                result_spreads.months_table(years),
                result_spreads.years_chart(years),
                result_spreads.distribution_chart(outcome),
                account_curves.rolling_chart(outcome),
            )
            if years
            else None,
        ),
        ("costs", "Costs", result_spreads.waterfall_table(outcome)),
        (
            "behaviour",
            "Trades as a whole",
            _figure_pairs(result_spreads.excursion_charts(outcome.trades)),
        ),
        (
            "breakdowns",
            "Breakdowns",
            joined_markup(
                [
                    account_curves.strategies_chart(outcome),
                    report_sections.breakdown_tables(outcome),
                ]
            ),
        ),
        ("drawdowns", "Drawdowns", report_sections.drawdown_table(outcome)),
        ("checks", "Checks", report_sections.checks_table(findings)),
        ("trades", "Trades to look at", _trade_pictures(outcome, candles, asked)),
        (
            "stress",
            "Stress days",
            report_sections.stress_tables(outcome, stress_days.load_stress_table()),
        ),
        ("metrics", "All metrics", report_sections.metrics_cards(metrics)),
        ("ledger", "Ledger", tag("div", ledger_markup(outcome.trades), class_="card")),
        ("manifest", "Manifest", report_sections.manifest_tables(outcome)),
    ]


def _empty_parts(outcome: RunOutcome, findings: Sequence[LinterFinding]) -> list[Part]:
    return [
        (
            "figures",
            "Key figures",
            tag("p", "No session was replayed: there is nothing to show.", class_="quiet"),
        ),
        ("checks", "Checks", report_sections.checks_table(findings)),
        ("manifest", "Manifest", report_sections.manifest_tables(outcome)),
    ]


def _page_header(outcome: RunOutcome, findings: Sequence[LinterFinding]) -> list[HtmlMarkup]:
    held = outcome.manifest
    worst = next(
        (each for each in ("fail", "warn", "pass") if any(one.status == each for one in findings)),
        "none",
    )
    symbols = held.symbols[0] if len(held.symbols) == 1 else f"{count(len(held.symbols))} symbols"
    facts = (
        f"{held.first} to {held.last}, {counted(len(outcome.daily.day), 'session')}",
        symbols,
        "ticks" if held.feeds else report_sections.span_text(held.span),
        ", ".join(held.strategies),
        f"slippage {held.slippage}",
        f"latency {held.latency}"
        if held.feeds
        else ("golden bars" if held.golden else "bars that are not all golden"),
    )
    notices = (
        ["stopped before its last session: this is a part of the run"] if held.partial else []
    ) + held.warnings
    return [
        tag("h1", held.name),
        tag("p", " · ".join(facts), class_="about"),
        tag("p", f"run {held.run}, made {made_text(held.made)}", class_="about"),
        tag(
            "p",
            tag("strong", overall_verdict(findings), class_=worst),
            tag("a", "see the checks", href="#checks"),
            class_=f"verdict {worst}",
        ),
        *(tag("p", each, class_="notice") for each in notices),
    ]


def _metric_tiles(metrics: Sequence[RunMetric]) -> HtmlMarkup:
    tiles = (
        tag(
            "div",
            tag("dt", each.label, title=DEFINITIONS[each.key].means),
            tag("dd", figure(each), class_=report_sections.metric_tone(each) or None),
            class_="tile",
        )
        for each in key_figures(metrics)
    )
    return tag("dl", *tiles, class_="tiles")


def _figure_pairs(*figures: Content) -> HtmlMarkup:
    return tag("div", *figures, class_="grid2")


def _trade_pictures(
    outcome: RunOutcome, candles: Candles | None, asked: Collection[int]
) -> Content:
    chosen = noteworthy_trades(outcome.trades, asked)
    if candles is None or not chosen:
        return None
    trades = {each.number: each for each in outcome.trades if each.number in chosen}
    return _figure_pairs(
        *(
            trade_picture(trades[number], why, candles, outcome.manifest.span)
            for number, why in chosen.items()
            if number in trades
        )
    )
