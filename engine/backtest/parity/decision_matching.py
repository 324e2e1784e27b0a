"""Which decision of the desk is which of the backtest: by strategy, symbol, side and kind, the nearest in time, in order."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

from compiled.model import SECOND
from engine.backtest.parity.days import ENTER, LEAVE, OK, BacktestDay, DeskDay, Signal, Trip

LATER: Final = 30
"""How many bars one decision may be later than the other and still be the same one, taken at another moment."""
T = TypeVar("T")


class Decision(NamedTuple):
    """One decision as both sides took it, None on the side that did not; an entry, a rung, or that a rung was left.

    `trip` and `other` are the round trips it began or ended on the desk and in the backtest. `same`: both took it within a bar,
    with the same answer and for as many shares, and it was filled on both or on none.
    """

    kind: str
    desk: Signal | None
    backtest: Signal | None
    trip: Trip | None
    other: Trip | None
    same: bool

    @property
    def ts(self) -> int:
        """Return when it was first taken, by whichever side."""
        return min(ts for ts in (self.when, self.then) if ts is not None)

    @property
    def when(self) -> int | None:
        """Return when the desk took it."""
        return _moment(self.kind, self.desk, self.trip)

    @property
    def then(self) -> int | None:
        """Return when the backtest took it."""
        return _moment(self.kind, self.backtest, self.other)

    @property
    def of(self) -> Signal | Trip:
        """Return whichever names its strategy, symbol and side."""
        found = self.desk or self.backtest or self.trip or self.other
        if found is None:
            raise ValueError("a decision of nobody")
        return found


class Pair(NamedTuple):
    """A round trip on both sides, or None on one, with the decisions that began and ended it (None: it is still held)."""

    desk: Trip | None
    backtest: Trip | None
    began: Decision
    ended: Decision | None


class Matched(NamedTuple):
    """All decisions by time, and every round trip of either side once."""

    decisions: list[Decision]
    pairs: list[Pair]

    @property
    def same(self) -> int:
        """Return how many decisions are the same on both sides."""
        return sum(each.same for each in self.decisions)

    @property
    def percent(self) -> float:
        """Return the parity: how many of all decisions of either side are the same; 100 where there are none."""
        return 100.0 * self.same / len(self.decisions) if self.decisions else 100.0


def match(desk: DeskDay, backtest: BacktestDay) -> Matched:
    """Match the decisions of two days and their round trips."""
    within = backtest.span * SECOND
    trips, others = _by_rung(desk.trips), _by_rung(backtest.trips)
    decisions: list[Decision] = []
    pairs: list[Pair] = []
    for mine, theirs in _signals(desk.signals, backtest.signals, within):
        one, two = _taken_out(trips, mine), _taken_out(others, theirs)
        same = mine is not None and theirs is not None and _alike(mine, theirs, within)
        same = same and (one is None) == (two is None)
        sample = mine or theirs
        began = Decision(sample.kind if sample else "", mine, theirs, one, two, same)
        decisions.append(began)
        if one is not None or two is not None:
            pairs.append(_ended(one, two, began, within))
    for one, two in [(trip, None) for each in trips.values() for trip in each] + [
        (None, trip) for each in others.values() for trip in each
    ]:
        began = Decision(ENTER, None, None, one, two, same=False)  # nobody asked for it
        decisions.append(began)
        pairs.append(_ended(one, two, began, within))
    decisions += [pair.ended for pair in pairs if pair.ended is not None]
    return Matched(sorted(decisions, key=lambda each: (each.ts, each.of.symbol, each.kind)), pairs)


def _by_rung(trips: Iterable[Trip]) -> dict[int, list[Trip]]:
    found: dict[int, list[Trip]] = {}
    for trip in trips:
        found.setdefault(trip.rung, []).append(trip)
    return found


def _taken_out(trips: dict[int, list[Trip]], signal: Signal | None) -> Trip | None:
    """Take out the round trip that a signal led to."""
    there = trips.get(signal.rung) if signal is not None and signal.rung else None
    return there.pop(0) if there else None


def _signals(
    mine: Iterable[Signal], theirs: Iterable[Signal], within: int
) -> list[tuple[Signal | None, Signal | None]]:
    """Pair signals of one kind: first within a bar, then those that were answered alike, within `LATER` bars."""
    found: list[tuple[Signal | None, Signal | None]] = []
    left, right = _grouped(mine), _grouped(theirs)
    for key in dict.fromkeys([*left, *right]):
        paired, one, two = nearest(left.get(key, []), right.get(key, []), within, _ts)
        found += paired
        late, one, two = nearest(_taken(one), _taken(two), LATER * within, _ts, (one, two))
        found += late
        found += [(each, None) for each in one]
        found += [(None, each) for each in two]
    return found


def _taken(signals: Sequence[Signal]) -> list[Signal]:
    return [each for each in signals if each.verdict == OK]


def _ts(signal: Signal) -> int:
    return signal.ts


def nearest(
    left: Sequence[T], right: Sequence[T], within: int, moment: Callable[[T], int],
    among: tuple[Sequence[T], Sequence[T]] | None = None,
) -> tuple[list[tuple[T, T]], list[T], list[T]]:  # fmt: skip
    """Pair what lies at most `within` ns apart, in order of time, as many as can be; return what is left besides.

    What is left is taken from `among`, where that is given. For one distance the earliest pairs first leave most.
    """
    one, two = (sorted(each, key=moment) for each in (left, right))
    pairs: list[tuple[T, T]] = []
    i = j = 0
    while i < len(one) and j < len(two):
        apart = moment(one[i]) - moment(two[j])
        if abs(apart) <= within:
            pairs.append((one[i], two[j]))
            i, j = i + 1, j + 1
        elif apart < 0:
            i += 1
        else:
            j += 1
    done = {id(each) for pair in pairs for each in pair}
    rest, other = among or (one, two)
    return pairs, [each for each in rest if id(each) not in done], [each for each in other if id(each) not in done]


def _grouped(signals: Iterable[Signal]) -> dict[tuple[object, ...], list[Signal]]:
    found: dict[tuple[object, ...], list[Signal]] = {}
    for each in signals:
        found.setdefault((each.strategy, each.symbol, each.side, each.kind, each.place), []).append(each)
    return found


def _alike(mine: Signal, theirs: Signal, within: int) -> bool:
    return abs(mine.ts - theirs.ts) <= within and (mine.verdict, mine.quantity) == (theirs.verdict, theirs.quantity)


def _ended(mine: Trip | None, theirs: Trip | None, began: Decision, within: int) -> Pair:
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
        ended = Decision(LEAVE, None, None, mine, theirs, same)
    return Pair(mine, theirs, began, ended)


def _moment(kind: str, signal: Signal | None, trip: Trip | None) -> int | None:
    if kind == LEAVE:
        return trip.exit.ts if trip is not None and trip.exit.quantity else None
    return signal.ts if signal is not None else None if trip is None else trip.entry.ts
