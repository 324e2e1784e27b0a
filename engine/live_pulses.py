"""The pulses as a reader sees them: a board cannot tell that its own writer stands still."""

from typing import Final

from compiled.model.values import SECOND
from engine.board_rows import ATTENTION, GOOD, WRONG, Board, FeedRow, LatencyRow, PulseRow

STALLED: Final = 2 * SECOND
"""A heartbeat older than this means that the engine's loop hangs."""
RANKS: Final = {WRONG: 0, ATTENTION: 1, GOOD: 2}
SLEEPING: Final = frozenset({"starting", "stopped", "failed"})
"""States without a turning engine."""
ENGINE: Final = "engine"
FEED_RANKS: Final = {"lost": 0, "silent": 1, "late": 2, "cold": 3}
"""States of a feed that is not well, the worst first."""
FEEDS: Final = 20


def live_pulses(board: Board, lag: int) -> list[PulseRow]:
    """Return every pulse, the worst first and else as they stand on the board.

    `lag` is the age of the engine's heartbeat (ns), -1 before the first.
    """
    # A stable sort: what is well stays where the eye expects it.
    rows = [engine_pulse(board, lag), *board.pulses.rows[:]]
    return sorted(rows, key=lambda row: RANKS[row.state])


def engine_pulse(board: Board, lag: int) -> PulseRow:
    """Return the pulse of the engine's own loop."""
    header = board.header
    if lag >= STALLED and header.state not in SLEEPING:
        return PulseRow(
            ENGINE,
            WRONG,
            f"stands still for {lag // SECOND} s",
            header.now,
            "All rows here are as old. Protection is at the broker. The watchdog halts the desk; "
            "if it does not come back, end the desk (ctrl+q, or patang stop) and start it again.",
        )
    if header.state == "failed":
        mend = "patang.log has the traceback (the log here shows it); start the desk again."
        return PulseRow(ENGINE, WRONG, "died", header.now, mend)
    return PulseRow(ENGINE, GOOD, "turns" if lag >= 0 else header.state, 0, "")


def times_fields(row: LatencyRow) -> dict[str, object]:
    """Return a step's times for `patang status`; in microseconds."""
    figures = {
        name: getattr(row, name) // 1_000 for name in ("p50", "p90", "p99", "most", "recent")
    }
    return {"step": row.name, "number": row.number, **figures}


def worst_feeds(board: Board, most: int = FEEDS) -> list[FeedRow]:
    """Return the instruments with the worst feed, those that are well left out."""
    ill = [row for row in board.feed.rows[:] if row.state in FEED_RANKS]
    return sorted(ill, key=feed_rank)[:most]


def feed_rank(row: FeedRow) -> tuple[int, int]:
    """Return what the worst feed has least of: its state, then when it was heard."""
    # What is well keeps its place: ages that differ by a tick would shuffle the list all day.
    rank = FEED_RANKS.get(row.state, len(FEED_RANKS))
    return rank, row.heard if row.state in FEED_RANKS else 0


def worst_pulses(rows: list[PulseRow]) -> tuple[int, int]:
    """Return how many are wrong, and how many need attention."""
    return sum(row.state == WRONG for row in rows), sum(row.state == ATTENTION for row in rows)
