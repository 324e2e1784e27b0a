"""Strategies that have failed: their tracebacks are kept, and each stays marked until somebody has looked."""

import traceback
from collections.abc import Sequence

from compiled.positions import Slot
from engine.ops import logs
from engine.ports import Clock, Journal
from engine.trading.board import Board, FailureRow

ACT = "strategy_failed"
"""What the audit log calls it; its detail is the traceback."""


class Failures:
    """What the strategies of a day have died of; belongs to the engine's thread."""

    def __init__(self, slots: Sequence[Slot], board: Board, journal: Journal, clock: Clock) -> None:
        self._slots = slots
        self._board = board
        self._journal = journal
        self._clock = clock
        self._told: set[str] = set()

    def look(self) -> None:
        """Write down what a strategy has raised since the last look, and mark it."""
        for slot in self._slots:
            if slot.error is not None and slot.name not in self._told:
                self._told.add(slot.name)
                self._keep(slot, slot.error)

    def _keep(self, slot: Slot, error: BaseException) -> None:
        now, text = self._clock.now(), "".join(traceback.format_exception(error)).rstrip()
        self._journal.append("audit", {"ts": now, "who": slot.name, "act": ACT, "detail": text})
        logs.log_strategy(slot.name, error)
        self._board.failures.put(slot.name, FailureRow(slot.name, now, slot.stopped, tuple(text.splitlines())))

    def acknowledge(self, name: str) -> str:
        """Take the mark away, and return the answer to whoever asked for it."""
        marked: set[object] = {row.strategy for row in self._board.failures.rows}
        if name not in marked:
            return f"refused: {name or 'it'} is not marked; marked: {', '.join(map(str, sorted(marked, key=str))) or 'none'}"
        self._board.failures.keep(marked - {name})
        return f"done: {name} is no longer marked; it stays stopped"
