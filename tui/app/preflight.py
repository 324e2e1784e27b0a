"""The look before the open: once a day by itself, where prices are real, and by key."""

from collections.abc import Callable
from typing import Final

from engine.board_rows import Board
from engine.market.calendar import ist_day
from tui.app.screens.ops.child_command import child_answer
from tui.app.screens.preflight_card import DOCTOR, PreflightCheck, preflight_checks

PLAYED: Final = frozenset({"SANDBOX", "REPLAY"})
"""Modes whose market is on this machine: there is nothing to be ready for."""
OPENED: Final = frozenset({"running", "read-only", "by hand"})


class PreflightWatch:
    """Knows whether today's look is due, and looks; `unasked` is whether also by itself."""

    def __init__(self, board: Callable[[], Board], *, unasked: bool) -> None:
        self._board = board
        self._unasked = unasked
        self._looked = ""

    def is_due(self) -> bool:
        """Return whether the desk has opened a day that nobody has looked at; once a day."""
        header = self._board().header
        real = self._unasked and header.mode not in PLAYED
        if not real or header.state not in OPENED or header.now <= 0:
            return False
        day = str(ist_day(header.now))
        due, self._looked = day != self._looked, day
        return due

    async def look(self, options: tuple[str, ...]) -> list[PreflightCheck]:
        """Have the doctor look in a process of his own, and add what the desk knows."""
        answer = await child_answer([*DOCTOR, *options])
        return preflight_checks(answer, self._board())
