"""Outcomes of the operator's commands: pending until the engine answers, then shown for a while."""

from collections.abc import Callable
from typing import Final

from compiled.model.values import SECOND
from engine.operator_requests import OperatorOutcome
from tui.app.widgets.pane_view import PaneCell

ANSWER_SHOWN: Final = 10 * SECOND
"""How long the footer shows what became of a command."""


class CommandStatus:
    """Commands that wait for an answer, by number, and the last text; times in monotonic ns."""

    def __init__(self) -> None:
        self._pending: dict[int, str] = {}
        self._answer = PaneCell("")
        self._answered_at = -ANSWER_SHOWN

    def await_answer(self, number: int, label: str) -> None:
        """Take note of a command that was handed in."""
        self._pending[number] = label

    def take_outcomes(
        self, outcome_of: Callable[[int], OperatorOutcome | None], now: int
    ) -> list[str]:
        """Take what was answered; return what was not done."""
        failed = []
        for number in list(self._pending):
            outcome = outcome_of(number)
            if outcome is None:
                continue
            text = f"{self._pending.pop(number)}: {outcome}"
            self.show_outcome(text, now, done=outcome.ok)
            failed += [] if outcome.ok else [text]
        return failed

    def show_outcome(self, text: str, now: int, *, done: bool) -> None:
        """Show a line."""
        self._answer, self._answered_at = PaneCell(text, "" if done else "danger"), now

    def cell(self, now: int) -> PaneCell:
        """Return what the footer shows."""
        if self._pending:
            # the newest: it is the one the operator waits for
            number, text = next(reversed(self._pending.items()))
            more = f" (+{len(self._pending) - 1})" if len(self._pending) > 1 else ""
            return PaneCell(f"#{number} {text}: pending{more}", "notice")
        return self._answer if now - self._answered_at < ANSWER_SHOWN else PaneCell("")
