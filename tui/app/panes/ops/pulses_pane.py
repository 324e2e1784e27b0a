"""Pulses: one line for each thing that can be wrong, the worst first, with its mend."""

from collections.abc import Sequence
from typing import Final

from compiled.model.values import SECOND
from engine.board_rows import ATTENTION, GOOD, WRONG, Board, PulseRow
from engine.live_pulses import STALLED, live_pulses, worst_pulses
from engine.numbers import age, log_time
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View

MARKS: Final = {GOOD: ("●", "dim"), ATTENTION: ("▲", "notice"), WRONG: ("■", "danger")}
"""Form and colour of a state: either alone is enough to tell them apart."""


class PulsesPaneView(View[PulseRow]):
    """One line for each thing; `lag` is the age of the engine's heartbeat (ns)."""

    name = "pulses"
    title = "PULSES"
    help = (
        "Everything that can be wrong: ■ wrong, ▲ in need of attention, ● good. The worst stand "
        "first, with since when and what to do; enter shows it whole. What is over goes back to "
        "its place. The same as `patang status`."
    )
    leads = True
    empty = "the desk is opening"
    columns = (
        PaneColumn("", 1, right=False),
        PaneColumn("what", 12, 16, right=False, names="name"),
        PaneColumn("how it is", 22, 44, right=False),
        PaneColumn("for", 4, rank=1),
        PaneColumn("what to do", 20, 400, right=False, rank=2),
    )

    def __init__(self) -> None:
        self.lag = -1

    def version(self, board: Board) -> int:
        """Return the version of the pulses, and of the heartbeat where it stands still."""
        stalled = self.lag // SECOND + 1 if self.lag >= STALLED else 0
        # The engine's own row is made here, of the header's state.
        return board.pulses.version * 1_000_003 + stalled * 101 + hash(board.header.state) % 97

    def rows(self, board: Board) -> Sequence[PulseRow]:
        """Return the pulses, the worst first."""
        return live_pulses(board, self.lag) if board.pulses.rows else []

    def attention(self, row: PulseRow) -> bool:
        """Return whether it is anything but good."""
        return row.state != GOOD

    def stamp(self, row: PulseRow, now: int) -> int:
        """Return what the age depends on."""
        return (now - row.since) // SECOND if row.state != GOOD else 0

    def cells(self, row: PulseRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one pulse."""
        del widths
        mark, tone = MARKS[row.state]
        # What is well is quiet: the eye finds the other rows at once.
        well = row.state == GOOD
        return (
            PaneCell(mark, tone, still=True),
            PaneCell(row.name, "" if well else tone, still=True),
            PaneCell(row.figure, "dim" if well else "strong", still=True),
            PaneCell("" if well or not row.since else age(now - row.since), "dim", still=True),
            PaneCell(row.mend, "", still=True),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Count what is not good."""
        if not board.pulses.rows:
            return []
        rows = live_pulses(board, self.lag)
        wrong, asking = worst_pulses(rows)
        parts = [PaneCell(f"{wrong} wrong", "danger")] if wrong else []
        parts += [PaneCell(f"{asking} to look at", "notice")] if asking else []
        return parts or [PaneCell(f"all {len(rows)} good", "dim")]


def pulse_text(row: PulseRow) -> str:
    """Return a pulse whole, for a reader."""
    since = f", since {log_time(row.since)} IST" if row.since and row.state != GOOD else ""
    lines = [f"{row.state}{since}", "", row.figure]
    return "\n".join([*lines, "", row.mend] if row.mend else lines)
