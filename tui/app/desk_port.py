"""The engine as the screen sees it: a board, a latch, a queue of requests, a stop."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from engine.board_rows import Board, OrderRow
from engine.day.replay_control import ReplayUnit
from engine.day.replay_status import ReplayStatus
from engine.market.instrument_search import FoundInstruments
from engine.operator_requests import EngineRequest, OperatorOutcome
from tui.attach.screen_standing import ScreenStanding


class ReplayPort(Protocol):
    """The app's port to a past day that is played; nothing here waits for it.

    Acts raise `PatangError` where they cannot be done.
    """

    def status(self) -> ReplayStatus:
        """Return the moment, and what is marked on the day."""
        ...

    def score(self) -> Sequence[tuple[str, str]]:
        """Return what a practised day comes to so far, by name; nothing where it is watched."""
        ...

    def pause(self) -> None:
        """Hold the day still, or let it go on."""
        ...

    def change_speed(self, by: int) -> None:
        """Take the next faster (1) or slower (-1) pace."""
        ...

    def choose_unit(self) -> None:
        """Take the next unit of a step."""
        ...

    def step(self, way: int) -> None:
        """Go on by a unit, or back (-1)."""
        ...

    def go_next(self, unit: ReplayUnit, way: int) -> None:
        """Go to the next one of a unit, or to the one before (-1)."""
        ...

    def fault_of(self, place: str) -> str:
        """Return why a text names no moment, "" where it may."""
        ...

    def go_to(self, place: str) -> None:
        """Go to a moment: HH:MM, HH:MM:SS, +5m, -30s, start, end, worst, best."""
        ...

    def go_to_time(self, ts: int) -> None:
        """Go to the first moment at or after a time (ns UTC)."""
        ...


class DeskPort(Protocol):
    """The app's port to the engine's desk; nothing here waits for the engine."""

    board: Board
    spans: tuple[int, ...]
    """Bar spans the chart may show, in seconds."""

    @property
    def standing(self) -> ScreenStanding:
        """Return what this screen is to the desk."""
        ...

    @property
    def replay(self) -> ReplayPort | None:
        """Return the hand on a past day that is played; None where the day is today."""
        ...

    @property
    def moment(self) -> ReplayStatus | None:
        """Return the moment of a past day that is played; None where the day is today."""
        ...

    def kill(self, flatten: bool, reason: str) -> None:
        """Set the kill switch at once, from any thread."""
        ...

    def submit(self, request: EngineRequest) -> int:
        """Queue a request for the engine; return its number."""
        ...

    def outcome(self, number: int) -> OperatorOutcome | None:
        """Return the outcome of a request, None while it is pending."""
        ...

    def trace(self, key: str) -> list[str]:
        """Return the life of an order by its key, from the tick behind it on, as lines.

        Read from disk.

        Raises `PatangError` where nothing is on record.
        """
        ...

    def look_at(self, token: int, span: int) -> None:
        """Have the book, the trades and the forming bar of an instrument shown.

        `span` in seconds, 0: as before.
        """
        ...

    @property
    def watch_lists_file(self) -> Path | None:
        """The user's file of watch lists, None where they are kept nowhere."""
        ...

    def search(self, text: str, most: int) -> FoundInstruments:
        """Look for instruments over all that the desk can trade; for a thread, it may wait.

        Raises `PatangError` where the lists cannot be had now.
        """
        ...

    def earlier_orders(self, now: int) -> list[OrderRow]:
        """Return the orders on record of the days before a time (ns UTC), oldest first.

        Read from disk. Raises `PatangError` where it cannot be.
        """
        ...

    def strategy_totals(self) -> Mapping[str, int]:
        """Return what each strategy has earned with the closed trades on record, in paise.

        Read from disk. Raises `PatangError` where it cannot be.
        """
        ...

    def export_rows(self, name: str, rows: Sequence[Sequence[str]]) -> Path:
        """Write rows of texts, the heads first, to a CSV file; return its path.

        Raises `PatangError` where it cannot be written.
        """
        ...

    @property
    def command_options(self) -> Sequence[str]:
        """Options by which a command of the shell finds this desk's configuration."""
        ...

    def past_commands(self) -> list[str]:
        """Return the lines that were given to the screen's command line, oldest first."""
        ...

    def keep_command(self, line: str) -> None:
        """Keep a line for the next time; one that cannot be kept is lost in silence."""
        ...

    def resume(self, reason: str) -> None:
        """Let the kill switch go, from any thread.

        Raise `OperatorError` where the disk does not take that.
        """
        ...

    def stop(self) -> None:
        """Begin an orderly stop and return; an attached screen leaves the desk as it is."""
        ...
