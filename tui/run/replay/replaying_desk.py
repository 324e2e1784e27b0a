"""A past day behind the screen, played on, and from its start again to go back."""

import copy
import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from compiled.model.values import MINUTE, SECOND
from engine.day.replay_control import ReplayControl, ReplayGoal
from engine.errors import NothingFound
from engine.operator_requests import EngineRequest, OperatorOutcome, refused
from store.desk_marks import openings
from tui.run.opening import OpeningDesk
from tui.run.recordings import RecordedRun, RecordedRunReader
from tui.run.replay.replay_deck import ReplayDeck
from tui.run.run_records import databases_of
from tui.run.session import DeskSession
from tui.run.settings import calendar_of

if TYPE_CHECKING:
    from engine.config.schema import DeskConfig
    from engine.desk import Desk

MOVING: Final = "the day is on its way to another moment: ask again when it is there"
_LOOK_S: Final = 0.02
"""Between two looks whether a day that is played again has come to its moment."""
_NEAR: Final = 30 * MINUTE
"""How long before its recording a desk may have opened its journal."""


def journal_of(config: "DeskConfig", run: RecordedRun) -> Path | None:
    """Return the journal of the desk that made a recording, None where it is not here."""
    began = RecordedRunReader(run).began
    found = [
        (began - opened, path)
        for path in databases_of(config, run.mode)
        for opened in openings(path, date.fromisoformat(run.day))
        # a second of the recorded exchange may be many of its day
        if -SECOND <= began - opened <= _NEAR
    ]
    return min(found)[1] if found else None


class ReplayingDesk(OpeningDesk):
    """A past day as the screen meets it: what lies behind is reached by playing it again.

    The day is in lockstep, so each playing comes to the same; while one is under way the screen
    keeps the picture of the moment before.
    """

    def __init__(self, station: DeskSession, failed: Callable[[], None]) -> None:
        super().__init__(station, failed)
        run = station.run
        assert run.control is not None, "a day that is watched has a control"
        self._control: ReplayControl = run.control
        day = date.fromisoformat(run.day)
        session = calendar_of(station.config).session(day)
        if session is None:
            raise NothingFound(f"{day} was no trading day")
        journal = None
        if run.recording is not None and not run.practice:
            journal = journal_of(station.configured, run.recording)
        self._deck = station.deck = ReplayDeck(
            self._control,
            day,
            [(phase.name, phase.start) for phase in session.phases],
            session.phases[-1].end,
            play_again=self._play_again,
            journal=journal,
            own_journal=lambda: getattr(station, "database", None),
            score=station.score,
            practice=run.practice,
            by_hand=run.by_hand,
        )
        self._playing: threading.Thread | None = None
        self._wanted: ReplayGoal | None = None
        self._turn = threading.Lock()
        # Far below the numbers of requests to a desk that is still opening.
        self._refused = -1_000_000

    @property
    def replay(self) -> ReplayDeck:
        """Return the hand on the day."""
        return self._deck

    def submit(self, request: EngineRequest) -> int:
        """Pass a request on to the desk; while the day is played again, there is none to ask."""
        if self._deck.moving is not None:
            self._refused -= 1
            return self._refused
        return super().submit(request)

    def outcome(self, number: int) -> OperatorOutcome | None:
        """Return the outcome of a request, None while it is pending."""
        if number < -1_000_000:
            return refused(MOVING)
        return super().outcome(number)

    def look_at(self, token: int, span: int) -> None:
        """Have the boards show more of one instrument: this one, and the one being played to."""
        super().look_at(token, span)
        self._station.board.focus.look_at(token, span)

    def wait(self) -> "Desk | None":
        """Wait until nothing is being opened any more; return the desk of now."""
        super().wait()
        if self._playing is not None:
            self._playing.join()
        return self._running_desk

    def _play_again(self, goal: ReplayGoal) -> None:
        """Play the day from its start to a goal; one that is wanted meanwhile takes its place."""
        with self._turn:
            self._wanted = goal
            if self._playing is not None and self._playing.is_alive():
                return
            self._playing = threading.Thread(target=self._play_wanted, name="playing")
            self._playing.start()

    def _play_wanted(self) -> None:
        try:
            while (goal := self._take_wanted()) is not None:
                self._begin_again(goal)
        except Exception as error:  # noqa: BLE001  a thread's main: the launcher raises it again
            self.error = error
            self._failed()

    def _take_wanted(self) -> ReplayGoal | None:
        # Under the lock to the end: what is wanted after this look finds the thread dead.
        with self._turn:
            goal, self._wanted = self._wanted, None
            if goal is None or self._stopping:
                self._show_played()
                return None
            return goal

    def _begin_again(self, goal: ReplayGoal) -> None:
        from tui.run.wiring import open_desk  # noqa: PLC0415  the engine, a second: not before the first paint

        station, focus = self._station, self.board.focus
        # The picture of before, without the end of its desk.
        self.board = copy.copy(self.board)
        station.begin_again()
        # Book and trades of the same instrument: the screen does not ask for them again.
        station.board.focus.look_at(focus.token, focus.span)
        self._control.begin_again(goal)
        desk = open_desk(station)
        if self._stopping:
            desk.stop()
        while not (self._wanted or self._stopping or desk.done.is_set() or self._is_there(desk)):
            time.sleep(_LOOK_S)

    def _is_there(self, desk: "Desk") -> bool:
        """Return whether the day has come to its moment, and its board shows it."""
        board = self._station.board
        return desk.opened and self._control.goal is None and board.header.now >= self._control.now

    def _show_played(self) -> None:
        self.board = self._station.board
        self._deck.moving = None
