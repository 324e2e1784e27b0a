"""One desk's market: broker and feed, what keeps their session, what fills their gaps, and what a mode makes of them."""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence

from brokers.kite.filling import Filler
from brokers.kite.gaps import Gap
from brokers.kite.keeper import Keeper
from compiled.model import Bar
from engine.ports import FeedRecord, Journal
from engine.trading.budget import Guard
from engine.trading.clock import ScaledClock
from engine.trading.gaps import Missing
from engine.trading.killswitch import HALT
from engine.trading.loop import SESSION, Loop
from engine.trading.timekeeper import Timekeeper
from tui.exchange import Exchange, connect
from tui.pace import keep
from tui.station import Station

KeepBars = Callable[[list[Bar]], None]


class Market:
    """The configured exchange as the desk meets it; `beside` is what has to run while it is open.

    `totals` (paise) is what strategies may spend by their own parameters. Where the session can be renewed a dead token holds entries back until the next login; where it cannot it halts.
    """

    def __init__(
        self,
        station: Station,
        exchange: Exchange,
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
        self._keeper: Keeper | None = None
        self._filler: Filler | None = None
        self._loop: Loop | None = None
        clock = exchange.clock
        self._timekeeper = Timekeeper(clock) if isinstance(clock, ScaledClock) else None
        heard = self._timekeeper.answered if self._timekeeper is not None else None
        self.broker, self.feed = connect(station, exchange, self._died, self._missed, heard, record)
        if self._timekeeper is not None:
            self._timekeeper.moved = self.broker.moved

    def beside(self, loop: Loop) -> Iterable[Coroutine[None, None, None]]:
        """Return what fills the gaps of an opened day, and follows the exchange's clock; nothing where the exchange waits for us."""
        if self._exchange.pacer is not None:
            return []
        self._loop = loop
        access, clock = self._exchange.access, self._exchange.clock
        if self._keeper is not None and not self._keeper.lives:
            _live(loop, lives=False)
        self._filler = Filler(
            self.broker.history, clock, self._journal, self._filled,
            lambda level, text: loop.log.tell(level, "gap", text),
            lambda: [int(position.token) for position in loop.kernel.ledger.account_positions() if position.quantity],
        )  # fmt: skip
        works = [self._filler.run()]
        if self._timekeeper is not None and isinstance(clock, ScaledClock):
            works.append(keep(clock, access.place.rest, self._timekeeper, loop))
        loop.gaps.ended = self._lost
        if self._station.real and not self.broker.rules.limit_only:  # there no strategy buys anything
            works.append(Guard(loop, self.broker.funds, self.broker.margins, self._totals).run())
        return works

    def throughout(self, loop: Loop) -> Iterable[Coroutine[None, None, None]]:
        """Return what keeps the session, where it can be renewed, from the first opened day on, nights and openings included."""
        access = self._exchange.access
        if access.session is None or self._exchange.pacer is not None:
            return []
        self._loop = loop
        self._keeper = Keeper(
            access.session, self.broker, self.feed, self._exchange.clock, access.fetch,
            lambda level, text: loop.log.tell(level, "session", text), self._living,
        )  # fmt: skip
        return [self._keeper.run()]

    def _living(self, lives: bool) -> None:
        if self._loop is not None:
            _live(self._loop, lives=lives)

    def _died(self) -> None:
        if self._exchange.access.session is None:
            self._station.kill.trigger(HALT, "the access token has died; log in again", "broker")
        elif self._keeper is not None:
            self._keeper.died()

    def _missed(self, gaps: Sequence[Gap]) -> None:
        """Have the minutes read that the feed was silent for, where some are due: a night is no gap."""
        loop = self._loop
        found = [gap for gap in gaps if loop is not None and loop.gaps.due_in(gap.token, gap.start, gap.end)]
        if found and self._filler is not None:
            self._filler.note(found)

    def _filled(self, bars: list[Bar]) -> None:
        if self.keep_bars is not None:
            self.keep_bars(bars)
        if self._loop is not None:
            self._loop.gaps.filled(bars)

    def _lost(self, gaps: Sequence[Missing]) -> None:
        """Have the minutes read that the feed lost without a word."""
        if self._filler is not None:
            self._filler.lost(Gap(gap.token, gap.start, gap.end) for gap in gaps)


def _live(loop: Loop, *, lives: bool) -> None:
    """Hold entries back while there is no session; look at the books when there is one again."""
    loop.hold(SESSION, "" if lives else "the session with the broker has ended: run `patang login`")
    loop.hinted = loop.hinted or lives
