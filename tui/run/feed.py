"""One desk's market: broker and feed, their session, their gaps, and the mode's adapters."""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence

from brokers.backfill.feed_gaps import FeedGap
from brokers.backfill.gap_filler import GapFiller
from brokers.session.session_keeper import SessionKeeper
from compiled.model.values import Bar
from engine.day.budget_guard import BudgetGuard
from engine.day.day_loop import SESSION, DayLoop
from engine.day.desk_clocks import ScaledClock
from engine.day.timekeeper import Timekeeper
from engine.history.minute_gaps import MissingMinutes
from engine.orders.killswitch import HALT
from engine.ports import FeedRecord, Journal
from tui.run.broker import ExchangeLink, connect_broker
from tui.run.exchange_clock import follow_clock
from tui.run.session import DeskSession

KeepBars = Callable[[list[Bar]], None]


class MarketConnection:
    """The configured exchange as the desk meets it; `beside` runs while it is open.

    `totals` (paise) is what strategies may spend by their own parameters. Where the session can be
    renewed a dead token holds entries back until the next login; where it cannot it halts.
    """

    def __init__(
        self,
        station: DeskSession,
        exchange: ExchangeLink,
        journal: Journal,
        keep_bars: KeepBars | None,
        totals: Mapping[str, int],
        record: FeedRecord | None = None,
    ) -> None:
        self.keep_bars = keep_bars
        self._totals = totals
        self._station = station
        self._exchange = exchange
        self._journal = journal
        self._keeper: SessionKeeper | None = None
        self._filler: GapFiller | None = None
        self._loop: DayLoop | None = None
        clock = exchange.clock
        # a stepped clock is the exchange's own: there is nothing to compare it with
        self._timekeeper = Timekeeper(clock) if isinstance(clock, ScaledClock) else None
        heard = self._timekeeper.note_answer if self._timekeeper is not None else None
        self.connection = connect_broker(
            station,
            exchange,
            died=self._token_died,
            on_gap=self._read_missed,
            heard=heard,
            record=record,
        )
        if self._timekeeper is not None:
            # request rates count real seconds, and must not jump with the clock
            self._timekeeper.on_clock_set = self.connection.session.shift_clock
        self.broker, self.feed = self.connection.broker, self.connection.feed

    def session_ends(self) -> int:
        """Return when the session of now ends (ns UTC), 0 for one that does not."""
        session = (
            self._keeper.session if self._keeper is not None else self._exchange.access.session
        )
        return session.expires if session is not None else 0

    def beside(self, loop: DayLoop) -> Iterable[Coroutine[None, None, None]]:
        """Return the work beside an opened day: gaps are filled, the exchange's clock followed.

        Nothing where the exchange waits for us.
        """
        if self._exchange.pacer is not None:
            return []
        self._loop = loop
        access, clock = self._exchange.access, self._exchange.clock
        # the session may have ended in the night before: the day opens without entries
        if self._keeper is not None and not self._keeper.has_session:
            _mark_session(loop, lives=False)
        self._filler = GapFiller(
            self.connection.history,
            clock,
            journal=self._journal,
            keep=self._keep_filled,
            tell=lambda level, text: loop.log.add_event(level, "gap", text),
            held=lambda: [
                int(position.token)
                for position in loop.kernel.ledger.account_positions()
                if position.quantity
            ],
            settled=lambda gap: loop.gaps.note_settled(gap.token, gap.start, gap.end),
        )
        works = [self._filler.run()]
        if self._timekeeper is not None and isinstance(clock, ScaledClock):
            works.append(follow_clock(clock, access.place.rest, self._timekeeper, loop))
        loop.gaps.ended = self._read_lost
        # where nothing but LIMIT orders are taken no strategy buys anything
        margins, bare = self.connection.margins, self.connection.rules.limit_only
        if self._station.sends_real_orders and not bare and margins is not None:
            works.append(BudgetGuard(loop, self.broker.funds, margins, self._totals).run())
        return works

    def throughout(self, loop: DayLoop) -> Iterable[Coroutine[None, None, None]]:
        """Return the keeper of a renewable session, from the first opened day on, in nights too."""
        access = self._exchange.access
        if access.session is None or self._exchange.pacer is not None:
            return []
        self._loop = loop
        self._keeper = SessionKeeper(
            access.session,
            self.connection.session,
            feed=self.feed,
            clock=self._exchange.clock,
            fetch=access.fetch,
            tell=lambda level, text: loop.log.add_event(level, "session", text),
            living=self._session_changed,
        )
        return [self._keeper.run()]

    def _session_changed(self, lives: bool) -> None:
        if self._loop is not None:
            _mark_session(self._loop, lives=lives)

    def _token_died(self) -> None:
        if self._exchange.access.session is None:
            self._station.kill.trigger(HALT, "the access token has died; log in again", "broker")
        elif self._keeper is not None:
            self._keeper.note_token_death()

    def _read_missed(self, gaps: Sequence[FeedGap]) -> None:
        """Have the minutes read that the feed was silent for, where some are due.

        A night is no gap.
        """
        loop = self._loop
        found = [
            gap
            for gap in gaps
            if loop is not None and loop.gaps.due_in(gap.token, gap.start, gap.end)
        ]
        if found and self._filler is not None:
            self._filler.note_gaps(found)

    def _keep_filled(self, bars: list[Bar]) -> None:
        if self.keep_bars is not None:
            self.keep_bars(bars)
        if self._loop is not None:
            self._loop.gaps.note_filled(bars)

    def _read_lost(self, gaps: Sequence[MissingMinutes]) -> None:
        """Have the minutes read that the feed lost without a word."""
        if self._filler is not None:
            self._filler.note_missing_minutes(
                FeedGap(gap.token, gap.start, gap.end) for gap in gaps
            )


def _mark_session(loop: DayLoop, *, lives: bool) -> None:
    """Hold entries back while there is no session; look at the books when there is one again."""
    loop.hold(SESSION, "" if lives else "the session with the broker has ended: run `patang login`")
    # anything may have happened at the broker while nobody could ask
    loop.has_hint = loop.has_hint or lives
