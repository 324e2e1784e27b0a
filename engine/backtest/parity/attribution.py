"""The difference between the P&L of a day's desk and backtest, as parts that add up to the paisa.

Every round trip of either side is in one pair. Of the shares that both have, each leg is taken
apart by the market's price at the moment of its first fill, which is where the path of the bar
stands then (`bar_prices.price_at`):

    desk's price - backtest's price
        = (market in the desk's bars - market in the backtest's, when the desk filled)   data
        + (market when the desk filled - when the backtest did, in the backtest's bars)  timing
        + the rest: how each stood to its own market                                     fill

In shadow mode the desk's legs are taken apart as their simulated twins filled them, and what the
real orders have cost beyond that is "live beside its twin".

Shares that are still held count as left at the day's last price. A difference in the charges of the
shares that both have is cost. A leg whose decision does not match counts whole for the cause of
that, where it is another one than that both sides did it at another moment or price; so does a trip
that only one side has. The last part is always the rest of the pair: the sum is exact whatever the
two sides are.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from compiled.accounting.ledger import pro_rata
from compiled.model.values import SECOND
from engine.backtest.parity.bar_prices import price_at
from engine.backtest.parity.day_records import LEAVE, BacktestDay, DeskDay, ParityTrip, TripLeg
from engine.backtest.parity.decision_matching import (
    MatchedDay,
    PairedDecision,
    TripPair,
    match_days,
)
from engine.backtest.parity.difference_causes import (
    CAUSES,
    COST,
    DATA,
    FILL,
    TIMING,
    TWIN,
    UNEXPLAINED,
    CauseFinder,
    DifferenceCause,
)
from engine.backtest.parity.order_courses import course_text
from engine.history.bar_series import BarSeries

Parts = dict[str, int]
"""Paise by cause."""
RESULTS: Final[Mapping[str, str]] = {
    DATA: "its bars, or its last price, differ",
    TIMING: "filled at another moment",
    FILL: "filled at another price",
    TWIN: "its twin was filled at another price",
    COST: "other charges",
}
NOBODY: Final = "nobody"
"""Whose shares are that moved without an order of the desk."""


class ParityDifference(NamedTuple):
    """A decision that differs between the sides, or in its outcome: its amount, by cause.

    `why` is the cause of the decision; of one that is the same on both sides, the one that makes
    most.
    """

    decision: PairedDecision
    why: DifferenceCause
    parts: Mapping[str, int]

    @property
    def amount(self) -> int:
        """Return the desk's result less the backtest's, in paise."""
        return sum(self.parts.values())


class DayParity(NamedTuple):
    """The comparison of a desk's day with its backtest.

    `causes` (paise, in the order of `CAUSES`) add up to `delta`.
    """

    matched: MatchedDay
    desk: int
    backtest: int
    causes: Parts
    differences: list[ParityDifference]

    @property
    def inferred(self) -> int:
        """Return how much, of either sign, has a cause that nothing on record shows (paise)."""
        return sum(abs(each.amount) for each in self.differences if each.why.inferred)

    @property
    def percent(self) -> float:
        """Return how many of all decisions of either side are the same, in percent."""
        return self.matched.percent

    @property
    def delta(self) -> int:
        """Return the desk's P&L less the backtest's, in paise."""
        return self.desk - self.backtest


def compare_days(
    desk: DeskDay, backtest: BacktestDay, heard: BacktestDay | None = None
) -> DayParity:
    """Compare a desk's day with its backtest.

    `heard` is a backtest on the bars that the desk heard, where those of `backtest` differ.
    """
    matched = match_days(desk, backtest)
    causes, prices = CauseFinder(desk, backtest, heard), _LegPrices(desk, backtest)
    totals = dict.fromkeys(CAUSES, 0)
    began = {id(pair.began): pair for pair in matched.pairs}
    ended = {id(pair.ended): pair for pair in matched.pairs}
    differences: list[ParityDifference] = []
    for decision in matched.decisions:
        why = None if decision.same else causes.cause_of(decision)
        parts, held = Parts(), Parts()
        if (pair := began.get(id(decision))) is not None:
            parts = _beginning_parts(pair, why, prices)
            held = _ending_parts(pair, prices) if pair.ended is None else held
        elif (pair := ended.get(id(decision))) is not None:
            parts = _ending_parts(pair, prices)
        cause = why or _result_cause(parts, decision)
        if cause is not None and cause.cause != COST:
            # before the evening's price of what is held, from which nothing follows
            causes.note_difference(decision, cause)
        _add_parts(parts, held)
        if why is not None and why.cause not in {TIMING, FILL}:
            parts = {why.cause: sum(parts.values())}
        parts = {name: amount for name, amount in parts.items() if amount}
        _add_parts(totals, parts)
        if (why := why or _result_cause(parts, decision)) is not None:
            differences.append(ParityDifference(decision, why, parts))
    return DayParity(matched, desk.net, backtest.net, totals, differences)


def split_parity(parity: DayParity) -> dict[str, DayParity]:
    """Return the part of each strategy in a comparison; that of nobody has an empty name.

    They add up to the whole.
    """
    # A round trip is one strategy's to its end, whoever ended it.
    began = {id(pair.ended): pair.began for pair in parity.matched.pairs if pair.ended is not None}
    decisions: dict[str, list[PairedDecision]] = {}
    for each in parity.matched.decisions:
        of = began.get(id(each), each).subject.strategy
        decisions.setdefault(of, []).append(each)
    return {name: _strategy_part(parity, name, taken) for name, taken in sorted(decisions.items())}


def _strategy_part(parity: DayParity, strategy: str, decisions: list[PairedDecision]) -> DayParity:
    pairs = [each for each in parity.matched.pairs if each.began.subject.strategy == strategy]
    own = {id(each) for each in decisions}
    found = [each for each in parity.differences if id(each.decision) in own]
    causes = dict.fromkeys(CAUSES, 0)
    for each in found:
        _add_parts(causes, each.parts)
    return DayParity(
        MatchedDay(decisions, pairs),
        sum(each.desk.net for each in pairs if each.desk is not None),
        sum(each.backtest.net for each in pairs if each.backtest is not None),
        causes,
        found,
    )


def _result_cause(parts: Parts, decision: PairedDecision) -> DifferenceCause | None:
    """Return the largest cause of the difference in a decision that both sides took.

    It is None where none makes a difference. What the desk's orders tell is named with it.
    """
    if not any(parts.values()):
        return None
    cause = max(parts, key=lambda name: abs(parts[name]))
    told = ""
    if cause in {TIMING, FILL} and decision.trip is not None:
        leg = decision.trip.exit if decision.kind == LEAVE else decision.trip.entry
        # the parts beside it are the twin's, not the real order's
        apart = (leg.twin_ts - leg.ts) // SECOND if leg.twin_ts else 0
        late = "later" if apart > 0 else "earlier"
        twin = f"its twin was filled {abs(apart)} s {late}" if apart else ""
        told = twin or course_text(leg.orders)
    return DifferenceCause(cause, told or RESULTS.get(cause, "filled otherwise"))


def _beginning_parts(pair: TripPair, why: DifferenceCause | None, prices: "_LegPrices") -> Parts:
    """Return the parts of how a pair began; of one that is on one side only all there is."""
    mine, theirs = pair.desk, pair.backtest
    if mine is None or theirs is None:
        # A trip on one side only is a difference as a whole.
        net = mine.net if mine is not None else -theirs.net if theirs is not None else 0
        return {why.cause if why is not None else UNEXPLAINED: net}
    parts = prices.entry_parts(mine, theirs)
    # What neither market nor moment explains: with it the parts add up to the paisa.
    rest = (
        mine.net - theirs.net - sum(parts.values()) - sum(prices.exit_parts(mine, theirs).values())
    )
    _add_parts(parts, {why.cause if why is not None else FILL: rest})
    return parts


def _ending_parts(pair: TripPair, prices: "_LegPrices") -> Parts:
    return (
        {}
        if pair.desk is None or pair.backtest is None
        else prices.exit_parts(pair.desk, pair.backtest)
    )


def _add_parts(parts: Parts, more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        parts[name] = parts.get(name, 0) + amount


class _LegPrices:
    """Takes the prices of two legs apart; amounts are those of the shares that both have."""

    def __init__(self, desk: DeskDay, backtest: BacktestDay) -> None:
        self._desk = desk.bars
        self._backtest = backtest.bars
        self._length = backtest.span * SECOND

    def _price_at(self, bars: Mapping[str, BarSeries], symbol: str, ts: int) -> int:
        return price_at(bars.get(symbol), ts, self._length)

    def entry_parts(self, mine: ParityTrip, theirs: ParityTrip) -> Parts:
        """Return the parts of the entries' difference."""
        shares = min(mine.entry.quantity, theirs.entry.quantity)
        paid = [
            pro_rata(trip.entry.value, shares, trip.entry.quantity) if shares else 0
            for trip in (mine, theirs)
        ]
        at, twin = _twin_part(mine.entry, shares, mine.entry.quantity)
        own, then = (
            self._price_at(self._desk, mine.symbol, at),
            self._price_at(self._backtest, mine.symbol, at),
        )
        other = self._price_at(self._backtest, theirs.symbol, theirs.entry.ts)
        parts = _price_parts(
            -mine.side,
            paid[0] - twin,
            theirs=paid[1],
            own=shares * own,
            then=shares * then,
            other=shares * other,
        )
        cost = _charges_difference(mine.entry, theirs.entry)
        return parts | {TWIN: -mine.side * twin, COST: cost}

    def exit_parts(self, mine: ParityTrip, theirs: ParityTrip) -> Parts:
        """Return the parts of the exits' difference, or of the last prices of trips still held."""
        shares = min(mine.entry.quantity, theirs.entry.quantity)
        worth = [
            pro_rata(trip.exit.value + trip.mark, shares, trip.entry.quantity) if shares else 0
            for trip in (mine, theirs)
        ]
        at, twin = _twin_part(mine.exit, shares, mine.entry.quantity)
        own, then = (
            shares * self._price_at(bars, mine.symbol, at) for bars in (self._desk, self._backtest)
        )
        # What is still held stands at its market, the day's last price: nothing of it is fill.
        if not mine.exit.quantity:
            own, then = worth[0], _last_price(self._backtest, mine.symbol) * shares or worth[0]
        other = worth[1]
        if theirs.exit.quantity:
            other = shares * self._price_at(self._backtest, theirs.symbol, theirs.exit.ts)
        parts = _price_parts(
            mine.side, worth[0] - twin, theirs=worth[1], own=own, then=then, other=other
        )
        cost = _charges_difference(mine.exit, theirs.exit)
        return parts | {TWIN: mine.side * twin, COST: cost}


def _charges_difference(mine: TripLeg, theirs: TripLeg) -> int:
    """Return how much more the backtest's leg was charged, for the shares that both have.

    A leg that only one side has counts whole.
    """
    shares = min(mine.quantity, theirs.quantity)
    if not shares:
        return theirs.charges - mine.charges
    return pro_rata(theirs.charges, shares, theirs.quantity) - pro_rata(
        mine.charges, shares, mine.quantity
    )


def _twin_part(leg: TripLeg, shares: int, of: int) -> tuple[int, int]:
    """Return when a leg's twin was filled, and what `shares` of it came to beyond the twin.

    Without a twin it is when the leg was, and nothing.
    """
    if not leg.twin_ts or not shares:
        return leg.ts, 0
    return leg.twin_ts, pro_rata(leg.value - leg.twin_value, shares, of)


def _price_parts(sign: int, mine: int, theirs: int, own: int, then: int, other: int) -> Parts:
    """Return data, timing and fill of two values and the market's beside them.

    Without all of these everything is fill.
    """
    if not (own and then and other):
        own = then = other = 0
    data, timing = sign * (own - then), sign * (then - other)
    return {DATA: data, TIMING: timing, FILL: sign * (mine - theirs) - data - timing}


def _last_price(bars: Mapping[str, BarSeries], symbol: str) -> int:
    series = bars.get(symbol)
    return round(float(series.close[-1]) * 100) if series is not None and len(series.start) else 0
