"""Failed strategies: their tracebacks are kept, and each stays marked until acknowledged."""

import traceback
from collections.abc import Sequence

from compiled.trading.desk_state import StrategyState
from engine.board_rows import FailureRow
from engine.board_writer import BoardWriter
from engine.operator_requests import OperatorOutcome, done, refused
from engine.ports import Clock, Journal
from engine.system import structured_logs

ACT = "strategy_failed"
"""What the audit log calls it; its detail is the traceback."""


class StrategyFailures:
    """The failures of a day's strategies; belongs to the engine's thread."""

    def __init__(
        self, slots: Sequence[StrategyState], writer: BoardWriter, journal: Journal, clock: Clock
    ) -> None:
        self._slots = slots
        self._writer = writer
        self._journal = journal
        self._clock = clock
        # A strategy stays stopped until it is started anew; its traceback is written down once.
        self._told: set[str] = set()

    def record_new(self) -> None:
        """Write down a strategy's errors since the last look, and mark it."""
        for slot in self._slots:
            if slot.error is not None and slot.name not in self._told:
                self._told.add(slot.name)
                self._write_failure(slot, slot.error)

    def _write_failure(self, slot: StrategyState, error: BaseException) -> None:
        # The whole traceback: the alert has one line, which seldom says where.
        now, text = self._clock.now(), "".join(traceback.format_exception(error)).rstrip()
        self._journal.append("audit", {"ts": now, "who": slot.name, "act": ACT, "detail": text})
        structured_logs.log_strategy(slot.name, error)
        self._writer.put(
            self._writer.board.failures,
            slot.name,
            FailureRow(slot.name, now, slot.stopped, tuple(text.splitlines())),
        )

    def forget(self, name: str) -> None:
        """Take the mark of a strategy away that is started anew, so that it may fail anew."""
        self._told.discard(name)
        marked: set[object] = {row.strategy for row in self._writer.board.failures.rows}
        self._writer.keep(self._writer.board.failures, marked - {name})

    def acknowledge(self, name: str) -> OperatorOutcome:
        """Take the mark away."""
        marked: set[object] = {row.strategy for row in self._writer.board.failures.rows}
        if name not in marked:
            there = ", ".join(map(str, sorted(marked, key=str))) or "none"
            return refused(f"{name or 'it'} is not marked; marked: {there}")
        self._writer.keep(self._writer.board.failures, marked - {name})
        return done(f"{name} is no longer marked; it stays stopped")
