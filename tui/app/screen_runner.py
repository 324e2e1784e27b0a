"""A run under the screen: the desk opens behind its first picture, and may outlive it."""

import signal

from engine.desk import Desk
from tui.app.app import PatangApp
from tui.run.forced_ending import ForcedEnding
from tui.run.launch import detach_streams, handling_signals, run_after_screen, run_detached
from tui.run.opening import OpeningDesk
from tui.run.session import DeskSession


def run_screen(station: DeskSession, ending: ForcedEnding) -> Desk:
    """Put up the screen, open the desk behind it, and return the desk when the operator leaves."""

    def leave() -> None:
        app.call_later(app.exit)

    def failed() -> None:
        loop = app._loop  # noqa: SLF001  the one thread-safe way in
        if loop is not None:
            loop.call_soon_threadsafe(app.exit)

    ui = station.config.ui
    opening = OpeningDesk(station, failed)
    app = PatangApp(
        opening, fps=ui.fps, direction=ui.colours, keymap=ui.keys, on_picture=opening.begin
    )
    with handling_signals(station, ending, opening.stop, leave) as caught:
        app.run()
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
