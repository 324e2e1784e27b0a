"""A run under the screen: the desk opens behind its first picture, and may outlive it."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.config.disk_places import own_state_folder
from tui.app.app import PatangApp
from tui.app.guide.screen_looks import ScreenLooks
from tui.app.screen_memory import keep_quietly, own_memory
from tui.run.forced_ending import ForcedEnding
from tui.run.launch import detach_streams, handling_signals, run_after_screen, run_detached
from tui.run.opening import OpeningDesk
from tui.run.session import DeskSession

WELCOMED: Final = "welcomed"
"""A file in the user's state folder: he has read the welcome."""

HANDOVER_S: Final = 0.000_5
"""How long the engine waits for the interpreter while the screen draws: Python's own is 5 ms."""

if TYPE_CHECKING:
    from engine.desk import Desk


def run_screen(station: DeskSession, ending: ForcedEnding) -> "Desk":
    """Put up the screen, open the desk behind it, and return the desk when the operator leaves."""

    def leave() -> None:
        app.call_later(app.exit)

    def failed() -> None:
        loop = app._loop  # noqa: SLF001  the one thread-safe way in
        if loop is not None:
            loop.call_soon_threadsafe(app.exit)

    ui, welcomed = station.config.ui, own_state_folder(os.environ) / WELCOMED
    opening = _opening_of(station, failed)
    memory = own_memory(os.environ)
    app = PatangApp(
        opening,
        fps=ui.fps,
        looks=ScreenLooks(ui.theme, ui.direction, ui.density),
        memory=memory,
        keymap=ui.keys,
        on_picture=opening.begin,
        preflight=True,
        on_welcome=None if welcomed.exists() else partial(_keep_mark, welcomed),
    )
    # a tick that comes while a frame is drawn leads to its command without waiting for the frame
    sys.setswitchinterval(HANDOVER_S)
    with handling_signals(station, ending, opening.stop, leave) as caught:
        app.run()
        keep_quietly(memory)
        if station.run.control is not None:
            # nobody is there any more to let a held day go on
            station.run.control.stays = False
        if signal.SIGHUP in caught:
            detach_streams()
        desk = opening.wait()
        if opening.error is not None:
            raise opening.error
        if desk is None:
            # it was left before the desk had opened
            raise app.error or KeyboardInterrupt
        if app.error is not None:
            run_after_screen(station, desk, ending, app.error)
        elif signal.SIGHUP in caught:
            run_detached(desk)
    return desk


def _opening_of(station: DeskSession, failed: Callable[[], None]) -> OpeningDesk:
    if station.run.control is None:
        return OpeningDesk(station, failed)
    from tui.run.replay.replaying_desk import ReplayingDesk  # noqa: PLC0415  0.2 s, for a past day alone

    return ReplayingDesk(station, failed)


def _keep_mark(file: Path) -> None:
    # A folder that cannot be written costs him the same three lines next time, and nothing else.
    with suppress(OSError):
        file.touch()
