"""One backtest: strategies, bars and a market through the desk's kernel."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, Final, NamedTuple, cast, final

import numpy as np

from compiled.backtest.session_loop import RungRecord
from compiled.model.order_terms import DEFAULT_ESCALATION, ExitEscalation
from compiled.model.values import NEVER, Bar
from compiled.trading.decision_log import DecisionRecord
from compiled.trading.desk_state import StrategyState
from compiled.trading.kernel import Kernel, KernelSetup
from compiled.trading.order_store import BookedFill
from compiled.trading.risk import RiskLimits
from compiled.trading.strategy import Strategy
from compiled.venue.slippage import Slippage
from compiled.venue.venue import SimulatedVenue
from engine.backtest.member_strategy import MemberStrategy, Times
from engine.backtest.replayed_bars import ReplayBars
from engine.backtest.run_ticks import ReplayTicks
from engine.backtest.tick_latency import INSTANT, TickLatency
from engine.backtest.traded_market import TradedMarket
from engine.day.opening import DAY_SPAN, DAYS_BACK, fold_minutes
from engine.errors import DataError
from engine.history.bar_series import BarSeries, Ints, day_number, ist_days, numbered_day, to_bars
from engine.market.calendar import Calendar, midnight
from engine.market.order_rules import venue_rules
from engine.system.rare_collections import rare_collections

TAG: Final = "B"


class RunSettings(NamedTuple):
    """The settings of a run besides its data.

    They are the first cash (paise), the limits, and a fill's cost beyond its price. `warm_up` is
    how many sessions before the first are shown to the strategies, `members` when symbols
    may be entered (`MemberStrategy`), none: always; `latency` counts on ticks.
    """

    cash: int
    limits: RiskLimits
    slippage: Slippage
    exits: ExitEscalation = DEFAULT_ESCALATION
    modifies: int = 24
    warm_up: int = 5
    members: Mapping[str, Times] = MappingProxyType({})
    latency: TickLatency = INSTANT


class StrategyFailure(NamedTuple):
    """A strategy that a fault of its own has stopped."""

    strategy: str
    error: BaseException


@final
class BacktestRun:
    """Strategies on bars of `span` seconds, or on ticks.

    `symbols` are those of each strategy by its name; none: all of them. Bars outside a session are
    left out (`dropped_bars` counts them), prices are put on the grid of their instrument. Of ticks
    `span` is that of the bars before them.
    """

    def __init__(
        self,
        strategies: Sequence[Strategy],
        symbols: Mapping[str, Sequence[str]],
        bars: ReplayBars | ReplayTicks,
        span: int,
        market: TradedMarket,
        calendar: Calendar,
        settings: RunSettings,
    ) -> None:
        # A replay goes through the sessions once: a second run of one market needs its own.
        self.market = market = market.since()
        self.settings = settings
        self.span = span
        sessions, instruments = market.sessions, market.instruments
        self.opens: Ints = np.array(list(sessions.opens), np.int64)
        self.closes: Ints = np.array(list(sessions.closes), np.int64)
        self.dropped_bars = bars.dropped
        """Bars of the days that are replayed and lie outside their session."""
        tokens = {symbol: int(each.token) for symbol, each in instruments.items()}
        traded = bars.traded(instruments)
        names = [each.symbol for each in traded]
        times = {tokens[name]: spans for name, spans in settings.members.items() if name in tokens}
        slots = [
            StrategyState(
                MemberStrategy(each, times) if times else each,
                [tokens[name] for name in symbols.get(each.name) or names if name in names],
            )
            for each in strategies
        ]
        setup = KernelSetup(
            int(self.opens[0]),
            int(self.closes[0]),
            cash=settings.cash,
            limits=settings.limits,
            spans=bars.spans({int(each.span) for each in strategies}),
            tag_prefix=TAG,
            grace=bars.grace,
            hours=sessions.hours[0],
            modifies=settings.modifies,
            exits=settings.exits,
        )
        self.kernel = Kernel(setup, traded, slots, sessions.rates[0])
        rules = venue_rules(market.days[-1], settings.latency.least)
        rules.to_exchange += settings.latency.later
        rules.jitter = settings.latency.jitter()
        # As on a desk, or the venue would refuse stops that a desk does not ask for.
        self.kernel.order_store.trigger_distance = rules.trigger_distance.with_clearance()
        venue = SimulatedVenue(traded, rules, settings.slippage)
        self.warmed_sessions = self._warm_strategies(bars.warm, slots, calendar)
        """Sessions that the strategies have heard before the first."""
        self.passage = bars.passage(self.kernel, venue, market, span)

    @property
    def series(self) -> Mapping[str, BarSeries]:
        """Return the bars that were replayed, or the minutes that ticks have made, by symbol."""
        return self.passage.series

    @property
    def bars(self) -> int:
        """Return how many bars there are, or messages of ticks."""
        return self.passage.total

    @property
    def bars_done(self) -> int:
        """Return how many bars or ticks have been replayed."""
        return self.passage.done

    @property
    def failures(self) -> list[StrategyFailure]:
        """Return the strategies that have failed."""
        return [
            StrategyFailure(slot.name, slot.error)
            for slot in self.kernel.state.slots
            if slot.error is not None
        ]

    def keep_decisions(self) -> None:
        """Keep every decision in `decisions`; call it before `run`.

        Bare positions then are positions like others.
        """
        self.passage.keep_decisions()

    def run(self, go_on: Callable[[int, int], bool] = lambda *_: True) -> bool:
        """Replay everything; return whether all of it was.

        `go_on` is asked between parts, with bars done and all.
        """
        self.play(NEVER, go_on)
        self._result = self.passage.finish()
        return self.passage.is_over

    def play(self, until: int, go_on: Callable[[int, int], bool] = lambda *_: True) -> None:
        """Replay until so many bars are done, or a strategy fails, or `go_on` says no.

        The end is still to come.
        """
        passage = self.passage
        with rare_collections():
            while not passage.is_over and passage.done < until:
                passage.advance(until - passage.done)
                # A backtest without one of its strategies would be a result of something else.
                if self.failures:
                    break
                if not passage.is_over and not go_on(passage.passed, passage.total):
                    break

    # what came of it

    @property
    def digest(self) -> str:
        """Return the hash over every command and fill."""
        return self._result.digest

    @property
    def fills(self) -> list[BookedFill]:
        """Return the fills, in order."""
        return self._result.fills

    @property
    def rungs(self) -> list[RungRecord]:
        """Return the facts of rungs that their fills do not have."""
        return self._result.rungs

    @property
    def decisions(self) -> list[DecisionRecord]:
        """Return the decisions with their answers; all of them after `keep_decisions`."""
        return self.kernel.decisions.fresh

    @property
    def notes(self) -> list[list[int]]:
        """Return the lines of each session's contract notes (`DayNotes.lines`)."""
        return self._result.notes

    @property
    def curve(self) -> tuple[Ints, Ints]:
        """Return times (ns) and P&L after charges (paise), a point for each moment with a bar."""
        points = self.passage.points
        times, equity = (
            np.frombuffer(cast("Any", packed), np.int64)
            for packed in (self._result.times, self._result.equity)
        )
        return times[:points], equity[:points]

    def _warm_strategies(
        self, series: Mapping[str, BarSeries], slots: Sequence[StrategyState], calendar: Calendar
    ) -> int:
        """Show the strategies the sessions before the first, at most those that are asked for.

        Return their number.
        """
        wanted = {int(slot.span) for slot in slots}
        if not series:
            return 0
        days = np.unique(np.concatenate([ist_days(bars.start) for bars in series.values()]))
        back = (
            DAYS_BACK
            # Averages of days need more than the sessions that serve minutes.
            if DAY_SPAN in wanted
            else self.settings.warm_up + int((days == day_number(self.market.days[0])).any())
        )
        days = (
            days[days >= day_number(self.market.days[0] - timedelta(days=DAYS_BACK))][-back:]
            if back
            else days[:0]
        )
        if not len(days):
            return 0
        opens = _session_opens(calendar, [numbered_day(int(day)) for day in days])
        bars: list[Bar] = []
        for symbol, each in series.items():
            token = int(self.market.instruments[symbol].token)
            rows = each.pick(slice(int(np.searchsorted(ist_days(each.start), days[0])), None))
            heard = to_bars(
                rows._replace(token=np.full(len(rows.start), token, np.int64)), self.span
            )
            for span in wanted:
                bars += heard if span == self.span else fold_minutes(heard, span, opens)
        # A strategy hears a bar when it closes: of two that close together the shorter comes first.
        bars.sort(key=lambda bar: (bar.end, bar.span, bar.token))
        self.kernel.strategy_host.warm_up(bars)
        return len(days)


def _session_opens(calendar: Calendar, days: Sequence[date]) -> list[int]:
    """Return when each part of the days opens, ns UTC.

    Of a day that the calendar does not know, it is midnight.
    """
    opens: list[int] = []
    for day in days:
        try:
            session = calendar.session(day)
        except DataError:
            session = None
        opens += [part.start for part in session.parts] if session is not None else [midnight(day)]
    return opens
