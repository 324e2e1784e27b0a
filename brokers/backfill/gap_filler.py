"""The feed's gaps: written down, and read from the history as soon as Kite has it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, final

from brokers.backfill.feed_gaps import FeedGap, merged_gaps, read_gap_bars
from compiled.model.values import MINUTE, SECOND, Bar
from engine.errors import OperatorError
from engine.ports import Clock, Journal

SETTLED: Final = MINUTE + 5 * SECOND
"""How long after a gap its last minute is left alone: Kite still changes its newest one."""
TRIES: Final = 5
DEAD: Final = 10 * SECOND
"""How long to wait for a session that has ended."""


@final
class GapFiller:
    """Filler of gaps, one batch after the other.

    It writes rows in `gaps`, hands bars to `keep`, and a line each to `tell`.

    `history` is `Broker.history`, `held` gives the tokens that go first. A gap that could not be
    read is tried again a minute later, five times in all; while there is no session with the broker
    all of them wait for the next. The kernel gets none of these bars: it decides by the feed alone.
    """

    def __init__(
        self,
        history: Callable[[int, int, int, int], Awaitable[list[Bar]]],
        clock: Clock,
        journal: Journal,
        keep: Callable[[list[Bar]], None],
        tell: Callable[[str, str], None],
        held: Callable[[], Iterable[int]],
        settled: Callable[[FeedGap], None] = lambda _: None,
    ) -> None:
        self._settled = settled
        self._history = history
        self._clock = clock
        self._journal = journal
        self._keep = keep
        self._tell = tell
        self._held = held
        self._waiting: list[FeedGap] = []
        self._known: dict[int, FeedGap] = {}
        """The last gap of each token."""
        self._some = asyncio.Event()

    def note_gaps(self, gaps: Sequence[FeedGap]) -> None:
        """Take gaps that have just ended; on the event loop."""
        if not gaps:
            return
        for gap in gaps:
            # Before it is read: the minutes that lack a bar meanwhile are its own, and not asked
            # for twice.
            self._known[gap.token] = gap
            self._record_gap(gap, "open", 0)
        self._waiting += gaps
        self._some.set()

    def note_missing_minutes(self, gaps: Iterable[FeedGap]) -> None:
        """Take minutes without a bar, except a token's last gap, which is read already."""
        known = self._known
        self.note_gaps(
            [
                gap
                for gap in gaps
                if gap.token not in known
                or not _covers_gap(merged_gaps([known[gap.token]])[0], gap)
            ]
        )

    async def run(self) -> None:
        """Fill until cancelled."""
        while True:
            await self._some.wait()
            # All of them together, when the latest is final: Kite gives three histories a second.
            await self._clock.sleep_until(
                max(gap.end for gap in self._waiting) // MINUTE * MINUTE + SETTLED
            )
            gaps, self._waiting = self._waiting, []
            self._some.clear()
            await self._fill_gaps(gaps)

    async def _fill_gaps(self, gaps: list[FeedGap]) -> None:
        stretches, read = merged_gaps(gaps), dict[FeedGap, int]()

        def take(gap: FeedGap, bars: list[Bar]) -> None:
            read[gap] = len(bars)
            self._keep(bars)
            self._settled(gap)

        left = list(gaps)
        for tried in range(TRIES):
            left = await read_gap_bars(self._read_in_session, left, take, self._held())
            if not left:
                break
            if tried < TRIES - 1:
                await self._clock.sleep_until(self._clock.now() + MINUTE)
        for gap in gaps:
            whole = next((each for each in stretches if _covers_gap(each, gap)), gap)
            self._record_gap(gap, "filled" if whole in read else "unread", read.get(whole, 0))
        lost = f", {len(left)} could not be read" if left else ""
        text = (
            f"the feed missed {len(stretches)} stretches; {sum(read.values())} minutes were "
            f"read{lost}"
        )
        self._tell("warn" if left else "info", text)

    async def _read_in_session(self, token: int, start: int, end: int, span: int) -> list[Bar]:
        """Ask for the history; where the session has ended, ask again in the next."""
        while True:
            try:
                return await self._history(token, start, end, span)
            # The session has ended; the minutes are still there when the next begins, and cost no
            # try.
            except OperatorError:
                await self._clock.sleep_until(self._clock.now() + DEAD)

    def _record_gap(self, gap: FeedGap, state: str, bars: int) -> None:
        self._journal.append(
            "gaps",
            {
                "token": gap.token,
                "began": gap.start,
                "ended": gap.end,
                "state": state,
                "bars": bars,
            },
        )


def _covers_gap(stretch: FeedGap, gap: FeedGap) -> bool:
    return stretch.token == gap.token and stretch.start <= gap.start and gap.end <= stretch.end
