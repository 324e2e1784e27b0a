"""A desk in another process, as the screen sees it.

What the port offers is found on `DeskPort` itself: a member that is not written out here goes to
the desk and back as it stands there.
"""

import inspect
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, cast, get_type_hints

from engine import errors
from engine.board_rows import Board
from engine.config.disk_places import watch_lists_file
from engine.day.replay_status import ReplayStatus
from engine.errors import OperatorError, PatangError
from engine.operator_requests import EngineRequest, OperatorOutcome
from store.listed_rows import time_stamp, write_rows
from tui.app.desk_port import DeskPort, ReplayPort
from tui.attach.desk_link import DeskLink, ScreenPass
from tui.attach.screen_messages import LOOKS, decode_raw
from tui.attach.screen_standing import REFUSED, ScreenStanding

KILL_S: Final = 1.0
"""How long the kill key waits to hear that the switch holds; it goes on by itself."""
ELSEWHERE: Final = "a past day is gone about in on its own screen"
MOMENT: Final = "moment"
UNAWAITED: Final = frozenset({"keep_command"})
"""Calls whose answer nobody reads."""


class RemoteDesk:
    """A `DeskPort` at the end of a link; `kill` latches the desk of that place, by any way."""

    def __init__(
        self, folder: Path, credentials: ScreenPass, kill: Callable[[bool, str], str]
    ) -> None:
        self._folder = folder
        self._role = credentials.role
        self._kill = kill
        self.link = DeskLink(folder / "desk.sock", credentials, PORT_VALUES)

    @property
    def board(self) -> Board:
        """The copy of the desk's board."""
        return self.link.board

    @property
    def standing(self) -> ScreenStanding:
        """The role, and what is wrong with the picture."""
        return ScreenStanding(self._role, self.link.trouble)

    @property
    def replay(self) -> ReplayPort | None:
        """Return the hand on a past day, which from here can only be seen."""
        return cast("ReplayPort", SeenReplay(self)) if self.moment is not None else None

    @property
    def moment(self) -> ReplayStatus | None:
        """Return the moment of a past day that is played; None where the day is today."""
        told = self.link.values.get(MOMENT)
        return None if told is None else decode_raw(told, ReplayStatus | None)

    def kill(self, flatten: bool, reason: str) -> None:
        """Latch the kill switch as `patang kill` does, also where the desk hangs.

        A viewer may as well: whoever can start a process of this user can. Raises `OperatorError`
        where it is known at once that it does not hold.
        """
        told: list[str] = []
        thread = threading.Thread(
            target=lambda: told.append(self._kill(flatten, reason)), name="kill", daemon=True
        )
        thread.start()
        # A desk that hangs is reached by its file and a signal, which takes longer.
        thread.join(KILL_S)
        if told and told[0]:
            raise OperatorError(told[0])

    def submit(self, request: EngineRequest) -> int:
        """Send a request; the desk itself refuses a viewer's."""
        return self.link.submit(request)

    def outcome(self, number: int) -> OperatorOutcome | None:
        """Return the outcome of a request, None while it is pending."""
        return self.link.outcome(number)

    def look_at(self, token: int, span: int) -> None:
        """Have the copy show more of one instrument."""
        focus = self.board.focus
        before = focus.token, focus.span
        focus.look_at(token, span)
        if before != (focus.token, focus.span):
            self.link.look()

    def export_rows(self, name: str, rows: Sequence[Sequence[str]]) -> Path:
        """Write a list of the screen on this side, into the folder of the desk's exports."""
        stamp = time_stamp(self.board.header.now)
        return write_rows(self._folder / "exports" / f"{name}-{stamp}.csv", rows)

    @property
    def watch_lists_file(self) -> Path:
        """The lists of whoever sits here."""
        return watch_lists_file(os.environ)

    def stop(self) -> None:
        """Leave the desk: it goes on."""
        self.link.close()

    def call(self, method: str, arguments: Sequence[object], result: Any) -> Any:
        """Call a method of the desk's port and return its result.

        Raises what the desk has raised, `OperatorError` for what a viewer may not, and
        `ConnectionFailed` where no answer comes.
        """
        # Refused by the desk as well: here it saves a turn, and a key that waits.
        if self._role == "viewer" and method not in LOOKS:
            raise OperatorError(REFUSED)
        number = self.link.begin_call(method, arguments)
        if method in UNAWAITED:
            return None
        answer = self.link.await_answer(number)
        if answer.error:
            raise _raised_error(answer.error, answer.text)
        return decode_raw(answer.result, result)

    def value(self, name: str, kind: Any) -> Any:
        """Return a plain value of the desk's port as it was told last."""
        return decode_raw(self.link.values[name], kind)


class SeenReplay:
    """A `ReplayPort` of a screen that shares its day with others: only its own one moves it."""

    def __init__(self, desk: RemoteDesk) -> None:
        self._desk = desk

    def status(self) -> ReplayStatus:
        """Return the moment, and what is marked on the day."""
        moment = self._desk.moment
        assert moment is not None, "without a day that is played there is no hand on it"
        return moment

    def score(self) -> Sequence[tuple[str, str]]:
        """Return nothing: whoever practises has the score."""
        return ()

    def fault_of(self, place: str) -> str:
        """Return why a text names no moment: from here none does."""
        del place
        return ELSEWHERE

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Return an act of the port, whichever it is: from here it is refused."""

        def refuse(*_: object) -> None:
            raise OperatorError(ELSEWHERE)

        return refuse


def _raised_error(name: str, text: str) -> PatangError:
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, PatangError):
        return kind(text)
    return OperatorError(text)


def port_members() -> dict[str, bool]:
    """Return the members of a desk's port, and whether each is a method."""
    names = {name for name in vars(DeskPort) if not name.startswith("_")}
    names |= set(get_type_hints(DeskPort))
    return {name: inspect.isfunction(getattr(DeskPort, name, None)) for name in sorted(names)}


def _carried_method(name: str) -> Callable[..., Any]:
    method = getattr(DeskPort, name)
    result = get_type_hints(method).get("return", type(None))
    signature = inspect.signature(method)

    def call(self: RemoteDesk, *arguments: object, **named: object) -> Any:
        given = signature.bind(self, *arguments, **named)
        given.apply_defaults()
        return self.call(name, [*given.arguments.values()][1:], result)

    call.__name__, call.__doc__ = name, method.__doc__
    return call


def _carried_value(name: str) -> property:
    member = getattr(DeskPort, name, None)
    hints = get_type_hints(member.fget if isinstance(member, property) else DeskPort)
    kind = hints["return" if isinstance(member, property) else name]
    return property(lambda self: self.value(name, kind), doc=f"`{name}` of the desk's port.")


PORT_VALUES: Final = tuple(
    name
    for name, is_method in port_members().items()
    if not is_method and (name == MOMENT or name not in dir(RemoteDesk))
)
"""Plain values of a desk's port that are told with its pictures."""
for _name, _is_method in port_members().items():
    if _name not in dir(RemoteDesk):
        setattr(RemoteDesk, _name, _carried_method(_name) if _is_method else _carried_value(_name))
