"""The command line inside the screen: every command of the shell, beside the running desk."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import ClassVar, Final

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.message import Message
from textual.widgets import Input, Static

from engine.texts import plain_text
from tui.app.command_words import (
    CommandFault,
    CommandHistory,
    HelpWords,
    check_viewer,
    command_words,
    completed_line,
    read_help,
)
from tui.app.desk_port import DeskPort
from tui.app.screens.modal_dialogs import ModalDialog
from tui.app.screens.screen_frame import ScreenFrame

KEPT: Final = 2_000
"""Lines of output that are kept."""
_PATIENCE_S: Final = 3.0
"""How long a command has to end by itself when it is told to."""
_ENDED: Final = {-signal.SIGINT, -signal.SIGKILL, 128 + signal.SIGINT}
"""Exit codes of a command that was ended by escape."""
_PIECE: Final = 65_536
_LONGEST: Final = 4_000
"""Letters of a line that are shown: an object of JSON may be one line of megabytes."""


async def _read_lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Yield the lines of a stream, each cut to what is shown of it."""
    rest = b""
    while piece := await stream.read(_PIECE):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield _shown_line(line)
    if rest:
        yield _shown_line(rest)


def _shown_line(line: bytes) -> str:
    # A progress line that writes over itself is shown as it stands in the end.
    text = line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2]
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ... {len(text):,} letters"


class CommandLine(ModalDialog[None]):
    """A line for commands, with what they say above it; each runs in a process of its own."""

    class MomentNamed(Message):
        """The operator wants to see a moment of a past day."""

        def __init__(self, place: str) -> None:
            super().__init__()
            self.place = place

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False, priority=True),
        Binding("tab", "complete", show=False, priority=True),
        Binding("up", "past(-1)", show=False, priority=True),
        Binding("down", "past(1)", show=False, priority=True),
        Binding("pageup", "scroll(-1)", show=False, priority=True),
        Binding("pagedown", "scroll(1)", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    CommandLine {
        align: center bottom; background: $background 40%;
        #box { width: 100%; height: auto; max-height: 85%; background: $panel; padding: 0 1;
               border-top: solid $accent; }
        #said { height: auto; scrollbar-size-vertical: 1; }
        #hint { color: $ink-faint; height: auto; max-height: 3; }
        Input, Input:focus { height: 1; border: none; background: $surface; padding: 0 1; }
    }
    """

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self._face: DeskPort | None = None
        self._history = CommandHistory(())
        self._said: deque[str] = deque(maxlen=KEPT)
        self._unshown = False
        self._command: asyncio.Task[None] | None = None
        """The command that was given, from its line to its end."""
        self._process: asyncio.subprocess.Process | None = None
        self._help: dict[tuple[str, ...], HelpWords] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def prepare(self, face: DeskPort) -> None:
        """Take the desk that it stands on."""
        if self._face is not face:
            self._face, self._history = face, CommandHistory(face.past_commands())

    def compose(self) -> ComposeResult:
        """Show what was said above the line."""
        yield self.bands
        with Container(id="box"):
            with VerticalScroll(id="said", can_focus=False):
                yield Static(id="text")
            yield Static(id="hint")
            yield Input(id="line", placeholder="a command: limits, why INFY, results list ...")

    def on_resize(self, event: events.Resize) -> None:
        """Leave the hint and the line in sight below what was said."""
        self.query_one("#said").styles.max_height = max(event.size.height * 85 // 100 - 5, 1)

    def fill_widgets(self) -> None:
        """Show the line, empty."""
        self._show_said()
        self.query_one("#line", Input).value = ""
        self._show_hint("tab completes  ↑↓ history  pgup pgdn  esc")
        self.set_focus(self.query_one("#line", Input))

    # the keys

    @on(Input.Submitted)
    def _line_given(self, event: Input.Submitted) -> None:
        line = event.value.strip()
        if self._command is not None:
            self._show_hint("a command is running still: esc ends it")
            return
        try:
            words = command_words(line)
            if self._face is not None and self._face.standing.is_viewer:
                check_viewer(words)
        except CommandFault as fault:
            self._show_hint(str(fault))
            return
        if self._history.add_line(line) and self._face is not None:
            self._face.keep_command(line)
        event.input.value = ""
        if words[0] == "go":
            self._show_hint(self._go_to(" ".join(words[1:])))
            return
        self._show_hint("esc ends it")
        self._command = self._begin_task(self._run_command(line, words))

    def _go_to(self, place: str) -> str:
        """Go to a moment of a past day that is played; return why not, "" where it goes there."""
        replay = self._face.replay if self._face is not None else None
        if replay is None:
            return "go is for a day that is over: patang replay"
        if fault := replay.fault_of(place):
            return fault
        self.post_message(self.MomentNamed(place))
        self.dismiss(None)
        return ""

    def action_leave(self) -> None:
        """End the command that runs, else go back."""
        if self._command is not None:
            self._end_command()
        else:
            self.dismiss(None)

    def action_past(self, by: int) -> None:
        """Take a line of before."""
        field = self.query_one("#line", Input)
        field.value = self._history.step(by, field.value)
        field.cursor_position = len(field.value)

    def action_scroll(self, way: int) -> None:
        """Scroll what was said by a page."""
        said = self.query_one("#said", VerticalScroll)
        said.scroll_relative(y=way * max(said.size.height - 1, 1), animate=False)

    def action_complete(self) -> None:
        """Complete the last word by what the help of the commands before it offers."""
        self._begin_task(self._complete_line())

    def on_screen_suspend(self, event: events.ScreenSuspend) -> None:
        """End what runs: nobody would see it any more."""
        del event
        self._end_command()

    # processes

    def _begin_task(self, work: "asyncio._CoroutineLike[None]") -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        # The loop keeps only a weak reference.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _end_command(self) -> None:
        if self._process is not None:
            self._begin_task(self._end_process(self._process))
        elif self._command is not None:
            # It has not begun: the help of its options is still being asked for.
            self._command.cancel()

    async def _start_process(self, words: Sequence[str]) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            # The folder of the desk is no place to import from.
            "-P",
            "-m",
            "tui",
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "COLUMNS": str(max(self.size.width - 4, 40))},
            # Out of reach of what the terminal sends to the screen.
            start_new_session=True,
        )

    async def _run_command(self, line: str, words: Sequence[str]) -> None:
        self._add_line(f"> {line}")
        told = "ended"
        try:
            process = self._process = await self._start_process(await self._placed_words(words))
            assert process.stdout is not None
            async for text in _read_lines(process.stdout):
                self._add_line(text)
            code = await process.wait()
            told = "done" if code == 0 else told if code in _ENDED else f"code {code}"
        except OSError as error:
            told = f"it cannot be started: {error}"
        finally:
            self._process = self._command = None
            self._show_hint(told)

    async def _placed_words(self, words: Sequence[str]) -> list[str]:
        """Return a command with the configuration of this desk, where it takes one."""
        options = self._face.command_options if self._face is not None else ()
        if options and "--config" in (await self._help_words(words)).options:
            return [*words, *options]
        return [*words]

    async def _end_process(self, process: asyncio.subprocess.Process) -> None:
        """Tell a command to end, as ctrl-c does, and make it where it does not."""
        self._show_hint("ending it ...")
        for number in (signal.SIGINT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _PATIENCE_S)
                return

    async def _complete_line(self) -> None:
        field = self.query_one("#line", Input)
        line = field.value
        try:
            before = command_words(line.rpartition(" ")[0]) if " " in line.lstrip() else []
        except CommandFault:
            return
        words = await self._help_words(before)
        # What was typed meanwhile is worth more than a completion of what stood there before.
        if field.value != line:
            return
        symbols = [row.symbol for row in self._face.board.watch.rows[:]] if self._face else []
        field.value, found = completed_line(line, words, symbols)
        field.cursor_position = len(field.value)
        self._show_hint("  ".join(found[:60]) if len(found) != 1 else "")

    async def _help_words(self, words: Sequence[str]) -> HelpWords:
        """Return what the help of some commands offers; arguments behind them are left out."""
        for length in range(min(len(words), 2), -1, -1):
            key = tuple(words[:length])
            if any(word.startswith("-") for word in key):
                continue
            if key not in self._help:
                process = await self._start_process([*key, "--help"])
                said, _ = await process.communicate()
                # Of an argument that is no command the help is refused: the one before it holds.
                if process.returncode:
                    continue
                self._help[key] = read_help(said.decode("utf-8", "replace"))
            return self._help[key]
        return HelpWords((), ())

    # what is shown

    def _add_line(self, text: str) -> None:
        self._said.append(plain_text(text))
        self._unshown = True

    def draw(self, frame: ScreenFrame) -> None:
        """Keep the bands up to date, and show what was said since the last frame."""
        super().draw(frame)
        # Not line by line: a layout of all of them for each would hold up the desk.
        if self._unshown:
            self._show_said()

    def _show_said(self) -> None:
        if not self.is_mounted:
            return
        self._unshown = False
        self.query_one("#text", Static).update(Text("\n".join(self._said)))
        self.query_one("#said", VerticalScroll).scroll_end(animate=False)

    def _show_hint(self, text: str) -> None:
        # none while the app is taken down
        for hint in self.query("#hint").results(Static):
            hint.update(Text(plain_text(text)))
