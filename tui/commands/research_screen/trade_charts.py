"""The bars around one trade, of a backtest or of the desk itself, with its fills."""

from itertools import pairwise
from pathlib import Path
from typing import Final

from compiled.model.values import SECOND
from engine.backtest.report.trade_candles import bars_around
from engine.backtest.results.figure_text import moment_text, money, side_word
from engine.backtest.run_outcome import RoundTrip
from engine.config.schema import DeskConfig
from engine.errors import PatangError
from engine.history.bar_series import BarSeries, from_bars
from engine.numbers import count, price
from engine.ports import BarStore
from store.backtest_results import StoredResult
from store.closed_trades import ClosedTrade
from tui.app.research_port import ChartBar, ResultCandles, TradeMark
from tui.commands.backtest.backtest_commands import ResultBars
from tui.run.bar_stores import desk_store, history_store
from tui.run.run_records import bars_folder

MINUTE_S: Final = 60
OTHER: Final = {"BUY": "SELL", "SELL": "BUY"}


def run_trade_chart(config: DeskConfig, stored: StoredResult, trade: RoundTrip) -> ResultCandles:
    """Return a trade of a backtest in the bars that it was made of, as far as they are there."""
    series = ResultBars(config, stored)

    def candles(symbol: str, start: int, end: int) -> BarSeries:
        bars = series[symbol]
        return bars.pick((bars.start >= start) & (bars.start <= end))

    span = stored.outcome.manifest.span
    bars = bars_around(trade.symbol, trade.entry_ts, trade.exit_ts, candles, span)
    bought, sold = ("BUY", "SELL") if trade.side > 0 else ("SELL", "BUY")
    title = _trade_title(trade, side_word(trade), trade.net)
    marks = [TradeMark(trade.entry_ts, trade.entry_price, bought)]
    if trade.exit_ts:
        marks.append(TradeMark(trade.exit_ts, trade.exit_price, sold))
    return _drawn_bars(title, bars, span, marks)


def desk_trade_chart(
    config: DeskConfig, mode: str, database: Path, trade: ClosedTrade
) -> ResultCandles:
    """Return a trade of the desk in the minutes that it built, or else those of the history."""

    def candles(symbol: str, start: int, end: int) -> BarSeries:
        own = desk_store(config, bars_folder(config, mode, database))
        found = _stored_bars(own, symbol, start, end)
        # of a day that was read anew the desk may have built nothing
        return (
            found
            if len(found.start)
            else _stored_bars(history_store(config, None), symbol, start, end)
        )

    bars = bars_around(trade.symbol, trade.entry_ts, trade.exit_ts, candles, MINUTE_S)
    title = _trade_title(trade, "long" if trade.side == "BUY" else "short", trade.net)
    marks = [
        TradeMark(trade.entry_ts, trade.entry_price, trade.side),
        TradeMark(trade.exit_ts, trade.exit_price, OTHER[trade.side]),
    ]
    return _drawn_bars(title, bars, MINUTE_S, marks)


def _trade_title(trade: RoundTrip | ClosedTrade, side: str, net: int) -> str:
    return (
        f"{trade.symbol} {side} {count(trade.quantity)}  {money(net, signed=True)}  "
        f"{trade.exit_reason}  {price(trade.entry_price)} to {price(trade.exit_price) or 'open'}  "
        f"{moment_text(trade.entry_ts)} to {moment_text(trade.exit_ts)}"
    )


def _stored_bars(store: BarStore, symbol: str, start: int, end: int) -> BarSeries:
    """Return the minutes of the first version that has any in these days."""
    try:
        versions = dict.fromkeys(
            each.version
            for each in store.contents()
            if (each.symbol, each.span) == (symbol, MINUTE_S)
        )
        for version in versions:
            found = store.columns(symbol, MINUTE_S, start, end, version)
            if len(found.start):
                return found
    except PatangError:
        # a picture that cannot be drawn costs nobody anything
        pass
    return from_bars(())


def _drawn_bars(title: str, bars: BarSeries, span: int, marks: list[TradeMark]) -> ResultCandles:
    rows = zip(
        bars.start.tolist(),
        bars.open.tolist(),
        bars.high.tolist(),
        bars.low.tolist(),
        bars.close.tolist(),
        bars.volume.tolist(),
        strict=True,
    )
    drawn = [ChartBar(*row) for row in rows]
    # several bars of a long trade share a candle
    if len(drawn) > 1:
        span = min(b.start - a.start for a, b in pairwise(drawn)) // SECOND
    return ResultCandles(title, span, drawn, marks)
