"""The common ground of the bias suite: a run to compare with, moments to look at, comparisons."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, final

import numpy as np

from engine.backtest.backtest_run import StrategyFailure
from engine.backtest.bias.request_trace import (
    BiasSubject,
    Change,
    RequestDifference,
    RequestTrace,
    SuiteStopped,
    first_difference,
    replay_subject,
    unchanged_bars,
)
from engine.backtest.linter.result_linter import Status
from engine.history.bar_series import Ints


class BiasResult(NamedTuple):
    """The finding of a test, in a line; `first` is the first decision that differs."""

    status: Status
    text: str
    first: RequestDifference | None = None


class StopMoments(NamedTuple):
    """Moments (ns UTC) at which a future begins.

    They are openings of sessions, any times, and the last bars of days.
    """

    days: list[int]
    moments: list[int]
    closings: list[int]
    sessions: int

    @property
    def all_moments(self) -> list[int]:
        """Return all of them, in order."""
        return sorted({*self.days, *self.moments, *self.closings})


def plan_moments(
    subject: BiasSubject, reference: RequestTrace, moments: int, seed: int
) -> StopMoments:
    """Return the moments to look at.

    They are ends of sessions, spread evenly, then half right after decisions, half anywhere.
    """
    rng = np.random.default_rng(seed)
    sessions = subject.market.sessions
    opens, closes = (
        np.array(list(sessions.opens), np.int64),
        np.array(list(sessions.closes), np.int64),
    )
    starts = np.unique(np.concatenate([bars.start for bars in subject.series.values()]))
    starts = starts[(starts > opens[0]) & (starts < closes[-1])]
    # Without the first session: before it nothing was decided.
    days = _evenly_chosen(opens[1:], moments)
    # Half of the moments follow a decision: what peeks ahead shows itself where something was
    # decided.
    asked = np.unique(np.array([each.ts for each in reference.asks], np.int64))
    after = (
        starts[np.unique(np.searchsorted(starts, asked[asked <= starts[-1]]))]
        if len(starts)
        else starts
    )
    # Drawn from a seed: the same check of the same run tries the same moments.
    drawn = _drawn_moments(after, (moments + 1) // 2, rng)
    anywhere = _drawn_moments(starts[~np.isin(starts, drawn)], moments - len(drawn), rng)
    return StopMoments(
        days,
        sorted(drawn + anywhere),
        _closing_moments(opens, closes, starts, subject, moments),
        len(opens),
    )


def _evenly_chosen(of: Ints, most: int) -> list[int]:
    """Return at most so many, evenly, the last among them."""
    return sorted({int(of[round(at)]) for at in np.linspace(len(of) - 1, 0, min(most, len(of)))})


def _drawn_moments(of: Ints, most: int, rng: np.random.Generator) -> list[int]:
    return (
        sorted(int(each) for each in rng.choice(of, min(most, len(of)), replace=False))
        if len(of)
        else []
    )


def _closing_moments(
    opens: Ints, closes: Ints, starts: Ints, subject: BiasSubject, most: int
) -> list[int]:
    """Return where some days close.

    It is their last bar, or where the first instrument trades no more but by auction.
    """
    found: list[int] = []
    for k in _evenly_chosen(np.arange(len(opens)), most):
        mine = starts[(starts >= opens[k]) & (starts < closes[k])]
        if not len(mine):
            continue
        last = min(
            [int(each.closes) for each in subject.market.sessions.hours[k].values()],
            default=int(closes[k]),
        )
        first = int(mine[min(int(np.searchsorted(mine, last)), len(mine) - 1)])
        found.append(first)
    return found


@final
class BiasBench:
    """A subject, its requests with all bars, run twice, and its state at the chosen moments."""

    def __init__(
        self,
        subject: BiasSubject,
        reference: RequestTrace,
        again: RequestTrace,
        go_on: Callable[[int], bool],
    ) -> None:
        self.subject = subject
        self.reference = reference
        self.again = again
        self.go_on = go_on

    def compare_repeat(self) -> BiasResult:
        """Compare the two runs."""
        one, two = self.reference, self.again
        # Requests may agree where sizes or prices do not: the digest covers every command and fill.
        if one.asks == two.asks and one.digest == two.digest and not two.failures:
            return BiasResult(
                "pass", f"{len(one.asks):,} requests, digest {one.digest[:12]}, twice"
            )
        first = first_difference(one.asks, two.asks, two.failures)
        if first is None:
            return BiasResult(
                "fail",
                f"the requests are equal, the orders are not: digest {one.digest[:12]}, then "
                f"{two.digest[:12]}",
            )
        return BiasResult("fail", f"the second run differs: {first.text}", first)

    def attempt_replay(
        self,
        change: Change = unchanged_bars,
        stops: Sequence[int] = (),
        *,
        whole: bool = True,
        subject: BiasSubject | None = None,
    ) -> RequestTrace:
        """Replay a changed subject; a replay that cannot be made is a failure of its own."""
        try:
            return replay_subject(subject or self.subject, self.go_on, change, stops, whole=whole)
        # The operator's end is no failure of the strategy.
        except SuiteStopped:
            raise
        except Exception as error:  # noqa: BLE001  a strategy may raise whatever it likes
            return RequestTrace(
                [], {}, refusals={}, failures=[StrategyFailure("", error)], fills=[], digest=""
            )

    def compare_futures(self, changes: Sequence[tuple[int, Change, str]], of: str) -> BiasResult:
        """Run up to each moment with another future, and compare all that was decided by then."""
        if not changes:
            return BiasResult("not run", "there is no such moment in these days")
        if not self.reference.asks:
            return BiasResult("not run", "nothing was asked for")
        worst: tuple[RequestDifference, str] | None = None
        failed = compared = 0
        for at, change, kind in changes:
            # Compared with the second run of all bars, which stopped at the same moments: replays
            # are alike in everything but the future.
            mark = self.again.marks[at]
            trace = self.attempt_replay(change, (at,), whole=False)
            compared += mark.asks
            asked = self.again.asks[: mark.asks]
            first = first_difference(asked, trace.asks, trace.failures)
            # Equal requests and other orders: sizing has seen what the strategy has not.
            if first is None and trace.marks[at].digest != mark.digest:
                first = RequestDifference(
                    at,
                    "",
                    "",
                    f"orders with digest {mark.digest[:12]}",
                    trace.marks[at].digest[:12],
                )
            if first is not None:
                failed += 1
                # The earliest one: what comes later may only follow from it.
                if worst is None or first.ts < worst[0].ts:
                    worst = first, kind
        tried = f"{len(changes)} {of}"
        if worst is None:
            return BiasResult("pass", f"{tried}, {compared:,} requests compared")
        first, kind = worst
        with_kind = f" ({kind})" if kind else ""
        return BiasResult(
            "fail", f"{failed} of {tried} differ{with_kind}; first {first.text}", first
        )
