"""The pairing of the desk's decisions with the backtest's.

Within a strategy, symbol, side and kind, the nearest in time are paired, in order.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

from compiled.model.values import SECOND
from engine.backtest.parity.day_records import (
    ENTER,
    LEAVE,
    OK,
    BacktestDay,
    DeskDay,
    ParityTrip,
    StrategySignal,
)

LATER: Final = 30
"""Bars by which one decision may be later than the other and still be the same one."""
T = TypeVar("T")


class PairedDecision(NamedTuple):
    """One decision of both sides, None on the side without it.

    It is an entry, a rung, or the end of a rung. `trip` and `other` are the round trips it began or
    ended on the desk and in the backtest. `same`: both took it within a bar, with the same answer
    and for as many shares, and it was filled on both or on none.
    """

    kind: str
    desk: StrategySignal | None
    backtest: StrategySignal | None
    trip: ParityTrip | None
    other: ParityTrip | None
    same: bool

    @property
    def ts(self) -> int:
        """Return when it was first taken, by whichever side."""
        return min(ts for ts in (self.desk_ts, self.backtest_ts) if ts is not None)

    @property
    def desk_ts(self) -> int | None:
        """Return when the desk took it."""
        return _decision_ts(self.kind, self.desk, self.trip)

    @property
    def backtest_ts(self) -> int | None:
        """Return when the backtest took it."""
        return _decision_ts(self.kind, self.backtest, self.other)

    @property
    def subject(self) -> StrategySignal | ParityTrip:
        """Return whichever names its strategy, symbol and side."""
        found = self.desk or self.backtest or self.trip or self.other
        if found is None:
            raise ValueError("a decision of nobody")
        return found


class TripPair(NamedTuple):
    """A round trip on both sides, or None on one, with its decisions.

    They are those that began and ended it (None: it is still held).
    """

    desk: ParityTrip | None
    backtest: ParityTrip | None
    began: PairedDecision
    ended: PairedDecision | None


class MatchedDay(NamedTuple):
    """All decisions by time, and every round trip of either side once."""

    decisions: list[PairedDecision]
    pairs: list[TripPair]

    @property
    def same(self) -> int:
        """Return how many decisions are the same on both sides."""
        return sum(each.same for each in self.decisions)

    @property
    def percent(self) -> float:
        """Return the parity: the percentage of all decisions of either side that are the same.

        It is 100 where there are none.
        """
        return 100.0 * self.same / len(self.decisions) if self.decisions else 100.0


def match_days(desk: DeskDay, backtest: BacktestDay) -> MatchedDay:
    """Match the decisions of two days and their round trips."""
    within = backtest.span * SECOND
    trips, others = _trips_by_rung(desk.trips), _trips_by_rung(backtest.trips)
    decisions: list[PairedDecision] = []
    pairs: list[TripPair] = []
    for mine, theirs in _pair_signals(desk.signals, backtest.signals, within):
        one, two = _take_trip(trips, mine), _take_trip(others, theirs)
        same = mine is not None and theirs is not None and _are_alike(mine, theirs, within)
        same = same and (one is None) == (two is None)
        sample = mine or theirs
        began = PairedDecision(
            sample.kind if sample else "", mine, backtest=theirs, trip=one, other=two, same=same
        )
        decisions.append(began)
        if one is not None or two is not None:
            pairs.append(_ended_pair(one, two, began, within))
    for one, two in [(trip, None) for each in trips.values() for trip in each] + [
        (None, trip) for each in others.values() for trip in each
    ]:
        began = PairedDecision(ENTER, None, None, one, two, same=False)  # nobody asked for it
        decisions.append(began)
        pairs.append(_ended_pair(one, two, began, within))
    decisions += [pair.ended for pair in pairs if pair.ended is not None]
    return MatchedDay(
        sorted(decisions, key=lambda each: (each.ts, each.subject.symbol, each.kind)), pairs
    )


def _trips_by_rung(trips: Iterable[ParityTrip]) -> dict[int, list[ParityTrip]]:
    found: dict[int, list[ParityTrip]] = {}
    for trip in trips:
        found.setdefault(trip.rung, []).append(trip)
    return found


def _take_trip(
    trips: dict[int, list[ParityTrip]], signal: StrategySignal | None
) -> ParityTrip | None:
    """Take out the round trip that a signal led to."""
    there = trips.get(signal.rung) if signal is not None and signal.rung else None
    return there.pop(0) if there else None


def _pair_signals(
    mine: Iterable[StrategySignal], theirs: Iterable[StrategySignal], within: int
) -> list[tuple[StrategySignal | None, StrategySignal | None]]:
    """Pair signals of one kind: within a bar, then those answered alike, within `LATER` bars."""
    found: list[tuple[StrategySignal | None, StrategySignal | None]] = []
    left, right = _signals_by_key(mine), _signals_by_key(theirs)
    for key in dict.fromkeys([*left, *right]):
        paired, one, two = pair_nearest(left.get(key, []), right.get(key, []), within, _signal_ts)
        found += paired
        late, one, two = pair_nearest(
            _accepted_signals(one), _accepted_signals(two), LATER * within, _signal_ts, (one, two)
        )
        found += late
        found += [(each, None) for each in one]
        found += [(None, each) for each in two]
    return found


def _accepted_signals(signals: Sequence[StrategySignal]) -> list[StrategySignal]:
    return [each for each in signals if each.verdict == OK]


def _signal_ts(signal: StrategySignal) -> int:
    return signal.ts


def pair_nearest(
    left: Sequence[T],
    right: Sequence[T],
    within: int,
    moment: Callable[[T], int],
    among: tuple[Sequence[T], Sequence[T]] | None = None,
) -> tuple[list[tuple[T, T]], list[T], list[T]]:
    """Pair items at most `within` ns apart, in order of time, as many as can be; return the rest.

    The rest is taken from `among`, where that is given. For one distance the earliest pairs first
    leave most.
    """
    one, two = (sorted(each, key=moment) for each in (left, right))
    pairs: list[tuple[T, T]] = []
    i = j = 0
    while i < len(one) and j < len(two):
        apart = moment(one[i]) - moment(two[j])
        # Earliest with earliest: any other pairing leaves one more without a partner.
        if abs(apart) <= within:
            pairs.append((one[i], two[j]))
            i, j = i + 1, j + 1
        elif apart < 0:
            i += 1
        else:
            j += 1
    # By identity: two decisions of one second may be equal in every field.
    done = {id(each) for pair in pairs for each in pair}
    rest, other = among or (one, two)
    return (
        pairs,
        [each for each in rest if id(each) not in done],
        [each for each in other if id(each) not in done],
    )


def _signals_by_key(
    signals: Iterable[StrategySignal],
) -> dict[tuple[object, ...], list[StrategySignal]]:
    found: dict[tuple[object, ...], list[StrategySignal]] = {}
    for each in signals:
        found.setdefault((each.strategy, each.symbol, each.side, each.kind, each.place), []).append(
            each
        )
    return found


def _are_alike(mine: StrategySignal, theirs: StrategySignal, within: int) -> bool:
    return abs(mine.ts - theirs.ts) <= within and (mine.verdict, mine.quantity) == (
        theirs.verdict,
        theirs.quantity,
    )


def _ended_pair(
    mine: ParityTrip | None, theirs: ParityTrip | None, began: PairedDecision, within: int
) -> TripPair:
    left = [trip is not None and trip.exit.quantity > 0 for trip in (mine, theirs)]
    ended = None
    if any(left):
        same = (
            mine is not None
            and theirs is not None
            and all(left)
            and abs(mine.exit.ts - theirs.exit.ts) <= within
            and (mine.reason, mine.exit.quantity) == (theirs.reason, theirs.exit.quantity)
        )
        ended = PairedDecision(LEAVE, None, backtest=None, trip=mine, other=theirs, same=same)
    return TripPair(mine, theirs, began, ended)


def _decision_ts(kind: str, signal: StrategySignal | None, trip: ParityTrip | None) -> int | None:
    if kind == LEAVE:
        return trip.exit.ts if trip is not None and trip.exit.quantity else None
    return signal.ts if signal is not None else None if trip is None else trip.entry.ts
