"""The app: one frame clock, the screens, the kill switch, and what the operator asks of the engine."""

import asyncio
import gc
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final, TypeVar, cast

from rich.console import RenderableType
from rich.text import Text
from textual._compositor import CompositorUpdate
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen

from engine.errors import PatangError
from engine.trading.board import EventRow, OrderRow, PositionRow
from tui.actions import ACTIONS, bindings
from tui.face import DeskFace
from tui.keymap import check
from tui.numbers import SECOND, count, gain, plain, price
from tui.panes.events import latest
from tui.panes.orders import ENDED, state
from tui.panes.positions import naked
from tui.screens.desk import DeskScreen
from tui.screens.frame import Drawn, Frame, FullScreen
from tui.screens.paned import Paned
from tui.screens.question import Help, Question
from tui.terminal import Terminal
from tui.theme import DIRECTIONS, THEMES, Tones
from tui.widgets.live_table import LiveTable
from tui.widgets.view import Cell

FLATTEN_WITHIN: Final = 3 * SECOND
"""A second press of the kill key within this time flattens."""

ANSWER_SHOWN: Final = 10 * SECOND
"""How long the footer shows what became of a command."""

_STRENGTH: Final = {"": 0, "halt": 1, "flatten": 2}
_TOASTS: Final = 3
"""Most toasts one frame may raise; the log has the rest."""

_Row = TypeVar("_Row")


class PatangApp(App[None]):
    """The workstation on one desk.

    `clock` gives monotonic ns (for the second press of the kill key and the engine's heartbeat), `fps` is the frame
    rate (0: `frame` is called by hand), `direction` names one of `theme.DIRECTIONS`, `keymap` remaps actions by id,
    `tune_gc` freezes the heap once everything is mounted, `on_picture` is called when the first frame has been shown.
    """

    TITLE = "patang"
    BINDINGS: ClassVar[list[BindingType]] = list(bindings("anywhere"))
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    CSS = """
    Toast { background: $panel; }
    CommandPalette > Vertical { margin-top: 5; }
    """

    def __init__(
        self,
        face: DeskFace,
        *,
        clock: Callable[[], int] | None = None,
        fps: int = 10,
        direction: str = "green-up",
        keymap: Mapping[str, str] | None = None,
        tune_gc: bool = True,
        on_picture: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self._on_picture = on_picture
        self.face = face
        self._clock = clock or time.monotonic_ns
        self._fps = fps
        self._tune_gc = tune_gc
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = direction
        self._tones: Tones | None = None
        self.set_keymap(check(keymap or {}))
        self._frame = 0
        self._frozen = False
        self._pressed = ""
        self._pressed_at = -FLATTEN_WITHIN
        self._reason = ""
        self._pending: dict[int, str] = {}
        self._answer = Cell("")
        self._answered_at = 0
        self._event_seq = -1
        self._alarm_seq = -1
        self._chart: FullScreen | None = None
        self._risk: FullScreen | None = None

    def get_driver_class(self) -> type[Driver]:
        """Drive a terminal in a way that survives its loss."""
        found = super().get_driver_class()
        return Terminal if found is LinuxDriver else found

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Show what a screen has drawn; Textual's own way would queue every frame, however slow the line."""
        driver, update = self._driver, cast("object", renderable)
        if not isinstance(driver, Terminal) or not isinstance(update, CompositorUpdate):
            super()._display(screen, renderable)
        elif self._running and not self._closed and not self._batch_count:
            driver.show(update)

    @property
    def error(self) -> Exception | None:
        """What the screen has died of."""
        return self._exception

    def _print_error_renderables(self) -> None:
        """Print nothing: whoever runs the app says what became of it, and the log has the traceback."""

    # frames

    def get_default_screen(self) -> Screen[Any]:
        """Begin at the desk."""
        return DeskScreen(self.face.board.header.mode, self.tones)

    def on_mount(self) -> None:
        """Start the frame clock."""
        if self._fps:
            self.set_interval(1 / self._fps, self.frame)
        self.call_after_refresh(self._settle)

    def _settle(self) -> None:
        self.frame()
        if self._on_picture is not None:
            self.call_after_refresh(self._on_picture)
        if self._tune_gc:
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000, 20, 1_000)

    def frame(self) -> None:
        """Show what the board says now, on every screen in sight."""
        self._frame += 1
        self._hear_alarms()
        self._hear_answers()
        frame = self._now()
        for screen in reversed(self.screen_stack):
            if isinstance(screen, Drawn):
                screen.draw(frame)
            if not screen.is_modal:
                break

    def _now(self) -> Frame:
        board = self.face.board
        kill, reason = board.header.kill, board.header.kill_reason
        if _STRENGTH.get(kill, 2) >= _STRENGTH[self._pressed]:
            self._pressed = ""
        confirmed = not self._pressed
        lag = self._clock() - board.heartbeat if board.heartbeat else -1
        kill, reason = (kill, reason) if confirmed else (self._pressed, self._reason)
        return Frame(self._frame, board, lag, kill, reason, confirmed, self._frozen, self._status())

    def tones(self) -> Tones:
        """Return the styles of the theme of now."""
        if self._tones is None:
            self._tones = Tones(self.theme_variables)
        return self._tones

    def _hear_alarms(self) -> None:
        board = self.face.board
        if board.event_seq == self._event_seq:
            return
        self._event_seq = board.event_seq
        alarms: list[EventRow] = []
        newest = self._alarm_seq
        for row in reversed(latest(board)):
            if row.seq <= self._alarm_seq:
                break
            newest = max(newest, row.seq)
            if row.level == "alarm":
                alarms.append(row)
        self._alarm_seq = newest
        if alarms:
            self.bell()
        for row in reversed(alarms[:_TOASTS]):
            self.notify(row.text, title="ALARM", severity="error", timeout=15, markup=False)

    def _hear_answers(self) -> None:
        for number in [n for n in self._pending if n in self.face.board.answers]:
            text = f"{self._pending.pop(number)}: {self.face.board.answers[number]}"
            done = self.face.board.answers[number].startswith("done")
            self._say(text, done=done)
            self.notify(text, severity="information" if done else "error", markup=False)

    def _say(self, text: str, *, done: bool) -> None:
        self._answer, self._answered_at = Cell(text, "" if done else "danger"), self._clock()

    def _status(self) -> Cell:
        if self._pending:
            number, text = next(reversed(self._pending.items()))
            more = f" (+{len(self._pending) - 1})" if len(self._pending) > 1 else ""
            return Cell(f"#{number} {text}: pending{more}", "notice")
        return self._answer if self._clock() - self._answered_at < ANSWER_SHOWN else Cell("")

    # the kill switch

    def action_kill(self) -> None:
        """Set the kill switch; the second press within three seconds flattens. Modals make way for the band."""
        now = self._clock()
        flatten = now - self._pressed_at <= FLATTEN_WITHIN
        self._pressed_at = now
        try:
            self.face.kill(flatten, "operator")
        except Exception as error:  # noqa: BLE001 - a UI action: the operator must read that it failed
            self.bell()
            self._say(f"KILL FAILED: {error!r}", done=False)
            self.notify(repr(error), title="KILL FAILED", severity="error", timeout=60, markup=False)
        else:
            self._pressed, self._reason = "flatten" if flatten else "halt", "operator"
            self._frozen = False
        while len(self.screen_stack) > 1 and self.screen.is_modal:
            self.pop_screen()
        self.frame()

    # commands

    def _submit(self, label: str, act: str, token: int, detail: str) -> None:
        try:
            self._pending[self.face.submit(act, token, detail)] = label
        except Exception as error:  # noqa: BLE001 - a UI action: the operator must read that it failed
            self._say(f"{label}: {error!r}", done=False)
            self.notify(f"{label}: {error!r}", severity="error", markup=False)
        self.frame()

    def on_paned_decided(self, message: Paned.Decided) -> None:
        """Submit what was decided on a screen."""
        self._submit(message.label, *message.command)

    def _chosen(self, row_type: type[_Row]) -> _Row | None:
        table = self.focused
        row = table.chosen if isinstance(table, LiveTable) else None
        return row if isinstance(row, row_type) else None

    def action_exit_position(self) -> None:
        """Ask whether to exit every rung of the symbol under the cursor."""
        row = self._chosen(PositionRow)
        if row is None:
            return
        board, symbol = self.face.board, row.symbol
        rungs = [r for r in board.positions.rows[:] if r.symbol == symbol]
        token = next((r.token for r in board.watch.rows[:] if r.symbol == symbol), 0)
        if not rungs or not token:
            why = "is flat already" if not rungs else "is not under watch, so its instrument is not known here"
            self.notify(f"{symbol} {why}", severity="warning", markup=False)
            return
        quantity = sum(r.quantity for r in rungs)
        side = "SELL" if quantity > 0 else "BUY"
        last = rungs[-1].ltp
        body = (
            f"{side} {count(abs(quantity))} {symbol} at about {price(last)}\n"
            f"{len(rungs)} rung{'s' if len(rungs) > 1 else ''} · worth {price(abs(quantity) * last)} · "
            f"P&L {gain(sum(r.pnl for r in rungs)).strip()}\n"
            "Its GTTs are deleted with it."
        )
        self._ask(f"Exit {symbol}?", body, f"{side} {count(abs(quantity))}", f"exit {symbol}", ("exit", token, symbol))

    async def action_trace_order(self) -> None:
        """Show the life of the order under the cursor, read from the journal beside the loop."""
        row = self._chosen(OrderRow)
        if row is None:
            return
        try:
            lines = await asyncio.to_thread(self.face.trace, row.key)
        except PatangError as error:
            self.notify(str(error), severity="warning", markup=False)
            return
        title = f"{row.side} {count(row.quantity)} {row.symbol} · {state(row)}"
        self.push_screen(Help(self.face.board.header.mode, title, Text("\n".join(map(plain, lines)))))
        self.frame()

    def action_cancel_order(self) -> None:
        """Ask whether to cancel the order under the cursor."""
        row = self._chosen(OrderRow)
        if row is None:
            return
        if row.strategy == "external":
            self.notify(f"{row.symbol} {row.side}: somebody else's order; it is never touched", severity="warning")
            return
        if state(row) in ENDED:
            self.notify(f"{row.symbol} {row.side}: {state(row)}; nothing to cancel", severity="warning", markup=False)
            return
        body = f"{row.side} {count(row.quantity)} {row.symbol} at {price(row.price) or 'market'}, {count(row.filled)} filled"
        label = f"cancel {row.side} {row.symbol}"
        self._ask(f"Cancel this {row.purpose.lower()} order?", body, "Cancel order", label, ("cancel", 0, row.key))

    def _ask(self, title: str, body: str, yes: str, label: str, command: tuple[str, int, str]) -> None:
        def answered(go: bool | None) -> None:
            if go:
                self._submit(label, *command)

        self.push_screen(Question(self.face.board.header.mode, title, body, yes), answered)
        self.frame()

    # moving about

    async def action_quit(self) -> None:
        """Stop the desk and leave; with open positions ask first."""
        if isinstance(self.screen, Question):
            return
        rows = self.face.board.positions.rows[:]
        if not rows:
            self._leave(True)
            return
        bare = sum(naked(row) for row in rows)
        body = (
            f"{len(rows)} position{'s' if len(rows) > 1 else ''} open · P&L {gain(sum(row.pnl for row in rows)).strip()}\n"
            + (f"{bare} NAKED: no stop at the broker\n" if bare else "All protected at the broker; their GTTs stay.\n")
            + "Quitting stops the desk; it does not exit them."
        )
        self.push_screen(Question(self.face.board.header.mode, "Quit with open positions?", body, "Quit"), self._leave)
        self.frame()

    def _leave(self, go: bool | None) -> None:
        if go:
            self.face.stop()
            self.exit()

    def action_freeze(self) -> None:
        """Hold the display still, or let it go on."""
        self._frozen = not self._frozen
        self.frame()

    async def action_back(self) -> None:
        """Leave the innermost thing."""
        if isinstance(self.screen, Paned) and (self.screen.back() or isinstance(self.screen, DeskScreen)):
            return
        self.action_show("desk")

    def action_show(self, name: str) -> None:
        """Switch to a screen."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        if name == "chart":
            self.push_screen(self._chart_screen())
        elif name == "risk":
            self.push_screen(self._risk_screen())
        self.call_after_refresh(self.frame)

    def _risk_screen(self) -> FullScreen:
        from tui.screens.risk import RiskScreen  # noqa: PLC0415 - not before the first paint

        if self._risk is None:
            self._risk = RiskScreen(self.face.board.header.mode, self.tones)
            self.install_screen(self._risk, "risk")
        return self._risk

    def _chart_screen(self) -> Any:
        from tui.screens.chart import ChartScreen  # noqa: PLC0415 - plotext costs as much as the rest of the app

        if self._chart is None:
            self._chart = ChartScreen(self.face.board.header.mode, self.face.spans, self.tones)
            self.install_screen(self._chart, "chart")
        return self._chart

    def on_live_table_opened(self, message: LiveTable.Opened) -> None:
        """Chart the symbol of the opened row."""
        symbol = getattr(message.row, "symbol", "")
        if symbol:
            self._chart_screen().choose(symbol)
            self.action_show("chart")

    def action_colours(self) -> None:
        """Take the next choice of what up and down look like."""
        names = list(DIRECTIONS)
        self.theme = names[(names.index(self.theme) + 1) % len(names)]
        self._tones = None
        for screen in self.screen_stack:
            if isinstance(screen, FullScreen):
                screen.restyle()
        self.notify(f"colours: {self.theme}", markup=False)

    def action_help(self) -> None:
        """Explain the focused pane and list every key."""
        from tui.screens.help import help_text  # noqa: PLC0415 - not before the first paint

        if self.screen.is_modal:
            return
        view = self.screen.current.table.view if isinstance(self.screen, Paned) else None
        title, body = help_text(view, self.keymap, self.tones())
        self.push_screen(Help(self.face.board.header.mode, title, body))
        self.frame()

    @property
    def keymap(self) -> Mapping[str, str]:
        """The keys that were remapped, by action id."""
        return self._keymap

    def action_command_palette(self) -> None:
        """Open the palette, unless a question stands."""
        from tui.screens.palette import Palette  # noqa: PLC0415 - not before the first paint

        if not self.screen.is_modal:
            self.push_screen(Palette(self.face.board.header.mode))
            self.frame()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Offer what can be done where the focus is."""
        scopes = screen.scopes if isinstance(screen, FullScreen) else {"anywhere"}
        for action in ACTIONS:
            if action.scope in scopes and action.id != "palette":
                yield SystemCommand(action.verb, action.help, lambda run=action.run: self._run(run))

    async def _run(self, run: str) -> None:
        await self.run_action(run, default_namespace=self.focused or self.screen)
