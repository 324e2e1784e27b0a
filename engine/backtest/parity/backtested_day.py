"""A backtest that has run one day, as parity compares it."""

from collections.abc import Mapping, Sequence

from compiled.decisions import CAUSES
from compiled.model import paise
from compiled.outbox import Fill
from compiled.stage import RungRecord
from engine.backtest.parity.days import ENTER, RUNG, BacktestDay, Leg, Signal, Trip, place_of
from engine.backtest.run import Backtest
from engine.history.series import BarSeries


def backtested(
    backtest: Backtest, bars: Mapping[str, BarSeries], differs: Mapping[str, str], *, cold: int
) -> BacktestDay:
    """Return what a backtest did whose decisions were kept (`Backtest.keep_decisions`); the rest as `BacktestDay` has it."""
    symbols = {int(each.token): symbol for symbol, each in backtest.market.instruments.items()}
    signals = [
        Signal(
            number=int(each.number), ts=int(each.ts), strategy=each.strategy, symbol=symbols[int(each.token)], side=int(each.side),
            kind=each.kind, place=place_of(each.kind, each.reason), quantity=int(each.quantity), price=float(each.price),
            verdict=each.verdict.name, detail=each.detail, reason=each.reason, rung=int(each.rung),
            asked=CAUSES[each.cause.what],
        )
        for each in backtest.decisions
        if each.kind in {ENTER, RUNG}
    ]  # fmt: skip
    by_rung: dict[int, list[Fill]] = {}
    for fill in backtest.fills:
        by_rung.setdefault(int(fill.order.rung), []).append(fill)
    records = {int(each.rung_id): each for each in backtest.rungs}
    trips = [_trip(rung, fills, records.get(rung), symbols, backtest) for rung, fills in by_rung.items()]
    return BacktestDay(signals, trips, bars, backtest.span, differs, cold)


def _trip(
    rung: int, fills: Sequence[Fill], record: RungRecord | None, symbols: Mapping[int, str], backtest: Backtest
) -> Trip:
    order = fills[0].order
    symbol, side = symbols[int(order.token)], order.side
    entry = _leg([fill for fill in fills if fill.order.side is side])
    left = _leg([fill for fill in fills if fill.order.side is not side])
    mark = int(paise(float(backtest.series[symbol].close[-1]), entry.quantity - left.quantity))
    number, ended = (int(record.number), record.ended) if record is not None else (1, "")
    return Trip(
        rung, order.strategy, symbol, int(side), number, entry, left, mark, ended if left.quantity else ""
    )  # fmt: skip


def _leg(fills: Sequence[Fill]) -> Leg:
    if not fills:
        return Leg()
    value = sum(int(paise(fill.price, fill.quantity)) for fill in fills)
    return Leg(
        int(fills[0].ts), sum(int(fill.quantity) for fill in fills), value, sum(int(fill.charges) for fill in fills)
    )
