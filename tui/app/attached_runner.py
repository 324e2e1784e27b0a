"""The screen of a desk in another process: it comes and goes, the desk stays."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import cast

from engine.config.schema import ScreenSettings
from tui.app.app import PatangApp
from tui.app.desk_port import DeskPort
from tui.app.guide.screen_looks import ScreenLooks
from tui.app.remote_desk import RemoteDesk
from tui.app.screen_memory import keep_quietly, own_memory

FIRST_PICTURE_S = 5.0
"""How long the first picture is waited for before the screen goes up without one."""


def run_attached(desk: RemoteDesk, ui: ScreenSettings) -> Exception | None:
    """Put the screen of a joined desk up; return when it is left, with what it has died of."""
    desk.link.follow(FIRST_PICTURE_S)
    # What the port offers beyond what is written out there is carried as it stands on it.
    memory = own_memory(os.environ)
    app = PatangApp(
        cast("DeskPort", desk),
        fps=ui.fps,
        looks=ScreenLooks(ui.theme, ui.direction, ui.density),
        memory=memory,
        keymap=ui.keys,
    )
    with _leaving_on_signal(app):
        app.run()
    keep_quietly(memory)
    desk.link.close()
    return app.error


@contextmanager
def _leaving_on_signal(app: PatangApp) -> Iterator[None]:
    """Leave in order at a signal, and where the terminal has gone."""

    def leave(number: int, frame: FrameType | None) -> None:
        del number, frame
        app.call_later(app.exit)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
