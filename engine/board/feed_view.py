"""The feed per instrument on the board: silence, lag, and the minutes it has lost."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from compiled.model.values import MINUTE, SECOND
from compiled.trading.desk_state import InstrumentState
from compiled.trading.kernel import Kernel
from engine.board_rows import FeedRow
from engine.board_writer import BoardWriter

# Thousands may be watched: each look takes a part of them, so that none holds up the engine.
PART: Final = 100
DUE: Final = 20.0
"""Ticks that were due by an instrument's own habit before its silence is a fault of the feed."""
WEIGHT: Final = 0.2
"""Share of the last minute in what is usual."""


class TickHabit(NamedTuple):
    """An instrument's ticks: its count when a minute of it began (ns), and the usual number."""

    began: int
    version: int
    usual: float


class MinuteCounts(NamedTuple):
    """Minutes of today without a bar, and those read afterwards, by token."""

    open: Mapping[int, int]
    healed: Mapping[int, int]


class FeedView:
    """Writes the feed's section of the board; `minutes` counts what is missing.

    A name that is silent for longer than `stale_after` ns is a fault only where ticks were due:
    few instruments of a market trade all the time.
    """

    def __init__(
        self,
        writer: BoardWriter,
        kernel: Kernel,
        stale_after: int,
        minutes: Callable[[], MinuteCounts],
    ) -> None:
        self._writer = writer
        self._kernel = kernel
        self._stale_after = stale_after
        self._minutes = minutes
        self._habits: dict[int, TickHabit] = {}
        self._left: list[InstrumentState] = []
        self._due = 0
        self._counts = MinuteCounts({}, {})

    def publish(self, now: int, steady: int) -> None:
        """Bring the next part up to date; all of them once a second (`steady`, ns) at most."""
        if not self._left:
            # By the machine's time: a fast replay would be looked at without a pause.
            if steady < self._due:
                return
            self._due = steady + SECOND
            self._left = list(self._kernel.state.markets.values())
            self._counts = self._minutes()
        for market in self._left[:PART]:
            row = self._feed_row(market, now)
            self._writer.put(self._writer.board.feed, row.token, row)
        del self._left[:PART]

    def _feed_row(self, market: InstrumentState, now: int) -> FeedRow:
        token, usual = int(market.token), self._usual_ticks(market, now)
        return FeedRow(
            token,
            market.instrument.symbol,
            state=self._feed_state(market, now, usual),
            heard=int(market.heard_at),
            per_minute=round(usual, 1),
            lag=int(market.lag),
            open_minutes=self._counts.open.get(token, 0),
            healed_minutes=self._counts.healed.get(token, 0),
        )

    def _usual_ticks(self, market: InstrumentState, now: int) -> float:
        habit = self._habits.get(int(market.token))
        if habit is None:
            habit = self._habits[int(market.token)] = TickHabit(now, int(market.version), 0.0)
        elif now - habit.began >= MINUTE:
            minutes = (now - habit.began) / MINUTE
            last = (int(market.version) - habit.version) / minutes
            usual = habit.usual + WEIGHT * (last - habit.usual) if habit.usual else last
            habit = self._habits[int(market.token)] = TickHabit(now, int(market.version), usual)
        return habit.usual

    def _feed_state(self, market: InstrumentState, now: int, usual: float) -> str:
        silence = now - int(market.heard_at)
        if not market.instrument.hours.is_trading(now):
            return "quiet"
        if not market.live:
            return "lost"
        if market.is_late:
            return "late"
        if market.is_cold:
            return "cold"
        # What is usual was measured before the silence, and hardly falls during it.
        due = usual * silence / MINUTE
        return "silent" if silence > self._stale_after and due > DUE else "live"


def held_or_traded(market: InstrumentState) -> bool:
    """Return whether something of the desk's goes by an instrument's price."""
    return bool(market.ladders or market.listeners or market.tickers)
