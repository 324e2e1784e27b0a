"""What the tests of the bias suite share: a run to compare with, the moments to look at it, and how runs are compared."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, final

import numpy as np

from engine.backtest.bias_trace import Change, Difference, Stopped, Subject, Trace, first_difference, play, same
from engine.backtest.linter import Status
from engine.backtest.run import Failure
from engine.history.series import Ints


class Found(NamedTuple):
    """What a test has found, in a line; `first` is the first decision that differs."""

    status: Status
    text: str
    first: Difference | None = None


class Stops(NamedTuple):
    """Moments (ns UTC) at which a future begins: openings of sessions, any, and the last bars of days."""

    days: list[int]
    moments: list[int]
    closings: list[int]
    sessions: int

    @property
    def all(self) -> list[int]:
        """Return all of them, in order."""
        return sorted({*self.days, *self.moments, *self.closings})


def plan(subject: Subject, reference: Trace, moments: int, seed: int) -> Stops:
    """Return where to look: ends of sessions evenly, half of the moments right after decisions, the other half anywhere."""
    rng = np.random.default_rng(seed)
    sessions = subject.market.sessions
    opens, closes = np.array(list(sessions.opens), np.int64), np.array(list(sessions.closes), np.int64)
    starts = np.unique(np.concatenate([bars.start for bars in subject.series.values()]))
    starts = starts[(starts > opens[0]) & (starts < closes[-1])]
    days = _some(opens[1:], moments)
    asked = np.unique(np.array([each.ts for each in reference.asks], np.int64))
    after = starts[np.unique(np.searchsorted(starts, asked[asked <= starts[-1]]))] if len(starts) else starts
    drawn = _drawn(after, (moments + 1) // 2, rng)
    anywhere = _drawn(starts[~np.isin(starts, drawn)], moments - len(drawn), rng)
    return Stops(days, sorted(drawn + anywhere), _closings(opens, closes, starts, subject, moments), len(opens))


def _some(of: Ints, most: int) -> list[int]:
    """Return at most so many, evenly, the last among them."""
    return sorted({int(of[round(at)]) for at in np.linspace(len(of) - 1, 0, min(most, len(of)))})


def _drawn(of: Ints, most: int, rng: np.random.Generator) -> list[int]:
    return sorted(int(each) for each in rng.choice(of, min(most, len(of)), replace=False)) if len(of) else []


def _closings(opens: Ints, closes: Ints, starts: Ints, subject: Subject, most: int) -> list[int]:
    """Return where some days close: their last bar, or where the first instrument trades no more but by auction."""
    found: list[int] = []
    for k in _some(np.arange(len(opens)), most):
        mine = starts[(starts >= opens[k]) & (starts < closes[k])]
        if not len(mine):
            continue
        last = min([int(each.closes) for each in subject.market.sessions.hours[k].values()], default=int(closes[k]))
        first = int(mine[min(int(np.searchsorted(mine, last)), len(mine) - 1)])
        found.append(first)
    return found


@final
class Bench:
    """A subject, what it does with all its bars, twice, and where it stood at the moments that are looked at."""

    def __init__(self, subject: Subject, reference: Trace, again: Trace, go_on: Callable[[int], bool]) -> None:
        self.subject = subject
        self.reference = reference
        self.again = again
        self.go_on = go_on

    def repeated(self) -> Found:
        """Compare the two runs."""
        one, two = self.reference, self.again
        if one.asks == two.asks and one.digest == two.digest and not two.failures:
            return Found("pass", f"{len(one.asks):,} requests, digest {one.digest[:12]}, twice")
        first = first_difference(one.asks, two.asks, two.failures)
        if first is None:
            return Found(
                "fail", f"the requests are equal, the orders are not: digest {one.digest[:12]}, then {two.digest[:12]}"
            )
        return Found("fail", f"the second run differs: {first.text}", first)

    def attempt(
        self, change: Change = same, stops: Sequence[int] = (), *, whole: bool = True, subject: Subject | None = None
    ) -> Trace:
        """Replay something else; what cannot be made there is a failure of its own."""
        try:
            return play(subject or self.subject, self.go_on, change, stops, whole=whole)
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001  a strategy may raise whatever it likes
            return Trace([], {}, {}, [Failure("", error)], [], "")

    def futures(self, changes: Sequence[tuple[int, Change, str]], of: str) -> Found:
        """Run up to each moment with another future, and compare all that was decided by then."""
        if not changes:
            return Found("not run", "there is no such moment in these days")
        if not self.reference.asks:
            return Found("not run", "nothing was asked for")
        worst: tuple[Difference, str] | None = None
        failed = compared = 0
        for at, change, kind in changes:
            mark = self.again.marks[at]
            trace = self.attempt(change, (at,), whole=False)
            compared += mark.asks
            asked = self.again.asks[: mark.asks]
            first = first_difference(asked, trace.asks, trace.failures)
            if first is None and trace.marks[at].digest != mark.digest:
                first = Difference(at, "", "", f"orders with digest {mark.digest[:12]}", trace.marks[at].digest[:12])
            if first is not None:
                failed += 1
                if worst is None or first.ts < worst[0].ts:
                    worst = first, kind
        tried = f"{len(changes)} {of}"
        if worst is None:
            return Found("pass", f"{tried}, {compared:,} requests compared")
        first, kind = worst
        with_kind = f" ({kind})" if kind else ""
        return Found("fail", f"{failed} of {tried} differ{with_kind}; first {first.text}", first)
