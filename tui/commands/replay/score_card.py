"""Score card of a practised day: one's own result beside the strategies', and beside holding."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from compiled.accounting.charges import ChargeRates, order_charges
from compiled.model.values import Side, paise
from engine.day.replay_control import MinutePoint
from engine.numbers import count, gain, rupees
from store.desk_marks import EndedTrade

LABEL: Final = 15
COLUMN: Final = 20


class TradingResult(msgspec.Struct, frozen=True):
    """Result of a day, or of a part of one, in paise after charges.

    What is held still counts at its last price. `drawdown` is the deepest fall of it below a peak,
    minute by minute, `exposed` the share of the minutes with anything held. `best` and `worst` are
    of the trades that are over, `trades`.
    """

    net: int
    charges: int = 0
    orders: int = 0
    trades: int = 0
    best: int = 0
    worst: int = 0
    drawdown: int = 0
    exposed: float = 0.0


class PracticeSession(msgspec.Struct, frozen=True):
    """One practised day, as it is kept; `begun` and `left` are moments of that day, ns UTC.

    `by_hand` is the part of `own` that the operator has made himself, where the strategies ran
    beside him. `symbol` is what was held for comparison.
    """

    number: int
    practised: str
    day: str
    source: str
    begun: int
    left: int
    beside: bool
    restarts: int
    symbol: str
    own: TradingResult
    by_hand: int
    strategies: TradingResult
    held: TradingResult


class DayTotals(NamedTuple):
    """Totals of a desk's day, money in paise."""

    net: int
    charges: int
    orders: int


def trading_result(
    totals: DayTotals, curve: Sequence[MinutePoint], trades: Sequence[EndedTrade]
) -> TradingResult:
    """Return the result of a day by its totals, its minutes and its trades that are over."""
    pnls = [trade.pnl for trade in trades]
    return TradingResult(
        net=totals.net,
        charges=totals.charges,
        orders=totals.orders,
        trades=len(trades),
        best=max(pnls, default=0),
        worst=min(pnls, default=0),
        # a day begins at nothing: what is lost first is a fall as well
        drawdown=deepest_fall([0, *(point.pnl for point in curve), totals.net]),
        exposed=sum(point.held > 0 for point in curve) / len(curve) if curve else 0.0,
    )


def deepest_fall(values: Sequence[int]) -> int:
    """Return by how much values fell at most below the highest one before."""
    peak = fall = 0
    for at, value in enumerate(values):
        peak = value if not at else max(peak, value)
        fall = max(fall, peak - value)
    return fall


def holding_result(
    curve: Sequence[MinutePoint], cash: int, rates: ChargeRates | None
) -> TradingResult:
    """Return what all the cash (paise) in one symbol would have come to, bought first, sold last.

    `rates` are the charges of both orders, None for an index, which is held without any.
    """
    prices = [point.price for point in curve if point.price > 0.0]
    if not prices:
        return TradingResult(0)
    # whole shares: what the cash does not buy stays cash
    quantity = cash // int(paise(prices[0], 1))
    worth = [int(paise(price, quantity)) for price in prices]
    charges = 0
    if rates is not None and quantity:
        charges = int(order_charges(rates, Side.BUY, quantity, worth[0]))
        charges += int(order_charges(rates, Side.SELL, quantity, worth[-1]))
    net = worth[-1] - worth[0] - charges
    return TradingResult(
        net=net,
        charges=charges,
        orders=2,
        trades=1,
        best=net,
        worst=net,
        drawdown=deepest_fall([each - worth[0] for each in worth]),
        exposed=1.0,
    )


def card_text(session: PracticeSession) -> str:
    """Return the card, at most 78 cells wide: a column for each way to have spent the day."""
    columns = (
        ("by hand" if not session.beside else "hand + strategies", session.own),
        ("the strategies", session.strategies),
        (f"holding {session.symbol}"[:COLUMN], session.held),
    )
    rows: tuple[tuple[str, Callable[[TradingResult], str]], ...] = (
        ("net", lambda each: gain(each.net).strip()),
        ("charges", lambda each: rupees(each.charges)),
        ("drawdown", lambda each: rupees(each.drawdown)),
        ("orders", lambda each: count(each.orders)),
        ("trades over", lambda each: count(each.trades)),
        ("best trade", lambda each: gain(each.best).strip()),
        ("worst trade", lambda each: gain(each.worst).strip()),
        ("time in market", lambda each: f"{each.exposed:.0%}"),
    )
    lines = [
        " " * LABEL + "".join(name.rjust(COLUMN) for name, _ in columns),
        *(
            name.ljust(LABEL) + "".join(text(result).rjust(COLUMN) for _, result in columns)
            for name, text in rows
        ),
        "",
        *_verdicts(session),
    ]
    return "".join(f"{line}\n" for line in lines)


def _verdicts(session: PracticeSession) -> list[str]:
    own = session.own.net
    lines = [
        f"against the strategies {gain(own - session.strategies.net)}",
        f"against doing nothing  {gain(own)}",
        f"against holding        {gain(own - session.held.net)}",
    ]
    if session.beside:
        lines.append(f"made by hand alone     {gain(session.by_hand)}")
    if session.restarts:
        lines.append(f"begun anew {count(session.restarts)} times: what came was known")
    return lines
