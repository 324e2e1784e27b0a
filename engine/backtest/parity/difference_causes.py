"""The reason of a decision that differs: the first of the rules below that holds.

Facts on record come before inferences. Of the facts an act of the operator is first, then of the
broker, then known differences in code or configuration, then bars that make the difference: a
backtest on those that the desk heard decides as the desk did. Then that only one side was filled,
that the two held something else at that moment, that both did it at another moment. Where nothing
is on record, a decision is put down to bars that differ, or to another difference, shortly before.
The rest has no cause.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, final

import numpy as np

from compiled.model.values import NEVER, SECOND
from compiled.trading.desk_state import DRY_RUN
from compiled.trading.risk import REFUSING, LimitScope, rupees
from compiled.trading.strategy import OPERATOR as BY_HAND
from engine.backtest.parity.bar_prices import differing_starts, price_at
from engine.backtest.parity.day_records import (
    CARRIED,
    CLOSED,
    ENTER,
    FAILED,
    GAP,
    HAND,
    HELD,
    INSTRUCTED,
    KILL,
    LEAVE,
    LETTER,
    LIMIT,
    OK,
    BacktestDay,
    DayIncident,
    DeskDay,
    ParityTrip,
    StrategySignal,
)
from engine.backtest.parity.decision_matching import PairedDecision
from engine.backtest.parity.heard_decisions import HeardDecisions
from engine.backtest.parity.order_courses import course_text
from engine.history.bar_series import Ints
from engine.numbers import time_of_day

DATA: Final = "data"
TIMING: Final = "timing"
FILL: Final = "fill"
TWIN: Final = "live beside its twin"
"""In shadow mode: what the market did to a real order that it did not do to its twin."""
COST: Final = "cost"
OPERATOR: Final = "operator"
BROKER: Final = "broker"
CODE: Final = "code or configuration"
UNEXPLAINED: Final = "unexplained"
CAUSES: Final = (DATA, TIMING, FILL, TWIN, COST, OPERATOR, BROKER, CODE, UNEXPLAINED)
"""In the order in which they are shown."""

LOOKS_BACK: Final = 30
"""Bars before a decision in which a differing bar, or a gap, may still be its cause."""
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
HELD_BACK: Final = "holds entries back"
"""Words of the gateway as long as the books are not the broker's, or he does not answer."""
UNHEARD: Final = frozenset({"STALE_DATA", "WARMING"})
FORCED: Final[Mapping[str, tuple[str, str]]] = {
    "flatten": (OPERATOR, "flattened"),
    "operator": (OPERATOR, "left by hand"),
    "written off": (BROKER, "gone from his books"),
}
"""Why a rung was left, where somebody wanted it to be: whose act it was, and what it was."""


LATCHED_BY: Final[Mapping[str, str]] = {
    "(broker)": BROKER,
    "(engine)": CODE,
    "(watchdog)": CODE,
}
"""Who latched the kill switch, where that was not the operator or a limit of his."""


class DifferenceCause(NamedTuple):
    """A cause with the facts known of it.

    `inferred`: nothing on record shows that it was this, only that it can have been.
    """

    cause: str
    text: str
    inferred: bool = False


class NotedDifference(NamedTuple):
    """A difference from which others follow, as long as a side holds its position (until, ns)."""

    ts: int
    until: int
    why: DifferenceCause


@final
class CauseFinder:
    """The search for causes of a day's decisions.

    They have to be asked for in order of time, each followed by a note of its outcome. `heard` is a
    backtest on the bars that the desk heard, where they differ from those of the backtest.
    """

    def __init__(
        self, desk: DeskDay, backtest: BacktestDay, heard: BacktestDay | None = None
    ) -> None:
        self._desk = desk
        self._backtest = backtest
        self._length = backtest.span * SECOND
        self._before: dict[tuple[str, str], list[NotedDifference]] = {}
        self._prices: dict[tuple[str, str], list[NotedDifference]] = {}
        self._last: NotedDifference | None = None
        self._heard = HeardDecisions(desk, backtest, heard) if heard is not None else None
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
        found = NotedDifference(decision.ts, max(map(_held_until, trips)), why)
        noted.setdefault((of.strategy, of.symbol), []).append(found)
        if not decision.same:
            self._last = found

    def cause_of(self, decision: PairedDecision) -> DifferenceCause:
        """Return why a decision is not the same on both sides."""
        of = decision.subject
        return (
            self._operator_cause(decision)
            or self._broker_cause(decision)
            or self._code_cause(of.strategy)
            or self._data_cause(decision, of.symbol)
            or _unfilled_cause(decision)
            or self._following_cause(decision, of)
            or _other_moment_cause(decision)
            or self._clock_cause(decision, of.symbol)
            # Inferences after facts.
            or self._likely_data_cause(decision, of.symbol)
            or self._likely_following_cause(decision, of)
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
                killed = self._kill_cause(each.exit.ts)
                return killed or DifferenceCause(*FORCED[each.reason])
        return None

    # the rules

    def _operator_cause(self, decision: PairedDecision) -> DifferenceCause | None:
        of, signals = (
            decision.subject,
            [each for each in (decision.desk, decision.backtest) if each is not None],
        )
        if of.strategy == BY_HAND:
            return DifferenceCause(OPERATOR, "by hand")
        for each in self._incidents_at(CLOSED, decision.ts):
            return DifferenceCause(OPERATOR, each.text)
        if (
            forced := self._forced_cause(decision.trip, decision.other)
            if decision.kind == LEAVE
            else None
        ):
            return forced
        kept = decision.desk is None or decision.desk.verdict != OK
        if decision.kind != LEAVE and kept and (killed := self._kill_cause(decision.ts)):
            return killed
        for each in self._incidents_at(INSTRUCTED, decision.ts):
            if each.strategy == of.strategy:
                return DifferenceCause(OPERATOR, each.text)
        for signal in signals:
            name = LIMITS.get(signal.verdict)
            for each in self._incidents_at(LIMIT, decision.ts):
                if name and each.about.startswith(name):
                    return DifferenceCause(OPERATOR, each.text)
        for each in self._incidents_at(HAND, decision.ts, of.symbol):
            return DifferenceCause(OPERATOR, each.text)
        return None

    def _broker_cause(self, decision: PairedDecision) -> DifferenceCause | None:
        mine, trip = decision.desk, decision.trip
        refused = mine.refused if mine is not None and trip is None else None
        if refused is not None and DRY_RUN in refused.reason:
            return DifferenceCause(OPERATOR, "a dry run sends nothing")
        if refused is not None and refused.is_unsent:
            # It is the desk's own doing, but not its will: his books, or the rate that he allows.
            cause = BROKER if HELD_BACK in refused.reason else TIMING
            return DifferenceCause(cause, f"not sent: {refused.reason}")
        if refused is not None and refused.is_of_band:
            return DifferenceCause(FILL, f"band: {refused.reason}")
        if refused is not None:
            return DifferenceCause(BROKER, f"refused: {refused.refusal}")
        if decision.kind == LEAVE and trip is not None:
            # An exit that was refused is sent again: the position is left late, or not at all.
            refused = next((order for order in trip.exit.orders if order.is_refused), None)
            if refused is not None:
                return DifferenceCause(BROKER, f"its exit was refused: {refused.refusal}")
            for each in self._desk.incidents:
                if each.what == CARRIED and each.symbol == trip.symbol and not trip.exit.quantity:
                    # else it is the end of the session, to which it came too late
                    return DifferenceCause(BROKER if "broker" in each.text else TIMING, each.text)
        if mine is not None and mine.verdict == "NOT_READY":
            return DifferenceCause(BROKER, "the books were not his, or he did not answer")
        if trip is not None and not trip.strategy:
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
        mine = decision.desk
        if mine is not None and mine.verdict in UNHEARD:
            return DifferenceCause(DATA, mine.detail or "ticks came late, or not at all")
        if mine is not None and mine.verdict == "PRICE_BAND":
            return DifferenceCause(FILL, f"band: {mine.detail}")
        if unheard := self._unheard_text(symbol, decision.ts, 0):
            return DifferenceCause(DATA, unheard)
        if held := self._carried_text(decision, 0):
            return DifferenceCause(DATA, held)
        if self._heard is None or not self._heard.has_decided(decision):
            return None
        back = LOOKS_BACK * self._length
        text = self._unheard_text(symbol, decision.ts, back) or self._bars_text(decision, symbol)
        return DifferenceCause(
            DATA,
            f"{text or 'bars of others differ'}; on what the desk heard the backtest does the same",
        )

    def _likely_data_cause(self, decision: PairedDecision, symbol: str) -> DifferenceCause | None:
        back = LOOKS_BACK * self._length
        text = self._unheard_text(symbol, decision.ts, back) or self._bars_text(decision, symbol)
        if text := text or self._carried_text(decision, back):
            return DifferenceCause(DATA, text, inferred=True)
        cold = decision.ts < self._backtest.cold
        text = "the backtest began without a history"
        return DifferenceCause(DATA, text, inferred=True) if cold else None

    def _carried_text(self, decision: PairedDecision, later: int) -> str:
        """Return that a position of days before was held, or until `later` (ns) before."""
        of = decision.subject
        account = bool(_both_answers(decision) & OF_ACCOUNT)
        return next(
            (
                each.text
                for each in self._desk.incidents
                if each.what == HELD
                and decision.ts < each.ended + later
                # what counts in the account's limits need not be of this instrument
                and (account or (each.strategy, each.symbol) == (of.strategy, of.symbol))
            ),
            "",
        )

    def _bars_text(self, decision: PairedDecision, symbol: str) -> str:
        other = self._differing_bars(symbol)
        since = decision.ts - LOOKS_BACK * self._length
        at = np.searchsorted(other, [since, decision.ts])
        count = at[1] - at[0]
        return f"{count} of the {LOOKS_BACK} bars before it differ" if count else ""

    def _unheard_text(self, symbol: str, ts: int, back: int) -> str:
        """Return what the feed did not bring at a moment, or up to `back` (ns) before it."""
        return next(
            (
                each.text
                for each in self._desk.incidents
                if each.what in {GAP, LETTER}
                and each.began <= ts
                and each.ended > ts - back
                and each.symbol in {symbol, ""}
            ),
            "",
        )

    def _following_cause(
        self, decision: PairedDecision, of: StrategySignal | ParityTrip
    ) -> DifferenceCause | None:
        """Return the difference that the sides still hold, or that the account feels."""
        if noted := self._noted_before(decision, of, 0):
            return _cause_after(noted, of.symbol)
        if self._last is not None and _both_answers(decision) & OF_ACCOUNT:
            mine, theirs = (
                _held_positions(each.trips, decision.ts) for each in (self._desk, self._backtest)
            )
            if mine != theirs:
                found = _cause_after(self._last, "the account")
                ours, his = _positions_text(mine), _positions_text(theirs)
                holds = f"the desk holds {ours}, the backtest {his}"
                return found._replace(text=f"{found.text}; {holds}")
        return None

    def _likely_following_cause(
        self, decision: PairedDecision, of: StrategySignal | ParityTrip
    ) -> DifferenceCause | None:
        """Return a difference that was over shortly before."""
        if noted := self._noted_before(decision, of, LOOKS_BACK * self._length):
            return _cause_after(noted, of.symbol)._replace(inferred=True)
        if self._last is not None and _both_answers(decision) & OF_ACCOUNT:
            return _cause_after(self._last, "the account")._replace(inferred=True)
        return None

    def _noted_before(
        self, decision: PairedDecision, of: StrategySignal | ParityTrip, later: int
    ) -> NotedDifference | None:
        for noted in (self._before,) if decision.kind == ENTER else (self._before, self._prices):
            alive = [
                each
                for each in noted.get((of.strategy, of.symbol), [])
                if decision.ts <= each.until + later
            ]
            if alive:
                return alive[-1]
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

    def _kill_cause(self, ts: int) -> DifferenceCause | None:
        for each in self._incidents_at(KILL, ts):
            who = next((LATCHED_BY[name] for name in LATCHED_BY if each.text.endswith(name)), "")
            return DifferenceCause(who or OPERATOR, each.text)
        return None

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


def _held_until(trip: ParityTrip) -> int:
    """Return until when a round trip was held; one that still is has no end."""
    return NEVER // 2 if trip.shares_held > 0 else trip.exit.ts


def _held_positions(trips: Sequence[ParityTrip], ts: int) -> list[tuple[str, int]]:
    """Return symbol and cost (paise) of what is held at a moment."""
    return sorted(
        (trip.symbol, trip.entry.value) for trip in trips if trip.entry.ts <= ts < _held_until(trip)
    )


def _positions_text(positions: Sequence[tuple[str, int]]) -> str:
    return f"{len(positions)} for {rupees(sum(value for _, value in positions))}"


def _both_answers(decision: PairedDecision) -> set[str]:
    return {each.verdict for each in (decision.desk, decision.backtest) if each is not None}


def _cause_after(noted: NotedDifference, where: str) -> DifferenceCause:
    """Return the cause of what follows from a difference: its own, and which one that was."""
    return noted.why._replace(text=f"after that of {time_of_day(noted.ts)} in {where}")


def _unfilled_cause(decision: PairedDecision) -> DifferenceCause | None:
    """Return why both have asked for the same, and only one got it."""
    mine, theirs = decision.desk, decision.backtest
    if mine is None or theirs is None or (mine.verdict, theirs.verdict) != (OK, OK):
        return None
    if (decision.trip is None) == (decision.other is None):
        return None
    if decision.trip is not None:
        return DifferenceCause(FILL, "not filled in the backtest")
    return DifferenceCause(FILL, course_text(mine.orders) or "not filled on the desk")


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
