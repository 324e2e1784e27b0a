"""Acts on a past day that is played: pause, steps, pace, jumps."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from engine.day.replay_control import ReplayUnit
from engine.errors import PatangError
from tui.app.desk_port import ReplayPort
from tui.app.screens.dialog_set import DialogSet
from tui.app.screens.modal_dialogs import EntryField

_PLACES: Final = "10:42, 10:42:17, +5m, -30s, start, end, worst, best (the entry of a trade)"


class ReplayHost(Protocol):
    """The app as the acts on a played day see it."""

    def warn(self, text: str) -> None:
        """Show why nothing is done."""
        ...

    def frame(self) -> None:
        """Show what has changed."""
        ...


class ReplayActions:
    """The acts on a played day; each is the app's answer to a key."""

    def __init__(self, host: ReplayHost, dialogs: DialogSet) -> None:
        self._host = host
        self._dialogs = dialogs
        self._going: set[asyncio.Task[None]] = set()

    def act(self, replay: ReplayPort, name: str, way: int) -> None:
        """Do what a key says, forwards (1) or backwards (-1)."""
        acts: dict[str, Callable[[], None]] = {
            "pause": replay.pause,
            "unit": replay.choose_unit,
            "step": lambda: replay.step(way),
            "speed": lambda: replay.change_speed(way),
            "minutes": lambda: replay.go_to("+5m" if way > 0 else "-5m"),
            "fill": lambda: replay.go_next(ReplayUnit.FILL, way),
            "refusal": lambda: replay.go_next(ReplayUnit.REFUSAL, way),
            "go": lambda: self._ask_moment(replay),
        }
        self.attempt(acts[name])

    def attempt(self, act: Callable[[], None]) -> None:
        """Do something, or show why it cannot be done."""
        try:
            act()
        except PatangError as error:
            self._host.warn(str(error))
        self._host.frame()

    def _ask_moment(self, replay: ReplayPort) -> None:
        self._dialogs.ask_entry(
            "Go to",
            _PLACES,
            [EntryField("moment", "10:42")],
            lambda texts: replay.fault_of(texts[0]),
            lambda texts: self.go_to(replay, texts[0]),
        )

    def go_to(self, replay: ReplayPort, place: str) -> None:
        """Go to a moment, whose trade may have to be read from the disk first."""
        task = asyncio.get_running_loop().create_task(self._go_from_disk(replay, place))
        # The event loop keeps only a weak reference.
        self._going.add(task)
        task.add_done_callback(self._going.discard)

    async def _go_from_disk(self, replay: ReplayPort, place: str) -> None:
        try:
            await asyncio.to_thread(replay.go_to, place)
        except PatangError as error:
            self._host.warn(str(error))
        self._host.frame()
