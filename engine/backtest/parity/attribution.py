"""What lies between the P&L of a desk's day and of its backtest, as named parts that add up to the paisa.

Every round trip of either side is in one pair. Of the shares that both have, each leg is taken apart by the market's price
at the moment of its first fill, which is where the path of the bar stands then (`causes.price_at`):

    desk's price - backtest's price = (market in the desk's bars - market in the backtest's bars, when the desk filled)   data
                                    + (market when the desk filled - market when the backtest did, in its bars)           timing
                                    + what is left: how each stood to its own market                                      fill

What is still held counts as left at the day's last price. What charges differ by is cost. A leg whose decision does not match
counts whole for the cause of that, where it is another one than that both sides did it at another moment or price; so does what only
one side has. The last part is always what is left of the pair: the sum is exact whatever the two sides are.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from compiled.ledger import share
from compiled.model import SECOND
from engine.backtest.parity.causes import CAUSES, COST, DATA, FILL, TIMING, UNEXPLAINED, Causes, Why, price_at
from engine.backtest.parity.days import BacktestDay, DeskDay, Trip
from engine.backtest.parity.matching import Decision, Matched, Pair, match
from engine.history.series import BarSeries

Parts = dict[str, int]
"""Paise by cause."""
RESULTS: Final[Mapping[str, str]] = {
    DATA: "its bars, or its last price, differ", TIMING: "filled at another moment", FILL: "filled at another price",
    COST: "other charges",
}  # fmt: skip


class Difference(NamedTuple):
    """A decision that is not the same on both sides, or came to something else, what it makes, and by which causes.

    `why` is the cause of the decision; of one that is the same on both sides, the one that makes most.
    """

    decision: Decision
    why: Why
    parts: Mapping[str, int]

    @property
    def amount(self) -> int:
        """Return what the desk made more than the backtest, in paise."""
        return sum(self.parts.values())


class Parity(NamedTuple):
    """How a desk's day compares with its backtest; `causes` (paise, in the order of `CAUSES`) add up to `delta`."""

    matched: Matched
    desk: int
    backtest: int
    causes: Parts
    differences: list[Difference]

    @property
    def percent(self) -> float:
        """Return how many of all decisions of either side are the same, in percent."""
        return self.matched.percent

    @property
    def delta(self) -> int:
        """Return the desk's P&L less the backtest's, in paise."""
        return self.desk - self.backtest


def compare(desk: DeskDay, backtest: BacktestDay) -> Parity:
    """Compare a desk's day with its backtest."""
    matched = match(desk, backtest)
    causes, prices = Causes(desk, backtest), _Prices(desk, backtest)
    totals = dict.fromkeys(CAUSES, 0)
    began = {id(pair.began): pair for pair in matched.pairs}
    ended = {id(pair.ended): pair for pair in matched.pairs}
    differences: list[Difference] = []
    for decision in matched.decisions:
        why = None if decision.same else causes.of(decision)
        parts, held = Parts(), Parts()
        if (pair := began.get(id(decision))) is not None:
            parts = _beginning(pair, why, prices)
            held = _ending(pair, prices) if pair.ended is None else held
        elif (pair := ended.get(id(decision))) is not None:
            parts = _ending(pair, prices)
        if (told := why or _result(parts)) is not None and told.cause != COST:
            causes.tell(decision, told)  # before the evening's price of what is held, from which nothing follows
        _add(parts, held)
        if why is not None and why.cause not in {TIMING, FILL}:
            parts = {why.cause: sum(parts.values())}
        parts = {name: amount for name, amount in parts.items() if amount}
        _add(totals, parts)
        if (why := why or _result(parts)) is not None:
            differences.append(Difference(decision, why, parts))
    return Parity(matched, desk.net, backtest.net, totals, differences)


def _result(parts: Parts) -> Why | None:
    """Return what makes most of how a decision that is the same on both sides came out; None where nothing does."""
    if not any(parts.values()):
        return None
    cause = max(parts, key=lambda name: abs(parts[name]))
    return Why(cause, RESULTS.get(cause, "filled otherwise"))


def _beginning(pair: Pair, why: Why | None, prices: "_Prices") -> Parts:
    """Return the parts of how a pair began; of one that is on one side only all there is."""
    mine, theirs = pair.desk, pair.backtest
    if mine is None or theirs is None:
        net = mine.net if mine is not None else -theirs.net if theirs is not None else 0
        return {why.cause if why is not None else UNEXPLAINED: net}
    parts = prices.entry(mine, theirs)
    rest = mine.net - theirs.net - sum(parts.values()) - sum(prices.exit(mine, theirs).values())
    _add(parts, {why.cause if why is not None else FILL: rest})
    return parts


def _ending(pair: Pair, prices: "_Prices") -> Parts:
    return {} if pair.desk is None or pair.backtest is None else prices.exit(pair.desk, pair.backtest)


def _add(parts: Parts, more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        parts[name] = parts.get(name, 0) + amount


class _Prices:
    """Takes the prices of two legs apart; amounts are those of the shares that both have."""

    def __init__(self, desk: DeskDay, backtest: BacktestDay) -> None:
        self._desk = desk.bars
        self._backtest = backtest.bars
        self._length = backtest.span * SECOND

    def _at(self, bars: Mapping[str, BarSeries], symbol: str, ts: int) -> int:
        return price_at(bars.get(symbol), ts, self._length)

    def entry(self, mine: Trip, theirs: Trip) -> Parts:
        """Return what the entries differ by."""
        shares = min(mine.entry.quantity, theirs.entry.quantity)
        paid = [share(trip.entry.value, shares, trip.entry.quantity) if shares else 0 for trip in (mine, theirs)]
        at = mine.entry.ts
        own, then = self._at(self._desk, mine.symbol, at), self._at(self._backtest, mine.symbol, at)
        other = self._at(self._backtest, theirs.symbol, theirs.entry.ts)
        parts = _parts(-mine.side, paid[0], paid[1], shares * own, shares * then, shares * other)
        return parts | {COST: theirs.entry.charges - mine.entry.charges}

    def exit(self, mine: Trip, theirs: Trip) -> Parts:
        """Return what the exits differ by, or the last prices of what is still held."""
        shares = min(mine.entry.quantity, theirs.entry.quantity)
        worth = [
            share(trip.exit.value + trip.mark, shares, trip.entry.quantity) if shares else 0 for trip in (mine, theirs)
        ]
        at = mine.exit.ts
        own, then = (shares * self._at(bars, mine.symbol, at) for bars in (self._desk, self._backtest))
        if not mine.exit.quantity:
            own, then = worth[0], _last(self._backtest, mine.symbol) * shares or worth[0]
        other = worth[1]
        if theirs.exit.quantity:
            other = shares * self._at(self._backtest, theirs.symbol, theirs.exit.ts)
        parts = _parts(mine.side, worth[0], worth[1], own, then, other)
        return parts | {COST: theirs.exit.charges - mine.exit.charges}


def _parts(sign: int, mine: int, theirs: int, own: int, then: int, other: int) -> Parts:
    """Return data, timing and fill of two values and the market's beside them; without all of these everything is fill."""
    if not (own and then and other):
        own = then = other = 0
    data, timing = sign * (own - then), sign * (then - other)
    return {DATA: data, TIMING: timing, FILL: sign * (mine - theirs) - data - timing}


def _last(bars: Mapping[str, BarSeries], symbol: str) -> int:
    series = bars.get(symbol)
    return round(float(series.close[-1]) * 100) if series is not None and len(series.start) else 0
