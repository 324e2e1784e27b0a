"""Textual's driver for a terminal that is slow, stalls, sends rubbish or goes away."""

import codecs
import contextlib
import os
import selectors
import signal
import sys
import termios
import threading
import time
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Callable, Iterator
from typing import IO, Any, Final

from textual import events
from textual._compositor import CompositorUpdate
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from tui.app.screen_painter import ScreenPainter
from tui.app.terminal_echo import TerminalEcho

BELL: Final = "\a"
SYNC_BEGIN, SYNC_END = "\x1b[?2026h", "\x1b[?2026l"

LEAVE_S: Final = 1.0
"""How long the end waits for a terminal that takes nothing."""

PASTE_S: Final = 2.0
"""Silence after which a paste that was never ended is over."""

_PASTE_BEGINS, _PASTE_ENDS = "\x1b[200~", "\x1b[201~"
_KILL: Final = "\x0b"
_KILL_KEYS: Final = frozenset({_KILL.encode(), b"\x1b[24~"})
"""ctrl+k and f12, which no paste that was left open may swallow."""


class TerminalOutput:
    """Output to a terminal that may be gone; the process is notified of it once, by SIGHUP."""

    def __init__(self, file: IO[str]) -> None:
        self.fileno = file.fileno
        self._file = file
        self.is_gone = False

    def write(self, text: str) -> None:
        """Write all of it, or drop it once the terminal is gone."""
        # half a surrogate in a foreign text must not end the screen
        rest = memoryview(text.encode("utf-8", errors="replace"))
        with self._catching_loss():
            # a terminal may take a part of it only
            while rest and not self.is_gone:
                rest = rest[self._write_some(rest) :]

    def _write_some(self, rest: memoryview) -> int:
        try:
            return os.write(self.fileno(), rest)
        # somebody made the terminal non-blocking
        except BlockingIOError:
            with selectors.DefaultSelector() as selector:
                selector.register(self.fileno(), selectors.EVENT_WRITE)
                selector.select()
            return 0

    def flush(self) -> None:
        """Everything is flushed."""

    @contextlib.contextmanager
    def _catching_loss(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self.report_loss()

    def report_loss(self) -> None:
        """Send the process SIGHUP: the terminal is gone."""
        if not self.is_gone:
            self.is_gone = True
            os.kill(os.getpid(), signal.SIGHUP)


class LineWriter(threading.Thread):
    """Writer to a terminal, in a thread of its own: no other thread waits for it.

    `is_idle`: all of it has been taken; `emptied` is called, in this thread, each time that comes
    to be so.
    """

    def __init__(self, output: TerminalOutput, emptied: Callable[[], None]) -> None:
        super().__init__(daemon=True, name="textual-line")
        self._output = output
        self._emptied = emptied
        self._texts: deque[str] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._writing = False

    @property
    def is_idle(self) -> bool:
        """Whether the terminal has taken everything."""
        return not self._texts and not self._writing

    def write(self, text: str) -> None:
        """Have a text written after what waits already; returns at once."""
        with self._changed:
            # never bounded: frames are held back by `send_due`, and the rest is a few sequences
            self._texts.append(text)
            self._changed.notify()

    def run(self) -> None:
        """Write what comes, until the end."""
        while True:
            with self._changed:
                self._writing = False
                self._changed.wait_for(lambda: self._texts or self._ended)
                if not self._texts:
                    return
                self._writing = True
                text = "".join(self._texts)
                self._texts.clear()
            self._output.write(text)
            with self._changed:
                self._writing = False
                empty = not self._texts
            if empty:
                self._emptied()

    def stop(self) -> None:
        """End once everything is written; a terminal that takes nothing is not waited for."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self.join(LEAVE_S)


class KeyReader:
    """Reader of a terminal's bytes, as messages.

    Bytes without a meaning are dropped, and no sequence stops it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._decode = getincrementaldecoder("utf-8")(errors="ignore").decode
        self._parser = XTermParser()
        self._tail = ""
        self._pasting = False
        self._heard = 0.0

    def feed(self, data: bytes) -> list[Message]:
        """Return what some bytes mean."""
        self._heard = self._clock()
        # a paste that was never ended would swallow the kill switch
        found = self._close_paste() if self._pasting and data in _KILL_KEYS else []
        for character in self._decode(data):
            found += self._take_character(character)
        return found

    def tick(self) -> list[Message]:
        """Return what has come to mean something because nothing followed."""
        found = (
            self._close_paste() if self._pasting and self._clock() - self._heard > PASTE_S else []
        )
        return found + self._parse_safely(self._parser.tick)

    def _take_character(self, character: str) -> list[Message]:
        self._tail = (self._tail + character)[-len(_PASTE_BEGINS) :]
        if self._tail in {_PASTE_BEGINS, _PASTE_ENDS}:
            self._pasting = self._tail == _PASTE_BEGINS
        if character == _KILL and not self._pasting:
            # no sequence has it inside: one that was cut off must not take it in
            self._parser = XTermParser()
        return self._parse_safely(lambda: self._parser.feed(character))

    def _close_paste(self) -> list[Message]:
        found: list[Message] = []
        for character in _PASTE_ENDS:
            found += self._take_character(character)
        return found

    def _parse_safely(self, parse: Callable[[], Any]) -> list[Message]:
        """Parse; a parser that cannot go on is replaced by a new one."""
        found: list[Message] = []
        try:
            found.extend(parse())
        except Exception:  # noqa: BLE001 - whatever a terminal sends, the keys go on
            self._parser = XTermParser()
        # the kernel knows the size of the terminal; what came in as keys may claim any
        return [message for message in found if not isinstance(message, events.Resize)]


class TerminalDriver(LinuxDriver):
    """The driver of the screen: frames wait for the line, which waits for none."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._output = TerminalOutput(self._file)
        self._file: Any = self._output
        self._line: LineWriter | None = None
        # the locale's word, unless Python was told to speak UTF-8 whatever that says
        in_ascii = (
            codecs.lookup(sys.__stderr__.encoding).name != "utf-8" if sys.__stderr__ else False
        )
        self._painter = ScreenPainter(
            self._app.console._color_system,  # noqa: SLF001 - its name alone is public
            in_ascii=in_ascii,
        )
        self._echo = TerminalEcho()
        self._leaving = False

    # output

    def start_application_mode(self) -> None:
        """Take the terminal, with a writer that never blocks in place of Textual's."""
        self._line = LineWriter(self._output, self._line_emptied)
        self._line.start()
        self._painter.forget()
        self._echo, self._leaving = TerminalEcho(), False
        super().start_application_mode()  # type: ignore[no-untyped-call]
        # Textual starts its own, which waits for the terminal
        if self._writer_thread is not None:
            self._writer_thread.stop()

    def close(self) -> None:
        """Let the writers end."""
        if self._line is not None:
            self._line.stop()
        super().close()

    def write(self, data: str) -> None:
        """Write control sequences; a bell that would be late is left out."""
        if self._line is not None and (data != BELL or self._line.is_idle):
            self._line.write(data)

    def show_update(self, update: CompositorUpdate) -> None:
        """Show what the compositor has drawn, as soon as the line has taken what went before."""
        self._painter.take_update(update)
        self.send_due()

    def send_due(self) -> None:
        """Send what is due, if the line is free and the terminal has shown what went before."""
        if (
            self._line is None
            or not self._line.is_idle
            or not self._painter.has_due_rows
            or not self._echo.is_free
            or self._leaving
        ):
            return
        text = self._painter.next_piece(self._echo.limit)
        # due rows may be as they should: nothing is sent, and no question asked
        if not text:
            return
        question = self._echo.cursor_question(len(text.encode()), self._painter.width)
        # a terminal that knows how shows the piece as one
        if self._app._sync_available:  # noqa: SLF001 - there is no public way to ask
            text = f"{SYNC_BEGIN}{text}{SYNC_END}"
        self._line.write(text + question)

    def redraw(self) -> None:
        """Draw everything anew, whatever the terminal shows."""
        self._painter.forget()
        self.send_due()

    def _line_emptied(self) -> None:
        # the event loop has ended
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.send_due)

    def _query_in_band_window_resize(self) -> None:
        """Ask for nothing: the kernel reports a new size; among the keys it could be anything."""

    # input

    def disable_input(self) -> None:
        """Read the last answer, and then no more."""
        self._leaving = True
        if not self._output.is_gone:
            self._echo.await_due_answer(LEAVE_S)
        super().disable_input()

    def run_input_thread(self) -> None:
        """Read the keys until the terminal is gone."""
        try:
            self._read_keys()
        except OSError:
            self._output.report_loss()

    def _read_keys(self) -> None:
        keys = KeyReader()
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                found: list[Message] = []
                if selector.select(0.1):
                    data = os.read(self.fileno, 4_096)
                    if not data:
                        self._output.report_loss()
                        return
                    found = keys.feed(data)
                for message in [*found, *keys.tick()]:
                    # an answer to our own question, and no news to the app
                    if isinstance(message, events.CursorPosition):
                        self._take_cursor_answer(message)
                    else:
                        self.process_message(message)

    def _take_cursor_answer(self, answer: events.CursorPosition) -> None:
        """Go on where the terminal has shown what it was asked about."""
        if answer.y == 0 and self._echo.take_answer(answer.x + 1):
            self._line_emptied()

    def _sigcont_application(self, *_: object) -> None:
        """Take the terminal again after a stop.

        The kernel sends this signal with the hang-up too, where there is nothing to take; an
        unannounced stop (SIGSTOP) leaves the old threads at work, and they end first.
        """
        if self._auto_restart:
            self._app.call_later(self._retake_terminal)

    async def _retake_terminal(self) -> None:
        try:
            termios.tcgetattr(self.fileno)
        except termios.error:
            return
        if not self._must_signal_resume:
            self.suspend_application_mode()
        self.resume_application_mode()
        self._app.screen.refresh(layout=True)
