"""Textual's terminal driver, for a terminal that stalls and goes away, as one behind SSH does."""

import contextlib
import os
import signal
import termios
from collections.abc import Iterator
from typing import IO, Any

from textual.drivers.linux_driver import LinuxDriver


class Output:
    """A terminal's output that takes everything even when the terminal is gone, and tells the process once: SIGHUP.

    A writer thread that died of an error would leave its queue full, and the event loop waiting at it for ever.
    """

    def __init__(self, file: IO[str]) -> None:
        self.fileno = file.fileno
        self._file = file
        self._lost = False

    def write(self, text: str) -> None:
        """Write, or drop what nobody can see."""
        with self._errors():
            self._file.write(text)

    def flush(self) -> None:
        """Flush what can be."""
        with self._errors():
            self._file.flush()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except BlockingIOError:
            pass  # somebody made the terminal non-blocking: a frame is lost, the terminal is not
        except OSError:
            self.lost()

    def lost(self) -> None:
        """Tell the process that the terminal is gone."""
        if not self._lost:
            self._lost = True
            os.kill(os.getpid(), signal.SIGHUP)


class Terminal(LinuxDriver):
    """The driver of the screen."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._output = Output(self._file)
        self._file: Any = self._output

    def run_input_thread(self) -> None:
        """Read the keys until the terminal is gone."""
        try:
            super().run_input_thread()
        except OSError:
            self._output.lost()

    def _sigcont_application(self, *_: object) -> None:
        """Take the terminal again after a stop.

        The kernel sends this signal with the hang-up too, where there is nothing to take; a stop that was not told of
        (SIGSTOP) leaves the old threads at work, and they end first.
        """
        if self._auto_restart:
            self._app.call_later(self._again)

    async def _again(self) -> None:
        try:
            termios.tcgetattr(self.fileno)
        except termios.error:
            return
        if not self._must_signal_resume:
            self.suspend_application_mode()
        self.resume_application_mode()
        self._app.screen.refresh(layout=True)
