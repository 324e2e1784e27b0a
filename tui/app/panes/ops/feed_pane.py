"""The feed by instrument: how long silent, how often it ticks, how late, what it has lost."""

from collections.abc import Sequence
from typing import Final

from compiled.model.values import SECOND
from engine.board_rows import Board, FeedRow
from engine.live_pulses import FEED_RANKS, feed_rank
from engine.numbers import age, count, time_of_day
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View

_TONES: Final = {"lost": "danger", "silent": "danger", "late": "danger", "cold": "notice"}


class FeedPaneView(View[FeedRow]):
    """One line for each instrument, the worst first."""

    name = "feed"
    title = "FEED"
    help = (
        "The feed of each instrument: silent where at least twenty ticks were due by its own "
        "habit, late by the exchange's stamps, cold while its history is read, lost without a "
        "link. Minutes without a bar that were the feed's fault, and those read afterwards."
    )
    leads = True
    empty = "no instrument yet"
    columns = (
        PaneColumn("symbol", 10, 14, right=False, names="symbol"),
        PaneColumn("state", 6, 8, right=False),
        PaneColumn("last tick", 9, 10),
        PaneColumn("age", 4),
        PaneColumn("ticks/min", 9),
        PaneColumn("lag", 7, rank=1),
        PaneColumn("lost min", 8, rank=2),
        PaneColumn("healed", 6, rank=3),
    )

    def version(self, board: Board) -> int:
        """Return the version of the feed."""
        return board.feed.version

    def rows(self, board: Board) -> Sequence[FeedRow]:
        """Return the instruments: those that are not well first, all others in their order."""
        rows = board.feed.rows[:]
        # Not one sort of all: of thousands all but a few are well.
        ill = sorted((row for row in rows if row.state in FEED_RANKS), key=feed_rank)
        return [*ill, *(row for row in rows if row.state not in FEED_RANKS)]

    def attention(self, row: FeedRow) -> bool:
        """Return whether something is wrong with it."""
        return row.state in _TONES

    def stamp(self, row: FeedRow, now: int) -> int:
        """Return what the age depends on: whole seconds."""
        return (now - row.heard) // SECOND

    def cells(self, row: FeedRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one instrument."""
        del widths
        tone = _TONES.get(row.state, "dim")
        return (
            PaneCell(row.symbol),
            PaneCell(row.state, tone, still=True),
            PaneCell(time_of_day(row.heard), "dim", still=True),
            PaneCell(age(now - row.heard) if row.heard else "", tone, still=True),
            PaneCell(f"{row.per_minute:.0f}" if row.per_minute else "", "", still=True),
            PaneCell(_lag_text(row.lag), "dim", still=True),
            PaneCell(count(row.open_minutes) if row.open_minutes else "", "notice", still=True),
            PaneCell(count(row.healed_minutes) if row.healed_minutes else "", "dim", still=True),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Count them, and those that are not well."""
        rows = board.feed.rows[:]
        found: dict[str, int] = {}
        for row in rows:
            if row.state in _TONES:
                found[row.state] = found.get(row.state, 0) + 1
        ill = [PaneCell(f"{n} {state}", _TONES[state]) for state, n in sorted(found.items())]
        return [PaneCell(count(len(rows)), "dim"), *ill] if rows else []


def _lag_text(ns: int) -> str:
    # Stamps are whole seconds: below one nothing is known.
    return "" if ns < SECOND else f"{ns / SECOND:.1f} s"
