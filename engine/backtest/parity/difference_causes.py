"""The reason of a decision that differs: the first of the rules below that holds.

Facts on record come before inferences: an act of the operator, then of the broker, then known
differences in code or configuration, then known gaps of the desk's feed. Where nothing is on
record, a decision follows from an earlier difference of its strategy in its instrument, or of the
account where the account refused; or it was taken by both at another moment. The rest has no cause.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, final

import numpy as np

from compiled.model.values import NEVER, SECOND
from compiled.trading.desk_state import DRY_RUN
from compiled.trading.risk import REFUSING, LimitScope
from compiled.trading.strategy import OPERATOR as BY_HAND
from compiled.venue.intrabar import path_point
from engine.backtest.parity.day_records import (
    ENTER,
    FAILED,
    GAP,
    HAND,
    KILL,
    LEAVE,
    LIMIT,
    OK,
    BacktestDay,
    DayIncident,
    DeskDay,
    ParityTrip,
    StrategySignal,
)
from engine.backtest.parity.decision_matching import PairedDecision
from engine.history.bar_series import BarSeries, Ints

DATA: Final = "data"
TIMING: Final = "timing"
FILL: Final = "fill"
COST: Final = "cost"
OPERATOR: Final = "operator"
BROKER: Final = "broker"
CODE: Final = "code or configuration"
UNEXPLAINED: Final = "unexplained"
CAUSES: Final = (DATA, TIMING, FILL, COST, OPERATOR, BROKER, CODE, UNEXPLAINED)
"""In the order in which they are shown."""

LOOKS_BACK: Final = 30
"""Bars before a decision in which a differing bar, or a gap, still counts as its cause."""
LIMITS: Final = {code.name: limit.name for code, limit in REFUSING.items()}
"""Which limit an answer is of."""
OF_ACCOUNT: Final = frozenset(
    {"FUNDS", "KILLED", "STRATEGY_STOPPED"}
    | {
        code.name
        for code, limit in REFUSING.items()
        if limit.scope is LimitScope.DESK or limit.scope is LimitScope.STRATEGY
    }
)
"""Answers that depend on everything that was done before, in whatever instrument."""
CLOCK: Final = "timer"
UNHEARD: Final = frozenset({"STALE_DATA", "WARMING"})
FORCED: Final[Mapping[str, tuple[str, str]]] = {
    "flatten": (OPERATOR, "flattened"),
    "operator": (OPERATOR, "left by hand"),
    "written off": (BROKER, "gone from his books"),
}
"""Why a rung was left, where somebody wanted it to be: whose act it was, and what it was."""


class DifferenceCause(NamedTuple):
    """A cause with the facts known of it."""

    cause: str
    text: str


@final
class CauseFinder:
    """The search for causes of a day's decisions.

    They have to be asked for in order of time, each followed by a note of its outcome.
    """

    def __init__(self, desk: DeskDay, backtest: BacktestDay) -> None:
        self._desk = desk
        self._backtest = backtest
        self._length = backtest.span * SECOND
        self._before: dict[tuple[str, str], list[tuple[int, DifferenceCause]]] = {}
        self._prices: dict[tuple[str, str], list[tuple[int, DifferenceCause]]] = {}
        self._last: DifferenceCause | None = None
        self._other: dict[str, Ints] = {}
        self._phases = {
            each.strategy: each.ts % self._length for each in desk.signals if each.asked == CLOCK
        }
        """How long after a bar's end a strategy's clock stands on the desk (ns)."""

    def note_difference(self, decision: PairedDecision, why: DifferenceCause) -> None:
        """Take note of a difference, from which others follow.

        They do as long as either side holds its position, and a while after. Decisions alike but
        filled otherwise have an effect on their ladder: on its further rungs and its stops.
        """
        trips = [trip for trip in (decision.trip, decision.other) if trip is not None]
        if not trips:
            return
        noted, of = self._prices if decision.same else self._before, decision.subject
        until = max(map(_held_until, trips)) + LOOKS_BACK * self._length
        noted.setdefault((of.strategy, of.symbol), []).append((until, why))
        if not decision.same:
            self._last = why

    def cause_of(self, decision: PairedDecision) -> DifferenceCause:
        """Return why a decision is not the same on both sides."""
        of = decision.subject
        return (
            self._operator_cause(decision)
            or self._broker_cause(decision)
            or self._code_cause(of.strategy)
            or self._data_cause(decision, of.symbol)
            or _unfilled_cause(decision)
            # Inferences after facts, and among them what follows from another difference first.
            or self._following_cause(decision, of)
            or _other_moment_cause(decision)
            or self._clock_cause(decision, of.symbol)
            or DifferenceCause(UNEXPLAINED, "nothing on record")
        )

    def _forced_cause(
        self, trip: ParityTrip | None, other: ParityTrip | None
    ) -> DifferenceCause | None:
        """Return why a round trip was left otherwise by an act of the operator or the broker.

        It is None where it was not.
        """
        for each in (trip, other):
            if each is not None and each.exit.quantity and each.reason in FORCED:
                cause, text = FORCED[each.reason]
                return DifferenceCause(cause, self._kill_text(each.exit.ts) or text)
        return None

    # the rules

    def _operator_cause(self, decision: PairedDecision) -> DifferenceCause | None:
        of, signals = (
            decision.subject,
            [each for each in (decision.desk, decision.backtest) if each is not None],
        )
        if of.strategy == BY_HAND:
            return DifferenceCause(OPERATOR, "by hand")
        if (
            forced := self._forced_cause(decision.trip, decision.other)
            if decision.kind == LEAVE
            else None
        ):
            return forced
        kept = decision.desk is None or decision.desk.verdict != OK
        if decision.kind != LEAVE and kept and (text := self._kill_text(decision.ts)):
            return DifferenceCause(OPERATOR, text)
        for signal in signals:
            name = LIMITS.get(signal.verdict)
            for each in self._incidents_at(LIMIT, decision.ts):
                if name and each.about.startswith(name):
                    return DifferenceCause(OPERATOR, each.text)
        for each in self._incidents_at(HAND, decision.ts, of.symbol):
            return DifferenceCause(OPERATOR, each.text)
        return None

    def _broker_cause(self, decision: PairedDecision) -> DifferenceCause | None:
        mine = decision.desk
        if mine is not None and DRY_RUN in mine.refused:
            return DifferenceCause(OPERATOR, "a dry run sends nothing")
        if mine is not None and mine.refused:
            return DifferenceCause(BROKER, f"refused: {mine.refused}")
        if mine is not None and mine.verdict == "NOT_READY":
            return DifferenceCause(BROKER, "the books were not his, or he did not answer")
        if decision.trip is not None and not decision.trip.strategy:
            return DifferenceCause(BROKER, "shares that moved without an order of the desk")
        return None

    def _code_cause(self, strategy: str) -> DifferenceCause | None:
        if text := self._backtest.differs.get(strategy):
            return DifferenceCause(CODE, text)
        return next(
            (
                DifferenceCause(CODE, each.text)
                for each in self._desk.incidents
                if each.what == FAILED and each.strategy == strategy
            ),
            None,
        )

    def _data_cause(self, decision: PairedDecision, symbol: str) -> DifferenceCause | None:
        ts = decision.ts
        if decision.desk is not None and decision.desk.verdict in UNHEARD:
            return DifferenceCause(DATA, decision.desk.detail or "ticks came late, or not at all")
        since = ts - LOOKS_BACK * self._length
        for each in self._desk.incidents:
            if (
                each.what == GAP
                and each.began <= ts
                and each.ended > since
                and each.symbol in {symbol, ""}
            ):
                return DifferenceCause(DATA, each.text)
        other = self._differing_bars(symbol)
        at = np.searchsorted(other, [since, ts])
        if at[1] > at[0]:
            return DifferenceCause(
                DATA, f"{at[1] - at[0]} of the {LOOKS_BACK} bars before it differ"
            )
        return (
            DifferenceCause(DATA, "the backtest began without a history")
            if ts < self._backtest.cold
            else None
        )

    def _following_cause(
        self, decision: PairedDecision, of: StrategySignal | ParityTrip
    ) -> DifferenceCause | None:
        for noted in (self._before,) if decision.kind == ENTER else (self._before, self._prices):
            alive = [
                why
                for until, why in noted.get((of.strategy, of.symbol), [])
                if decision.ts <= until
            ]
            if alive:
                return alive[-1]._replace(text=_after_text(alive[-1].text, of.symbol))
        answers = {each.verdict for each in (decision.desk, decision.backtest) if each is not None}
        if self._last is not None and answers & OF_ACCOUNT:
            return self._last._replace(text=_after_text(self._last.text, "the account"))
        return None

    def _clock_cause(self, decision: PairedDecision, symbol: str) -> DifferenceCause | None:
        """Return whether only one side asked by its clock, and the price has moved by then.

        In a backtest clocks turn at the end of a bar, on a desk whenever they stand so.
        """
        signal = decision.desk or decision.backtest
        if signal is None or signal.asked != CLOCK:
            return None
        at = (
            signal.ts
            if decision.desk is not None
            else signal.ts + self._phases.get(signal.strategy, 0)
        )
        end = at - at % self._length
        if at == end:
            return None
        closed = price_at(self._backtest.bars.get(symbol), end - 1, self._length)
        meant = (
            round(signal.price * 100)
            if decision.desk is not None
            else price_at(self._backtest.bars.get(symbol), at, self._length)
        )
        if not meant or closed == meant:
            return None
        price_text = f"{meant / 100:.2f}, {(at - end) // SECOND} s after the bar"
        return DifferenceCause(
            TIMING,
            f"by the clock: the desk looks at {price_text}; it closed at {closed / 100:.2f}"
            if closed
            else f"by the clock: at {price_text}",
        )

    def _kill_text(self, ts: int) -> str:
        return next((each.text for each in self._incidents_at(KILL, ts)), "")

    def _incidents_at(self, what: str, ts: int, symbol: str = "") -> list[DayIncident]:
        return [
            each
            for each in self._desk.incidents
            if each.what == what
            and each.began <= ts < each.ended
            and (not symbol or each.symbol == symbol)
        ]

    def _differing_bars(self, symbol: str) -> Ints:
        """Return the starts of the bars that are not the same, or only on one side."""
        if symbol not in self._other:
            self._other[symbol] = differing_starts(
                self._desk.bars.get(symbol), self._backtest.bars.get(symbol)
            )
        return self._other[symbol]


def differing_starts(mine: BarSeries | None, theirs: BarSeries | None) -> Ints:
    """Return the starts of the bars whose prices are not the same, or that only one side has.

    None are named where a side has no bars at all: nothing is known then, and no bar differs.
    """
    if mine is None or theirs is None:
        return np.zeros(0, np.int64)
    both, at, there = np.intersect1d(mine.start, theirs.start, return_indices=True)
    other = np.zeros(len(both), np.bool_)
    for one, two in zip(mine[1:5], theirs[1:5], strict=True):
        # Prices of a grid in binary: equal ones may differ in their last bit.
        other |= np.abs(one[at] - two[there]) > 1e-6
    return np.sort(np.concatenate([np.setxor1d(mine.start, theirs.start), both[other]]))


def price_at(series: BarSeries | None, ts: int, length: int) -> int:
    """Return the price (paise) at a moment, by the path of its bar; 0 before the first.

    The path is rule 1 of `docs/fills.md`; `length` of a bar is ns. After the end of a bar, and in
    its last second, the price is its close.
    """
    at = -1 if series is None else int(np.searchsorted(series.start, ts, side="right")) - 1
    if series is None or at < 0:
        return 0
    into = ts - int(series.start[at])
    # The replay is at the close in the last ns alone; a desk's fills are of whole seconds.
    point = 3 if into >= length - SECOND else 3 * into // length
    begun, high, low, close = (float(column[at]) for column in series[1:5])
    # Counted in paise: in rupees rounding noise would decide which extreme is the nearer one.
    to_low = round(begun * 100) - round(low * 100) <= round(high * 100) - round(begun * 100)
    return round(path_point(point, to_low, begun, high, low, close) * 100)


def _held_until(trip: ParityTrip) -> int:
    """Return until when a round trip was held; one that still is has no end."""
    return NEVER // 2 if trip.shares_held > 0 else trip.exit.ts


def _after_text(text: str, where: str) -> str:
    return text if text.startswith("after ") else f"after another in {where}: {text}"


def _unfilled_cause(decision: PairedDecision) -> DifferenceCause | None:
    """Return why both have asked for the same, and only one got it."""
    mine, theirs = decision.desk, decision.backtest
    if mine is None or theirs is None or (mine.verdict, theirs.verdict) != (OK, OK):
        return None
    if (decision.trip is None) == (decision.other is None):
        return None
    return DifferenceCause(
        FILL, f"not filled {'on the desk' if decision.trip is None else 'in the backtest'}"
    )


def _other_moment_cause(decision: PairedDecision) -> DifferenceCause | None:
    """Return why both sides have decided, and not the same.

    They did at another moment, sized at another price, or left for another reason.
    """
    when, then = decision.desk_ts, decision.backtest_ts
    if when is None or then is None:
        return None
    mine, theirs = decision.desk, decision.backtest
    if (
        mine is not None
        and theirs is not None
        and mine.verdict == theirs.verdict
        and mine.price != theirs.price
    ):
        return DifferenceCause(
            TIMING, f"asked at {mine.price:.2f}, the backtest at {theirs.price:.2f}"
        )
    if (
        decision.trip is not None
        and decision.other is not None
        and decision.trip.reason != decision.other.reason
    ):
        return DifferenceCause(
            FILL, f"left by {decision.trip.reason}, in the backtest by {decision.other.reason}"
        )
    if mine is not None and theirs is not None and mine.verdict != theirs.verdict:
        return None
    apart = (when - then) // SECOND
    return (
        DifferenceCause(
            TIMING, f"{abs(apart)} s {'later' if apart > 0 else 'earlier'} than the backtest"
        )
        if apart
        else None
    )
