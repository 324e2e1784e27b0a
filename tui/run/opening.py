"""The desk as the screen meets it: its board first, the engine once there is a picture."""

import contextlib
import itertools
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.board_rows import OrderRow
from engine.config.disk_places import watch_lists_file
from engine.errors import BusyError
from engine.market.calendar import ist_day, midnight
from engine.market.instrument_search import FoundInstruments
from engine.operator_requests import EngineRequest, OperatorOutcome, refused
from engine.orders.killswitch import FLATTEN, HALT
from store.decision_trace import trace_decision
from store.listed_rows import time_stamp, write_rows
from store.order_blotter import earlier_orders
from store.strategy_totals import strategy_totals
from tui.attach.screen_standing import ScreenStanding
from tui.run.session import DeskSession
from tui.trace_text import trace_lines

if TYPE_CHECKING:
    from engine.day.replay_status import ReplayStatus
    from engine.desk import Desk
    from tui.run.replay.replay_deck import ReplayDeck


AUTHOR = "operator"
"""The author of what the desk's own screen asks, in the audit log."""


class OpeningDesk:
    """A `DeskPort` that exists before its desk: `begin` opens the station in a thread of its own.

    The kill switch works from the first moment. Requests before the desk runs are refused. `failed`
    is called, in a thread of its own, when the station cannot be opened; `error` holds why. It is
    called as well when the desk ends before it has begun to trade; then the desk's own `error` says
    why. `who` latches and releases the kill switch, `author` asks the engine, on record.
    """

    def __init__(
        self,
        station: DeskSession,
        failed: Callable[[], None] = lambda: None,
        who: str = "screen",
        author: str = AUTHOR,
    ) -> None:
        self.board = station.board
        self.spans = station.spans
        self.error: BaseException | None = None
        self._station = station
        self._failed = failed
        self._who = who
        self._author = author
        self._stopping = False
        # below 0, so that none can be a number of the desk's
        self._numbers = itertools.count(-1, -1)
        self._thread = threading.Thread(target=self._open_session, name="opening")

    @property
    def _running_desk(self) -> "Desk | None":
        # It is there a moment before it turns: what is asked meanwhile waits in its queue.
        return getattr(self._station, "desk", None)

    @property
    def standing(self) -> ScreenStanding:
        """The desk's own screen."""
        return ScreenStanding()

    @property
    def replay(self) -> "ReplayDeck | None":
        """Return the hand on a past day: here it is today."""
        return None

    @property
    def moment(self) -> "ReplayStatus | None":
        """Return the moment of a past day that is played, before whichever screen it is."""
        deck = self._station.deck
        return deck.status() if deck is not None else None

    def begin(self) -> None:
        """Open the station; returns at once."""
        self._thread.start()

    def wait(self) -> "Desk | None":
        """Wait until the station is open; return the desk, None if it could not be opened."""
        # the screen may die before its first picture, and a thread that never began cannot be
        # joined
        if self._thread.ident is not None:
            self._thread.join()
        return self._running_desk

    def _open_session(self) -> None:
        from tui.run.wiring import open_desk  # noqa: PLC0415  the engine, a second: not before the first paint

        try:
            desk = open_desk(self._station)
        except Exception as error:  # noqa: BLE001  a thread's main: the launcher raises it again
            self.error = error
            self._failed()
            return
        # the operator has left while it was opening
        if self._stopping:
            desk.stop()
        threading.Thread(target=self._watch_end, args=(desk,), name="opened", daemon=True).start()

    def _watch_end(self, desk: "Desk") -> None:
        """Wait for the end of the desk: one that could not open leaves nothing to look at."""
        desk.done.wait()
        if desk.error is not None and not desk.opened:
            self._failed()

    def kill(self, flatten: bool, reason: str) -> None:
        """Latch the kill switch at once."""
        self._station.kill.trigger(FLATTEN if flatten else HALT, reason, self._who)

    def resume(self, reason: str) -> None:
        """Let the kill switch go."""
        if self._running_desk is not None:
            self._running_desk.resume(reason, self._who)
        else:
            self._station.kill.resume(reason, self._who)

    def submit(self, request: EngineRequest) -> int:
        """Pass a request on to the desk; one before it runs gets a number below 0."""
        if self._running_desk is not None:
            return self._running_desk.submit(request, self._author)
        return next(self._numbers)

    def outcome(self, number: int) -> OperatorOutcome | None:
        """Return the outcome of a request, None while it is pending."""
        if number < 0:
            return refused("the desk is still opening")
        return self._running_desk.outcome(number) if self._running_desk is not None else None

    def trace(self, key: str) -> list[str]:
        """Return the life of an order as lines.

        A foreign one (key "x…") goes by the broker's id.
        """
        return trace_lines(trace_decision(self._station.database, key.removeprefix("x")))

    def look_at(self, token: int, span: int) -> None:
        """Have the board show more of one instrument."""
        self.board.focus.look_at(token, span)

    @property
    def watch_lists_file(self) -> Path:
        """The lists that every desk of this user shares."""
        return watch_lists_file(os.environ)

    def search(self, text: str, most: int) -> FoundInstruments:
        """Look for instruments over all that the desk can trade."""
        if self._running_desk is None:
            raise BusyError("the desk is still opening")
        return self._running_desk.search(text, most)

    def earlier_orders(self, now: int) -> list[OrderRow]:
        """Return the orders of the days before, as the journal has them."""
        return earlier_orders(self._station.database, midnight(ist_day(now)))

    def strategy_totals(self) -> dict[str, int]:
        """Return what each strategy has earned, as the journal has it."""
        totals = strategy_totals(self._station.database)
        return {name: total.net for name, total in totals.items()}

    def export_rows(self, name: str, rows: Sequence[Sequence[str]]) -> Path:
        """Write a list of the screen to a file of its own in the desk's folder."""
        stamp = time_stamp(self.board.header.now)
        return write_rows(self._station.state / "exports" / f"{name}-{stamp}.csv", rows)

    @property
    def command_options(self) -> Sequence[str]:
        """The configuration this run was given, if it is not the one that is found."""
        return given_configuration(sys.argv)

    def past_commands(self) -> list[str]:
        """Return the lines of before, which stand beside the desk's database."""
        try:
            return self._commands_file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []

    def keep_command(self, line: str) -> None:
        """Keep a line of the command line."""
        # a history that is lost costs nobody anything
        with contextlib.suppress(OSError), self._commands_file.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    @property
    def _commands_file(self) -> Path:
        return self._station.state / "commands.txt"

    def stop(self) -> None:
        """Begin an orderly stop."""
        self._stopping = True
        if self._running_desk is not None:
            self._running_desk.stop()


def given_configuration(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the option that named a configuration, as a command takes it; nothing without one."""
    for at, word in enumerate(arguments):
        name, sign, file = word.partition("=")
        if name == "--config" and (sign or at + 1 < len(arguments)):
            # A screen may be attached from another folder.
            return "--config", str(Path(file if sign else arguments[at + 1]).absolute())
    return ()
