"""The app: one frame clock, the screens, the kill switch, the operator's requests."""

import asyncio
import contextlib
import gc
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

from rich.console import RenderableType
from textual import events
from textual._compositor import CompositorUpdate
from textual.actions import ActionParseResult
from textual.app import App
from textual.binding import BindingType
from textual.dom import DOMNode
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import ANSIToTruecolor, LineFilter, NoColor
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widgets import Input

from compiled.model.values import SECOND
from engine.board_rows import EXTERNAL, Board, EventRow
from engine.errors import PatangError
from engine.operator_requests import AcknowledgeRequest, EngineRequest
from tui.app.command_status import CommandStatus
from tui.app.desk_port import DeskPort
from tui.app.guide.screen_looks import DARK, ScreenLooks, recalled_looks, remember_looks
from tui.app.guided_tour import GuidedTour
from tui.app.operator_actions import OperatorActions
from tui.app.panes.events_pane import latest_events
from tui.app.panes.orders_pane import ENDED, order_state
from tui.app.positions.position_actions import PositionActions
from tui.app.preflight import PreflightWatch
from tui.app.replay_actions import ReplayActions
from tui.app.research_port import ResearchPort
from tui.app.screen_memory import ScreenMemory, keep_quietly
from tui.app.screens.action_palette import ActionPalette, PaletteChoice
from tui.app.screens.desk_layouts import LOW
from tui.app.screens.desk_screen import DeskScreen
from tui.app.screens.dialog_set import DialogSet
from tui.app.screens.paned_screen import PanedScreen
from tui.app.screens.screen_frame import DrawnScreen, FullScreen, ScreenFrame
from tui.app.terminal import TerminalDriver
from tui.app.watch_actions import WatchActions
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.notice_bar import MOST, NoticeList
from tui.app.widgets.seek_bar import SeekBar
from tui.app.widgets.status_bands import KillState
from tui.app.widgets.theme import DENSITIES, ToneStyles, make_theme
from tui.attach.screen_standing import REFUSED
from tui.key_actions import ACTIONS, BY_ID, KeyAction, key_caps, keys_of
from tui.keymap import check_keymap

if TYPE_CHECKING:
    from tui.app.screens.command_line import CommandLine

FLATTEN_WITHIN: Final = 3 * SECOND
"""A second press of the kill key within this time flattens."""

SPARED: Final = 5
"""Of so many frames one is drawn while a past day is on its way to a moment."""

_STOP_KEYS: Final = frozenset(BY_ID["kill"].keys.split(","))
_SETTLED_S: Final = 0.1
"""How long a key waits, at most, for the ones before it."""

_ACTS: Final = frozenset(action.run for action in ACTIONS if action.acts)
_STRENGTH: Final = {"": 0, "halt": 1, "flatten": 2}
KEPT_EVERY: Final = 10
"""Frames between two writes of what the screen remembers."""
SHOWN_S: Final = {"information": 6, "warning": 8, "error": 15}
"""Seconds a notice is shown."""
_NOTICE_TONES: Final = {"information": "", "warning": "notice", "error": "danger"}

_Row = TypeVar("_Row")


class PatangApp(App[None]):
    """The workstation on one desk.

    `clock` gives monotonic ns (for the second press of the kill key and the engine's heartbeat),
    `fps` is the frame rate (0: `frame` is called by hand), `looks` are the configured ones,
    `memory` has what is remembered of the last run, `keymap` remaps actions by id, `tune_gc`
    freezes the heap once everything is mounted, `on_picture` is called when the first frame has
    been shown. `on_welcome` makes it greet, and is called once that has been read;
    `preflight` makes it look before the open by itself.
    """

    TITLE = "patang"
    BINDINGS: ClassVar[list[BindingType]] = [
        *scope_bindings("anywhere"),
        *scope_bindings("replay"),
    ]
    # Textual's own would offer actions of no trader, and take the key
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Input > .input--placeholder { color: $ink-faint; }
    .-compact HeaderBar { height: 1; padding: 0; }
    """

    def __init__(
        self,
        face: DeskPort,
        *,
        clock: Callable[[], int] | None = None,
        fps: int = 10,
        looks: ScreenLooks = DARK,
        memory: ScreenMemory | None = None,
        keymap: Mapping[str, str] | None = None,
        tune_gc: bool = True,
        on_picture: Callable[[], None] | None = None,
        on_welcome: Callable[[], None] | None = None,
        preflight: bool = False,
    ) -> None:
        super().__init__()
        self._on_picture = on_picture
        self.face = face
        self._clock = clock or time.monotonic_ns
        self._fps = fps
        self._tune_gc = tune_gc
        self.memory = memory or ScreenMemory()
        self._configured = looks
        self._looks = recalled_looks(self.memory, looks)
        self._tones: ToneStyles | None = None
        self.show_looks(self._looks)
        self.set_keymap(check_keymap(keymap or {}))
        self._frame = 0
        self._frozen = False
        self._pressed = ""
        # no first press can pass for a second one
        self._pressed_at = -FLATTEN_WITHIN
        self._reason = ""
        self._commands = CommandStatus()
        self._event_seq = -1
        self._alarm_seq = -1
        self._told_of = face.board
        self._day_over = False
        self._notices = NoticeList()
        self._preflight = PreflightWatch(lambda: self.face.board, unasked=preflight)
        self._tour = GuidedTour(lambda: self.keymap, on_welcome)
        self._level = ""
        self.dialogs = DialogSet(self, lambda: self.face.board.header.mode, self.frame)
        self._operator = OperatorActions(self, face, self.dialogs)
        self._positions = PositionActions(self, face, self.dialogs)
        self._replay = ReplayActions(self, self.dialogs)
        self.watching = WatchActions(self, face, self.dialogs)
        self._screens_made: dict[str, Any] = {}
        self.research: ResearchPort | None = None
        """Where results are read, instead of a process of their own."""

    def get_driver_class(self) -> type[Driver]:
        """Drive a terminal in a way that survives its loss."""
        found = super().get_driver_class()
        return TerminalDriver if found is LinuxDriver else found

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Show what a screen has drawn.

        Textual's own way would queue every frame, however slow the line.
        """
        driver, update = self._driver, cast("object", renderable)
        if not isinstance(driver, TerminalDriver) or not isinstance(update, CompositorUpdate):
            super()._display(screen, renderable)
        elif self._running and not self._closed and not self._batch_count:
            driver.show_update(update)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Leave the sixteen colours as they are; without colours only attributes are left."""
        kept = [
            each for each in super().get_line_filters() if not isinstance(each, ANSIToTruecolor)
        ]
        sixteen = self._looks.shown_theme(self.console.color_system) == "ansi-16"
        return [NoColor()] if self.no_color and sixteen else kept

    @property
    def error(self) -> Exception | None:
        """What the screen has died of."""
        return self._exception

    def _print_error_renderables(self) -> None:
        """Print nothing: the runner of the app reports its end, and the log has the traceback."""

    async def on_event(self, event: events.Event) -> None:
        """Take each key when those before it have done all they do.

        Textual would send what is typed ahead on at once: before what a key opens is there, and a
        letter before the backspace in front of it.
        """
        # The kill switch waits for nothing, whatever stands before it.
        waits = isinstance(event, events.Key) and event.key not in _STOP_KEYS
        if isinstance(event, events.Key) and waits and not event.is_forwarded:
            field = self.focused if isinstance(self.focused, Input) else None
            if field is not None:
                await _settle_field(field)
            if await self._check_bindings(event.key, priority=True):
                return
            if not (field and event.is_printable) and await self._check_bindings(event.key):
                return
        await super().on_event(event)

    # frames

    def get_default_screen(self) -> Screen[Any]:
        """Begin at the desk."""
        desk = DeskScreen(self.face.board.header.mode, self.tones, self.watching.book, self.memory)
        desk.set_filters(self.memory.recall("filters", {}))
        return desk

    def on_mount(self) -> None:
        """Start the frame clock."""
        if self.memory.note:
            self.warn(self.memory.note)
        if self._fps:
            self.set_interval(1 / self._fps, self.frame)
        self.call_after_refresh(self._finish_mount)

    def _finish_mount(self) -> None:
        self.frame()
        if self._on_picture is not None:
            self.call_after_refresh(self._on_picture)
        if self._tune_gc:
            gc.collect()
            # what is mounted stays: without this each collection would walk through all of it
            gc.freeze()
            gc.set_threshold(50_000, 20, 1_000)

    def frame(self) -> None:
        """Show what the board says now, on every screen in sight."""
        self._frame += 1
        self.face.board.focus.drawn = self._clock()
        self._announce_alarms()
        if self.memory.is_changed and self._frame % KEPT_EVERY == 0:
            self.run_worker(self._keep_memory())
        self.watching.follow()
        for text in self._commands.take_outcomes(self.face.outcome, self._clock()):
            self.notify(text, severity="error")
        self._notices.expire(self._clock())
        self._drop_released_halt()
        self._show_day_end()
        if not self.face.standing.role and self._preflight.is_due():
            self.run_worker(self._show_preflight(asked=False), group="preflight")
        frame = self._current_frame()
        # the engine wants the time for getting there, and what rushes by is not read
        if frame.replay is not None and frame.replay.going and self._frame % SPARED:
            return
        # a modal leaves what is behind it in sight, and that goes on
        for screen in reversed(self.screen_stack):
            if isinstance(screen, DrawnScreen):
                screen.draw(frame)
            if not screen.is_modal:
                break

    async def _keep_memory(self) -> None:
        # a slow disk must not hold up the screen
        fault = await asyncio.to_thread(keep_quietly, self.memory)
        if fault:
            self.warn(fault)

    def _current_frame(self) -> ScreenFrame:
        board = self.face.board
        level = board.header.kill
        # until the engine says so the band shows what was pressed, and that it is not confirmed
        if _STRENGTH.get(level, 2) >= _STRENGTH[self._pressed]:
            self._pressed = ""
        lag = self._clock() - board.heartbeat if board.heartbeat else -1
        if self._pressed:
            kill = KillState(self._pressed, self._reason, confirmed=False)
        else:
            kill = KillState(level, board.header.kill_reason, confirmed=True, flat=_is_flat(board))
        return ScreenFrame(
            self._frame,
            board,
            lag=lag,
            kill=kill,
            frozen=self._frozen,
            status=self._commands.cell(self._clock()),
            notices=self._tour.lines(board.header.mode) + self._notices.shown,
            standing=self.face.standing.note,
            replay=self.face.moment,
        )

    def tones(self) -> ToneStyles:
        """Return the styles of the theme of now."""
        if self._tones is None:
            self._tones = ToneStyles(self.current_theme.variables)
        return self._tones

    def _announce_alarms(self) -> None:
        board = self.face.board
        if board is not self._told_of:
            # another moment of a day that is played: what led to it is no news
            self._told_of, self._alarm_seq = board, board.event_seq
        if board.event_seq == self._event_seq:
            return
        # An attached screen may have joined a desk that began anew, and counts anew.
        if board.event_seq < self._event_seq:
            self._alarm_seq = -1
        self._event_seq = board.event_seq
        alarms: list[EventRow] = []
        newest = self._alarm_seq
        for row in reversed(latest_events(board)):
            if row.seq <= self._alarm_seq:
                break
            newest = max(newest, row.seq)
            if row.level in {"alarm", "alert"}:
                alarms.append(row)
        self._alarm_seq = newest
        if alarms:
            self.bell()
        for row in reversed(alarms[:MOST]):
            self.notify(row.text, severity="error" if row.level == "alarm" else "warning")

    def _drop_released_halt(self) -> None:
        """Take the notice of a halt away when it is released."""
        level = self.face.board.header.kill
        if self._level and not level:
            self._notices.drop(*(f"{each}: " for each in _STRENGTH if each))
        self._level = level

    def _show_outcome(self, text: str, *, done: bool) -> None:
        self._commands.show_outcome(text, self._clock(), done=done)

    # the kill switch

    def action_kill(self) -> None:
        """Set the kill switch; the second press within three seconds flattens.

        Modals make way for the band.
        """
        now = self._clock()
        flatten = now - self._pressed_at <= FLATTEN_WITHIN
        self._pressed_at = now
        try:
            self.face.kill(flatten, "operator")
        except Exception as error:  # noqa: BLE001 - a UI action: the operator must read that it failed
            self.bell()
            # what was foreseen is a sentence; of anything else its kind says most
            why = str(error) if isinstance(error, PatangError) else repr(error)
            self._show_outcome(f"KILL FAILED: {why}", done=False)
            self.notify(why, title="KILL FAILED", severity="error", timeout=60)
        else:
            self._pressed, self._reason = "flatten" if flatten else "halt", "operator"
            self._frozen = False
        # nothing may stand over the band, and no question of before the halt is of use any more
        while len(self.screen_stack) > 1 and self.screen.is_modal:
            self.pop_screen()
        self.frame()

    # commands

    def submit(self, label: str, request: EngineRequest) -> None:
        """Hand a request to the engine; the footer shows what becomes of it."""
        try:
            self._commands.await_answer(self.face.submit(request), label)
        except Exception as error:  # noqa: BLE001 - a UI action: the operator must read that it failed
            self._show_outcome(f"{label}: {error!r}", done=False)
            self.notify(f"{label}: {error!r}", severity="error")
        self.frame()

    def on_paned_screen_decision_made(self, message: PanedScreen.DecisionMade) -> None:
        """Submit what was decided on a screen."""
        self.submit(message.label, message.request)

    def on_paned_screen_filter_kept(self, message: PanedScreen.FilterKept) -> None:
        """Remember the filter of a pane."""
        kept = {**self.memory.recall("filters", {}), message.pane: message.wanted}
        self.memory.remember("filters", {name: text for name, text in kept.items() if text})
        self._show_outcome(
            f"kept for the next time: /{message.wanted}" if message.wanted else "no filter kept",
            done=True,
        )

    def chosen(self, row_type: type[_Row]) -> _Row | None:
        """Return the row under the cursor, if it is of that type."""
        table = self.focused
        row = table.chosen if isinstance(table, LiveTable) else None
        return row if isinstance(row, row_type) else None

    def warn(self, text: str) -> None:
        """Show why nothing is done."""
        self.notify(text, severity="warning")
        self.frame()

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Show a line above the footer.

        It covers nothing, and one that is told again is counted.
        """
        del markup
        text = f"{title}: {message}" if title else message
        seconds = int(timeout or SHOWN_S[severity])
        self._notices.add(text, _NOTICE_TONES[severity], self._clock(), seconds)

    def follow(self, label: str, number: int) -> None:
        """Show in the footer what becomes of a request that has been handed in."""
        self._commands.await_answer(number, label)
        self.frame()

    def action_position(self, act: str) -> None:
        """Open the dialog of an act on the position or ladder under the cursor."""
        self._positions.open_act(act)

    async def action_tree(self) -> None:
        """Show what is behind the position or ladder under the cursor; in the tree, its trace."""
        if await self._positions.trace_row():
            return
        symbol = self._positions.tree_symbol()
        if symbol:
            self._screen_of("tree").choose(symbol)
            self.action_show("tree")

    def action_replay(self, act: str, way: int = 1) -> None:
        """Pause, step or move a past day that is played, forwards or backwards (-1)."""
        if self.screen.is_modal:
            return
        if self.face.replay is None:
            self.warn("that key is for a day that is over: patang replay")
        else:
            self._replay.act(self.face.replay, act, way)

    def on_command_line_moment_named(self, message: "CommandLine.MomentNamed") -> None:
        """Go to the moment that was named."""
        if self.face.replay is not None:
            self._replay.go_to(self.face.replay, message.place)

    def on_seek_bar_moment_sought(self, message: SeekBar.MomentSought) -> None:
        """Go to the time that was pointed at."""
        replay, ts = self.face.replay, message.ts
        if replay is not None:
            self._replay.attempt(lambda: replay.go_to_time(ts))

    def action_why(self) -> None:
        """Tell why the symbol under the cursor was bought today, or why not."""
        if symbol := self._pointed_symbol():
            self._operator.explain_symbol(symbol)

    async def action_trace_order(self) -> None:
        """Show the life of the order under the cursor."""
        await self._operator.trace_order()

    def action_cancel_order(self) -> None:
        """Ask whether to cancel the order under the cursor."""
        self._operator.cancel_order()

    def action_ticket(self, side: str) -> None:
        """Open a ticket for the symbol under the cursor, or the charted one at the cross-hair."""
        if self.screen.is_modal:
            return
        self._operator.open_ticket(side, *self.pointed_symbol())

    def action_modify_order(self) -> None:
        """Open a ticket that changes the order under the cursor."""
        self._operator.modify_order()

    def action_repeat_order(self) -> None:
        """Open a ticket like the order under the cursor."""
        self._operator.repeat_order()

    def action_watch(self, act: str, by: int = 0) -> None:
        """Do something with watch lists, symbols or price alerts."""
        if not self.screen.is_modal:
            self.watching.act(act, by)

    def show_symbol(self, symbol: str) -> None:
        """Look at a symbol on the screen of now, on a chart where it shows none."""
        screen = self.screen
        if not (isinstance(screen, FullScreen) and screen.show_symbol(symbol)):
            self.action_chart(symbol)
        self.frame()

    def pointed_symbol(self) -> tuple[str, float]:
        """Return the symbol that is pointed at, and the price (₹), 0.0 for none."""
        screen = self.screen
        at = screen.pointed_price()[1] if isinstance(screen, FullScreen) else 0.0
        return self._pointed_symbol(), at

    def _pointed_symbol(self) -> str:
        table, screen = self.focused, self.screen
        row = table.chosen if isinstance(table, LiveTable) else None
        symbol = screen.pointed_price()[0] if isinstance(screen, FullScreen) else ""
        return str(getattr(row, "symbol", symbol))

    def action_resume(self) -> None:
        """Ask for the reason to let a stopped desk go on."""
        if not self.screen.is_modal:
            self._operator.resume()

    def action_day(self) -> None:
        """Show the card of the day; once it is seen, its failures count as looked at."""
        from tui.app.screens.day_card import card_title, day_card  # noqa: PLC0415 - not before the first paint

        if self.screen.is_modal:
            return
        board, replay = self.face.board, self.face.replay
        score = replay.score() if replay is not None else ()
        self.dialogs.explain(
            card_title(board),
            day_card(board, self.tones(), score, low=self.size.height < LOW),
        )
        for row in board.failures.rows[:]:
            self.face.submit(AcknowledgeRequest(row.strategy))

    def action_preflight(self) -> None:
        """Show the card of the morning, once everything has been looked at."""
        if not self.screen.is_modal:
            self.notify("preflight: looking …")
            self.run_worker(self._show_preflight(asked=True), group="preflight", exclusive=True)

    async def _show_preflight(self, *, asked: bool) -> None:
        from tui.app.screens import preflight_card as card  # noqa: PLC0415 - not before the first paint

        checks = await self._preflight.look(tuple(self.face.command_options))
        self._notices.drop("preflight: ")
        passes = all(check.state == "ok" for check in checks)
        # Nothing is laid over a question that stands, and nobody is stopped by good news.
        if self.screen.is_modal or (passes and not asked):
            text = f"{card.preflight_summary(checks)} · P shows them"
            self.notify(text, severity="information" if passes else "warning")
        else:
            self.dialogs.explain(
                card.card_title(self.face.board), card.preflight_card(checks, self.tones())
            )

    def _show_day_end(self) -> None:
        """Show the card once the day is over, unless something else is being asked."""
        over = self.face.board.header.day_over
        # the card waits for the answer to whatever is being asked
        if over and not self._day_over and self.screen.is_modal:
            return
        if over and not self._day_over:
            self.action_day()
        self._day_over = over

    # moving about

    async def action_quit(self) -> None:
        """Stop the desk and leave; with open positions ask first."""
        research = self._screens_made.get("research")
        ending = await research.ending_jobs() if research is not None else []
        self._operator.quit(self._leave_app, ending)

    def _leave_app(self) -> None:
        self.face.stop()
        self.exit()

    def action_redraw(self) -> None:
        """Draw the whole screen anew."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.redraw()

    def action_refuse_suspend(self) -> None:
        """Say why the desk is not suspended."""
        self.warn(
            "ctrl+z would stop the engine with the screen: detach (in tmux: ctrl+b d), the desk "
            "goes on"
        )

    def action_freeze(self) -> None:
        """Hold the display still, or let it go on."""
        self._frozen = not self._frozen
        self.frame()

    async def action_back(self) -> None:
        """Leave the innermost thing."""
        if self._notices.clear():
            self.frame()
            return
        screen = self.screen
        # What is open is left first; on the bare desk there is only the tour to leave.
        if isinstance(screen, FullScreen) and screen.back():
            self.frame()
        elif isinstance(screen, DeskScreen):
            self._tour.end()
            self.frame()
        else:
            self.action_show("desk")

    def action_tour(self) -> None:
        """Begin the guided minute, or go to its next step."""
        self._tour.advance()
        self.frame()

    async def run_action(
        self,
        action: "str | ActionParseResult",
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Run an action; the tour goes on by what is done.

        Say so where this screen may not, or its desk is not there.
        """
        if action in _ACTS and self.face.standing.is_viewer:
            self.warn(REFUSED)
            return True
        try:
            ran = await super().run_action(action, default_namespace, namespaces)
        except PatangError as error:
            self.warn(str(error))
            return True
        if ran and isinstance(action, str):
            self._tour.note_action(action)
        return ran

    def action_show(self, name: str) -> None:
        """Switch to a screen; the watch list of the desk stands at the symbol of the one before."""
        full = [each for each in self.screen_stack if isinstance(each, FullScreen)]
        symbol = full[-1].pointed_price()[0] if full else ""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        if isinstance(self.screen, DeskScreen) and symbol:
            self.screen.point_at(symbol)
        if name != "desk":
            self.push_screen(self._screen_of(name))
        self.call_after_refresh(self.frame)

    def _screen_of(self, name: str) -> Any:
        """Return a screen by its name, made when it is first wanted."""
        if name not in self._screens_made:
            made = self._screens_made[name] = self._make_screen(name)
            if isinstance(made, PanedScreen):
                made.set_filters(self.memory.recall("filters", {}))
            self.install_screen(made, name)
        return self._screens_made[name]

    def _make_screen(self, name: str) -> FullScreen:
        # Each is imported by itself: none of them before the first paint.
        mode = self.face.board.header.mode
        if name == "chart":
            from tui.app.screens.chart_screen import ChartScreen  # noqa: PLC0415

            return ChartScreen(mode, self.face, self.tones, self.memory)
        if name == "depth":
            from tui.app.screens.depth_screen import DepthScreen  # noqa: PLC0415

            return DepthScreen(mode, self.face, self.tones)
        if name == "orders":
            from tui.app.screens.orders_screen import OrdersScreen  # noqa: PLC0415

            return OrdersScreen(mode, self.face, self.tones)
        if name == "strategies":
            from tui.app.screens.strategies_screen import StrategiesScreen  # noqa: PLC0415

            return StrategiesScreen(mode, self.face, self.tones, self.dialogs)
        if name == "research":
            from tui.app.research_client import ResearchClient  # noqa: PLC0415
            from tui.app.screens.research_screen import ResearchScreen  # noqa: PLC0415

            reader = self.research or ResearchClient(mode.lower(), self.face.command_options)
            return ResearchScreen(mode, self.tones, self.dialogs, reader)
        if name == "ops":
            from tui.app.screens.ops.ops_screen import OpsScreen  # noqa: PLC0415

            return OpsScreen(mode, self.face, self.tones, self.dialogs)
        if name == "tree":
            from tui.app.positions.tree_screen import TreeScreen  # noqa: PLC0415

            return TreeScreen(mode, self.tones)
        from tui.app.screens.risk_screen import RiskScreen  # noqa: PLC0415

        return RiskScreen(mode, self.tones, self.dialogs)

    def action_chart(self, symbol: str = "") -> None:
        """Chart a symbol: the one that is named, the one under the cursor, or the one before."""
        symbol = symbol or self._pointed_symbol()
        if symbol:
            self._screen_of("chart").choose(symbol)
        self.action_show("chart")

    def action_depth(self) -> None:
        """Show the book of the symbol under the cursor, or of the one that is charted."""
        symbol = self._pointed_symbol()
        if symbol:
            self._screen_of("depth").choose(symbol)
        self.action_show("depth")

    def on_live_table_row_opened(self, message: LiveTable.RowOpened) -> None:
        """Chart the symbol of the opened row."""
        symbol = getattr(message.row, "symbol", "")
        if symbol:
            self.action_chart(symbol)

    def action_looks(self) -> None:
        """Choose theme, what up and down look like, and density, each shown as it is come to."""
        from tui.app.guide.looks_dialog import LooksDialog  # noqa: PLC0415 - not before the first paint

        if not self.screen.is_modal:
            dialog, before = self.dialogs.modal(LooksDialog), self._looks
            dialog.prepare(before, self.show_looks)
            self.dialogs.open_dialog(dialog, lambda chosen: self._keep_looks(chosen or before))

    def action_density(self) -> None:
        """Take the other density."""
        at = DENSITIES.index(self._looks.density) + 1
        self._keep_looks(self._looks._replace(density=DENSITIES[at % len(DENSITIES)]))
        self._show_outcome(f"density: {self._looks.density}", done=True)

    def _keep_looks(self, looks: ScreenLooks) -> None:
        self.show_looks(looks)
        self._looks = looks
        remember_looks(self.memory, looks, self._configured)

    def show_looks(self, looks: ScreenLooks) -> ToneStyles:
        """Show everything in other looks; return their styles."""
        theme = make_theme(looks.shown_theme(self.console.color_system), looks.direction)
        # made when it is wanted: of the fifteen there are most runs show one
        self.register_theme(theme)
        self.theme = theme.name
        self.set_class(looks.density == "compact", "-compact")
        self._tones = None
        for screen in self.screen_stack if self._running else ():
            if isinstance(screen, FullScreen):
                screen.restyle()
        return self.tones()

    def action_help(self) -> None:
        """Explain the focused pane and list every key."""
        from tui.app.guide.help_text import help_text  # noqa: PLC0415 - not before the first paint
        from tui.app.guide.key_help import KeyHelp  # noqa: PLC0415

        if self.screen.is_modal:
            return
        view = self.screen.current.table.view if isinstance(self.screen, PanedScreen) else None
        near = view, self._active_scopes, self.keymap, self.tones()
        page = self.dialogs.modal(KeyHelp)
        page.prepare(help_text(*near)[0], lambda typed: help_text(*near, typed)[1])
        self.dialogs.open_dialog(page, lambda _: None)

    @property
    def keymap(self) -> Mapping[str, str]:
        """The keys that were remapped, by action id."""
        return self._keymap

    @property
    def _active_scopes(self) -> set[str]:
        own = self.screen.scopes if isinstance(self.screen, FullScreen) else {"anywhere"}
        return own if self.face.replay is None else {*own, "replay"}

    async def action_export_table(self) -> None:
        """Write the list with the focus to a file, and say where."""
        table = self.focused
        if not isinstance(table, LiveTable):
            return
        heads = [column.title for column in table.view.columns]
        rows = [heads, *(table.texts(row) for row in table.rows)]
        try:
            # a slow disk must not hold up the screen
            file = await asyncio.to_thread(self.face.export_rows, table.view.name, rows)
        except PatangError as error:
            self.warn(str(error))
            return
        self.notify(f"{len(rows) - 1} rows: {file}", markup=False)

    def action_orders_of(self) -> None:
        """Show the orders of all days in the symbol, or of the strategy, under the cursor."""
        screen = self.screen
        meant = screen.pointed_orders() if isinstance(screen, FullScreen) else ""
        if wanted := meant or self._pointed_symbol():
            self._screen_of("orders").filter(wanted)
        self.action_show("orders")

    def action_command_line(self) -> None:
        """Open the command line."""
        from tui.app.screens.command_line import CommandLine  # noqa: PLC0415 - not before the first paint

        if not self.screen.is_modal:
            line = self.dialogs.modal(CommandLine)
            line.prepare(self.face)
            self.dialogs.open_dialog(line, lambda _: None)

    def action_command_palette(self) -> None:
        """Open the palette, unless a question stands."""
        if self.screen.is_modal:
            return
        palette = self.dialogs.modal(ActionPalette)
        palette.prepare(self.palette_choices(), self.tones())
        self.dialogs.open_dialog(palette, self._run_choice)

    def action_jump(self) -> None:
        """Put letters over what can be gone to."""
        from tui.app.guide.jump_mode import JumpDialog, jump_targets  # noqa: PLC0415 - not before the first paint

        if not self.screen.is_modal:
            letters = self.dialogs.modal(JumpDialog)
            letters.prepare(jump_targets(self.screen, self._run_choice))
            self.dialogs.open_dialog(
                letters, lambda target: target.go() if target is not None else None
            )

    def palette_choices(self) -> list[PaletteChoice]:
        """Return every action, those out of reach behind the others, and a chart of each symbol."""
        from tui.app.guide.palette_choices import palette_choices  # noqa: PLC0415 - not before the first paint

        symbols = [row.symbol for row in self.face.board.watch.rows[:]]
        return palette_choices(self._active_scopes, self.keymap, symbols)

    def action_run_at_home(self, name: str) -> None:
        """Go to the screen and the pane an action belongs to, and run it there."""
        from tui.app.guide.palette_choices import PLACES  # noqa: PLC0415 - not before the first paint

        action = BY_ID[name]
        place = PLACES[action.scope]
        self.action_show(place.screen)
        self.call_after_refresh(self._arrive, action, place.pane)

    async def _arrive(self, action: KeyAction, pane: str) -> None:
        screen = self.screen
        if pane and isinstance(screen, PanedScreen):
            screen.turn_to(pane)
        self.frame()
        # it would act on a row that was not in sight when it was chosen
        if action.acts:
            cap = key_caps(keys_of(action, self.keymap))
            self.notify(f"{cap} {action.verb}: {action.help}")
            self.frame()
        else:
            self.call_after_refresh(self._run_palette_action, action.run)

    def _run_choice(self, run: str | None) -> None:
        if run is not None:
            self.call_after_refresh(self._run_palette_action, run)

    async def _run_palette_action(self, run: str) -> None:
        await self.run_action(run, default_namespace=self.focused or self.screen)


async def _settle_field(field: Input) -> None:
    """Wait until a field has taken what was typed, and its screen was told."""
    for node in field.ancestors_with_self:
        if isinstance(node, App):
            return
        taken = asyncio.Event()
        node.call_later(taken.set)
        # One that is being taken down takes nothing: the keys go on.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(taken.wait(), _SETTLED_S)


def _is_flat(board: Board) -> bool:
    """Return whether the board has nothing held, and no order of ours at work."""
    working = any(
        order_state(row) not in ENDED and row.strategy != EXTERNAL for row in board.orders.rows[:]
    )
    return bool(board.header.now) and not board.positions.rows and not working
