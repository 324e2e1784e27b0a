"""A run's requests one by one, and replays of its bars to a moment and no further."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Final, NamedTuple, final

import numpy as np

from compiled.indicators import Indicator
from compiled.model.values import SECOND, Bar, OrderType, Side, Tick
from compiled.trading.ladder import LadderPlan
from compiled.trading.order_store import BookedFill
from compiled.trading.strategy import Context, Strategy, StrategyRequest
from compiled.trading.strategy_host import error_text
from engine.backtest.backtest_run import BacktestRun, RunSettings, StrategyFailure
from engine.backtest.dated_symbols import DatedSymbols
from engine.backtest.replayed_bars import replay_bars
from engine.backtest.traded_market import TradedMarket
from engine.history.bar_series import BarSeries
from engine.indian_time import IST
from engine.market.calendar import Calendar
from engine.market.corporate_actions.action_list import AdjustmentStep
from engine.numbers import rupees

Series = Mapping[str, BarSeries]
Change = Callable[[Series], dict[str, BarSeries]]
"""What is done to bars by symbol before a run sees them.

Cut off, replaced by garbage, or nothing.
"""
Make = Callable[[Change], AbstractContextManager[Sequence[Strategy]]]
"""Makes the strategies anew, in a world whose own history is changed in the same way."""


NO_BARS: Final[Series] = MappingProxyType({})


class SuiteStopped(Exception):
    """The operator has ended the suite."""


class ReferenceFailed(Exception):
    """A strategy fails in the plain run: there is nothing to compare with."""

    def __init__(self, failures: Sequence[StrategyFailure]) -> None:
        super().__init__(failures[0].strategy)
        self.failures = failures


class BiasSubject(NamedTuple):
    """A backtest to be checked; `series` are its bars, those of the warm-up included.

    `raw` are unadjusted bars, and `steps` their adjustments with their times; `actions` says
    whether those are known. `newer` are the bars of the next version, `vintages` the names of both.
    `suspects` are nights that look like splits.
    """

    make: Make
    symbols: Mapping[str, Sequence[str]]
    series: Series
    span: int
    market: TradedMarket
    calendar: Calendar
    settings: RunSettings
    actions: bool = False
    raw: Series = NO_BARS
    steps: Mapping[str, Sequence[AdjustmentStep]] = MappingProxyType({})
    suspects: Sequence[str] = ()
    newer: Series = NO_BARS
    vintages: tuple[str, str] = ("", "")
    universe: DatedSymbols | None = None


class TracedRequest(NamedTuple):
    """One request of a strategy: time (ns UTC), strategy and text; `terms` are all its numbers."""

    ts: int
    strategy: str
    symbol: str
    what: str
    terms: tuple[object, ...] = ()

    @property
    def gist(self) -> tuple[int, str, str, str]:
        """Return it without prices and sizes."""
        return self.ts, self.strategy, self.symbol, self.what

    def as_words(self) -> str:
        """Return the request in a few words."""
        return f"{self.what} {' '.join(str(each) for each in self.terms if each != '')}".strip()


class TraceMark(NamedTuple):
    """The state of a run at a moment.

    It is the digest of its commands and fills, and the number of its requests.
    """

    digest: str
    asks: int


class RequestTrace(NamedTuple):
    """A run's requests, its state at chosen moments, its refusals by limits, its failures."""

    asks: list[TracedRequest]
    marks: dict[int, TraceMark]
    refusals: dict[str, int]
    failures: list[StrategyFailure]
    fills: list[BookedFill]
    digest: str


@final
class WitnessStrategy(Strategy):
    """A wrapper of a strategy that shows it the desk, and writes down its requests."""

    def __init__(
        self, inner: Strategy, names: Mapping[int, str], asks: list[TracedRequest]
    ) -> None:
        # The wrapper stands in the strategy's place with the kernel: same name, same bars, same
        # clock.
        super().__init__(inner.name, inner.span, inner.every, inner.wants_ticks)
        self._inner = inner
        self._names = names
        self._asks = asks

    def follow(self, token: int) -> list[Indicator]:
        """Return the indicators of the strategy."""
        return self._inner.follow(token)

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """Show it a bar."""
        self._inner.on_bar(ctx, bar)
        self._note_requests(ctx)

    def on_tick(self, ctx: Context, tick: Tick) -> None:
        """Show it a tick."""
        self._inner.on_tick(ctx, tick)
        self._note_requests(ctx)

    def on_timer(self, ctx: Context, ts: int) -> None:
        """Show it the clock."""
        self._inner.on_timer(ctx, ts)
        self._note_requests(ctx)

    def _note_requests(self, ctx: Context) -> None:
        self._asks += [
            TracedRequest(
                int(ctx.now),
                self.name,
                self._names.get(int(each.token), str(each.token)),
                *_request_words(each),
            )
            for each in ctx.requests
        ]


def _request_words(request: StrategyRequest) -> tuple[str, tuple[object, ...]]:
    plan, change = request.plan, request.change
    if plan is not None:
        return ("long" if request.side is Side.BUY else "short"), (
            *_plan_terms(plan),
            request.reason,
        )
    if request.order is None:
        return "exit", (request.reason,)
    if change is None:
        return "cancel the entry", ()
    return "change the entry", (
        f"{change.quantity} shares, ₹{change.price:g}, trigger ₹{change.trigger:g}",
    )


PLAIN: Final = LadderPlan([], 0)


def _plan_terms(plan: LadderPlan) -> tuple[str, ...]:
    """Return all settings of a plan in words, without those left at their default."""
    entry = plan.entry
    size = f"{plan.quantity} shares" if plan.quantity else f"₹{rupees(int(plan.capital))}"
    risk = f"risk ₹{rupees(int(plan.risk))}" if plan.risk else ""
    swing = f"swing {plan.swing!r}" if plan.swing else ""
    rungs = ", ".join(
        (f"rung +{rung.trigger_percent!r} % " if rung.trigger_percent else "")
        + (f"stop {rung.stop_percent!r} %" if rung.stop_percent else "bare")
        + (f" target {rung.target_percent!r} %" if rung.target_percent else "")
        for rung in plan.rungs
    )
    at = ""
    if entry.order_type is not OrderType.MARKET or entry.validity != PLAIN.entry.validity:
        at = (
            f"{entry.order_type.name} ₹{entry.price!r} trigger ₹{entry.trigger!r} "
            f"{entry.validity.name}"
        )
    rest = _rare_terms(plan)
    others = "" if rest == _rare_terms(PLAIN) else " ".join(f"{each:g}" for each in rest)
    return size, risk, swing, rungs, plan.product.name, at, others


def _rare_terms(plan: LadderPlan) -> tuple[float, ...]:
    """Return the settings that few plans use."""
    entry, terms = plan.entry, plan.entry.terms
    return tuple(
        float(each)
        for each in (
            plan.stop_gap_percent,
            plan.trail,
            plan.trail_step_percent,
            plan.trail_seconds,
            plan.entry_seconds,
            entry.protection,
            terms.variety,
            terms.minutes,
            terms.legs,
            terms.disclosed,
        )
    )


def unchanged_bars(series: Series) -> dict[str, BarSeries]:
    """Return the bars as they are."""
    return dict(series)


def replay_subject(
    subject: BiasSubject,
    go_on: Callable[[int], bool],
    change: Change = unchanged_bars,
    stops: Sequence[int] = (),
    *,
    whole: bool = True,
) -> RequestTrace:
    """Replay a subject's bars and return its requests.

    `go_on` is called with how many bars more are done. The run is looked at before the first bar
    that starts at or after each of `stops` (ns UTC, in order), and ends there unless the `whole` is
    wanted. Raises `SuiteStopped`.
    """
    asks: list[TracedRequest] = []
    marks: dict[int, TraceMark] = {}
    names = {int(each.token): symbol for symbol, each in subject.market.instruments.items()}
    with subject.make(change) as strategies:
        witnesses = [WitnessStrategy(each, names, asks) for each in strategies]
        bars = replay_bars(change(subject.series), subject.market)
        backtest = BacktestRun(
            witnesses,
            subject.symbols,
            bars=bars,
            span=subject.span,
            market=subject.market,
            calendar=subject.calendar,
            settings=subject.settings,
        )
        starts = bars.columns.bars.starts
        reported = 0

        def tell(done: int, _all: int) -> bool:
            nonlocal reported
            more, reported = done - reported, done
            if not go_on(more):
                raise SuiteStopped
            return True

        for stop in stops:
            backtest.play(int(np.searchsorted(starts, stop)), tell)
            marks[stop] = TraceMark(backtest.kernel.digest(), len(asks))
        if whole:
            backtest.run(tell)
        tell(backtest.bars_done, 0)
    failures = backtest.failures
    fills = backtest.fills if whole else []
    return RequestTrace(
        asks,
        marks,
        refusals=dict(backtest.kernel.decisions.refusals),
        failures=failures,
        fills=fills,
        digest=backtest.kernel.digest() if whole else "",
    )


# what differs


class RequestDifference(NamedTuple):
    """The first request that differs.

    It has a time (ns UTC; 0: before any), a strategy, and the request of either run.
    """

    ts: int
    strategy: str
    symbol: str
    before: str
    after: str

    @property
    def text(self) -> str:
        """Return it in a line."""
        whose = " ".join(
            filter(
                None, (clock_text(self.ts) if self.ts else "at once", self.strategy, self.symbol)
            )
        )
        return f"{whose}: {self.before}; in the other run: {self.after}"


NOTHING: Final = "nothing"


def first_difference(
    before: Sequence[TracedRequest],
    after: Sequence[TracedRequest],
    failures: Sequence[StrategyFailure] = (),
) -> RequestDifference | None:
    """Return the first request that two runs do not have in common, in their order.

    `failures` are those of the second.
    """
    # The first place at which they part, or the end of the shorter one.
    n = next(
        (k for k, (one, two) in enumerate(zip(before, after, strict=False)) if one != two),
        min(len(before), len(after)),
    )
    one = before[n] if n < len(before) else None
    two = after[n] if n < len(after) else None
    failed = f"it fails: {' '.join(error_text(failures[0].error).split())}" if failures else ""
    if one is None and two is None:
        return (
            RequestDifference(
                before[-1].ts if before else 0, failures[0].strategy, "", "no failure", failed
            )
            if failed
            else None
        )
    if one is not None and two is not None and one[:3] == two[:3]:
        return RequestDifference(*one[:3], one.as_words(), two.as_words())
    if one is not None and (two is None or one.ts <= two.ts):
        return RequestDifference(*one[:3], one.as_words(), failed or NOTHING)
    return RequestDifference(*two[:3], NOTHING, two.as_words()) if two is not None else None


def requests_apart(
    before: Sequence[TracedRequest], after: Sequence[TracedRequest]
) -> tuple[int, int, TracedRequest | None]:
    """Return the number of requests in only one of two runs, their last time, and the first.

    Prices and sizes are left aside.
    """
    # Counted, not in order: one request more would otherwise shift all that follow.
    one, two = Counter(each.gist for each in before), Counter(each.gist for each in after)
    odd = sorted(((one - two) + (two - one)).elements())
    if not odd:
        return 0, 0, None
    return len(odd), odd[-1][0], TracedRequest(*odd[0])


def clock_text(ts: int) -> str:
    """Return a time (ns UTC) as day and second in IST: 2024-06-04 10:15:00."""
    return str(np.datetime64((ts + IST) // SECOND, "s")).replace("T", " ")
