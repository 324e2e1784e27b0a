"""A backtest that has run one day, as parity compares it."""

from collections.abc import Mapping, Sequence

from compiled.backtest.session_loop import RungRecord
from compiled.model.values import NEVER, paise
from compiled.trading.decision_log import CAUSES
from compiled.trading.order_store import BookedFill
from engine.backtest.backtest_run import BacktestRun
from engine.backtest.parity.day_records import (
    ENTER,
    RUNG,
    BacktestDay,
    ParityTrip,
    StrategySignal,
    TripLeg,
    rung_place,
)
from engine.history.bar_series import BarSeries


def backtest_day_of(
    backtest: BacktestRun,
    bars: Mapping[str, BarSeries],
    differs: Mapping[str, str],
    *,
    cold: int,
    until: int = NEVER,
) -> BacktestDay:
    """Return a finished backtest as `BacktestDay`, its decisions kept (`keep_decisions`).

    What it did after `until` (ns) is left out; the other arguments are fields of it.
    """
    symbols = {int(each.token): symbol for symbol, each in backtest.market.instruments.items()}
    signals = [
        StrategySignal(
            number=int(each.number),
            ts=int(each.ts),
            strategy=each.strategy,
            symbol=symbols[int(each.token)],
            side=int(each.side),
            kind=each.kind,
            place=rung_place(each.kind, each.reason),
            quantity=int(each.quantity),
            price=float(each.price),
            verdict=each.verdict.name,
            detail=each.detail,
            reason=each.reason,
            rung=int(each.rung),
            asked=CAUSES[each.cause.what],
        )
        for each in backtest.decisions
        if each.kind in {ENTER, RUNG} and each.ts <= until
    ]
    by_rung: dict[int, list[BookedFill]] = {}
    for fill in backtest.fills:
        if fill.ts <= until:
            by_rung.setdefault(int(fill.order.rung), []).append(fill)
    records = {int(each.rung_id): each for each in backtest.rungs}
    trips = [
        _trip_of_fills(rung, fills, records.get(rung), symbols, backtest)
        for rung, fills in by_rung.items()
    ]
    return BacktestDay(signals, trips, bars=bars, span=backtest.span, differs=differs, cold=cold)


def _trip_of_fills(
    rung: int,
    fills: Sequence[BookedFill],
    record: RungRecord | None,
    symbols: Mapping[int, str],
    backtest: BacktestRun,
) -> ParityTrip:
    order = fills[0].order
    symbol, side = symbols[int(order.token)], order.side
    entry = _leg_of_fills([fill for fill in fills if fill.order.side is side])
    left = _leg_of_fills([fill for fill in fills if fill.order.side is not side])
    market = backtest.kernel.state.markets[int(order.token)]
    mark = int(paise(float(market.ltp), entry.quantity - left.quantity))
    number, ended = (int(record.number), record.ended) if record is not None else (1, "")
    return ParityTrip(
        rung,
        order.strategy,
        symbol=symbol,
        side=int(side),
        place=number,
        entry=entry,
        exit=left,
        mark=mark,
        reason=ended if left.quantity else "",
    )


def _leg_of_fills(fills: Sequence[BookedFill]) -> TripLeg:
    if not fills:
        return TripLeg()
    value = sum(int(paise(fill.price, fill.quantity)) for fill in fills)
    return TripLeg(
        int(fills[0].ts),
        sum(int(fill.quantity) for fill in fills),
        value,
        sum(int(fill.charges) for fill in fills),
    )
