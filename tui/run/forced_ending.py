"""The end of a run when it does not come by itself: a bound, and repeated signals."""

import os
import signal
import sys
import threading
from types import FrameType
from typing import Final

from tui.run.session import DeskSession

FORCED: Final = 5
ENGINE_S: Final = 15.0
"""Seconds that the engine waits for work under way (`engine.day.pacing`)."""
CLOSING_S: Final = 10.0
"""What a run may take to end besides the engine's own patience and the requests under way."""
SIGNALS: Final = 3
"""Number of the signal that ends a stopping desk by force; some senders send two."""


class ForcedEnding:
    """Ends the process with `FORCED` when it has not ended in `seconds`, or at the third signal."""

    def __init__(self, station: DeskSession, seconds: float | None = None) -> None:
        self._station = station
        self._seconds = (
            ENGINE_S + station.config.broker.timeout_s + CLOSING_S if seconds is None else seconds
        )
        self._timer: threading.Timer | None = None
        self._asked = 0

    def start_timer(self) -> None:
        """Let the time begin, once."""
        # a second signal must not give a hanging end more time
        if self._timer is None:
            self._timer = threading.Timer(
                self._seconds, self._force_exit, [f"it has not ended for {self._seconds:g} s"]
            )
            # an orderly end must not wait for the timer of a forced one
            self._timer.daemon = True
            self._timer.start()

    def count_signal(self, number: int, frame: FrameType | None = None) -> None:
        """Take note of a signal that asks for the end."""
        del number, frame
        self.start_timer()
        self._asked += 1
        if self._asked >= SIGNALS:
            self._force_exit(f"it was told to end {self._asked} times")

    def cancel_timer(self) -> None:
        """Be content: it has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
        for each in (signal.SIGINT, signal.SIGTERM):
            # handlers that others have set since are left alone
            if signal.getsignal(each) == self.count_signal:
                signal.signal(
                    each, signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL
                )

    def _force_exit(self, why: str) -> None:
        """Say why and what stays open, and leave without waiting for anything more."""
        try:
            sys.stderr.write(
                f"\npatang: ended by force: {why}; {open_positions_text(self._station)}\n"
            )
            sys.stderr.flush()
        finally:
            # an ordinary exit would wait for the threads that hang
            os._exit(FORCED)


def open_positions_text(station: DeskSession) -> str:
    """Say in a line what stays open at the broker, as the desk has last known it."""
    rows = list(station.board.positions.rows)
    held = ", ".join(
        f"{row.quantity} {row.symbol}" + ("" if row.stop else " without a stop") for row in rows
    )
    disk = station.board.governor.disk
    late = f"; {disk.ahead} requests had left ahead of their record" if disk.ahead else ""
    return (
        f"{f'open are {held}' if held else 'nothing is open'}, as far as the desk knew; stops "
        "that were placed stand at the "
        f"broker{late}; start it again to see"
    )
