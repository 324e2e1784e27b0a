"""The strategies screen: every strategy, and parameters, decisions and trades of one."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from rich.text import Text
from textual import events

from engine.board_rows import OTHERS, DecisionRow, ParameterRow, StrategyRow
from engine.errors import PatangError
from engine.manual.strategy_acts import FIXED
from engine.numbers import counted, gain
from engine.operator_requests import (
    SetParametersRequest,
    StartStrategyRequest,
    StopStrategyRequest,
)
from engine.texts import plain_text
from tui.app.desk_port import DeskPort
from tui.app.panes.strategies_pane import (
    ParametersPaneView,
    ParametersTable,
    StrategiesPaneView,
    StrategiesTable,
    bounds_text,
    signal_text,
)
from tui.app.panes.strategy_day_pane import (
    DecisionLine,
    DecisionsPaneView,
    DecisionsTable,
    FaultPaneView,
    StrategyTradesPaneView,
)
from tui.app.screens.dialog_set import DialogSet
from tui.app.screens.modal_dialogs import EntryField
from tui.app.screens.paned_screen import PanedScreen
from tui.app.screens.screen_frame import ScreenFrame
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.theme import ToneStyles

NARROW: Final = 110
"""Cells below which one pane at a time stands below the list."""
LOW: Final = 30
MOST_ROWS: Final = 8
"""Strategies that the list shows at the same time, at most."""
AGAIN: Final = 50
"""Frames between two looks at the totals of the store."""
WHO: Final = "screen"


class StrategiesScreen(PanedScreen):
    """Screen 5."""

    AUTO_FOCUS = "#strategies"
    DEFAULT_CSS = """
    StrategiesScreen #strategy-panes {
        height: 1fr; layout: grid; grid-size: 2 3; grid-columns: 2fr 3fr;
        grid-gutter: 0 1;
        #pane-strategies { column-span: 2; }
        #pane-parameters { row-span: 2; }
    }
    StrategiesScreen #strategy-panes.-column { layout: vertical; }
    """

    def __init__(
        self, mode: str, face: DeskPort, tones: Callable[[], ToneStyles], dialogs: DialogSet
    ) -> None:
        self._list = StrategiesPaneView()
        self._parameters = ParametersPaneView()
        self._decisions = DecisionsPaneView()
        self._trades = StrategyTradesPaneView()
        self._fault = FaultPaneView()
        super().__init__(
            mode,
            tones,
            [
                StrategiesTable(self._list, tones),
                ParametersTable(self._parameters, tones),
                DecisionsTable(self._decisions, tones),
                LiveTable(self._trades, tones),
                LiveTable(self._fault, tones),
            ],
            "strategies",
            "strategy-panes",
        )
        self._face = face
        self._dialogs = dialogs
        self._below = "parameters"
        """The pane below the list, where there is room for one."""
        self._has_failed = False
        self._height = 3
        self._trips = self._read_at = -AGAIN
        self._reading: set[asyncio.Task[None]] = set()

    # frames and rooms

    def on_resize(self, event: events.Resize) -> None:
        """Choose the arrangement for the size."""
        self.set_class(event.size.height < LOW, "-low")
        self._arrange_panes()

    def look_at(self, name: str) -> None:
        """Bring a pane into sight."""
        super().look_at(name)
        if name != "strategies":
            self._below = name
        self._arrange_panes()

    def _arrange_panes(self) -> None:
        column = self._zoomed or self.size.width < NARROW or self.size.height < LOW
        self._panes.set_class(column, "-column")
        self._panes.styles.grid_rows = f"{self._height} 3fr 2fr"
        self.panes["strategies"].styles.height = (
            self._height if column and not self._zoomed else "1fr"
        )
        # The fault takes the room of the trades: what a failed strategy did is the smaller news.
        hidden = "trades" if self._has_failed and self._below != "trades" else "fault"
        below = self._below if self._below != "fault" or self._has_failed else "parameters"
        for name, pane in self.panes.items():
            if self._zoomed:
                pane.display = name == self._current
            elif column:
                pane.display = name in {"strategies", below}
            else:
                pane.display = name != hidden

    def action_pane(self, step: int) -> None:
        """Focus the next or the previous pane; a fault only where there is one."""
        names = [name for name in self.panes if name != "fault" or self._has_failed]
        at = names.index(self._current) if self._current in names else 0
        self.turn_to(names[(at + step) % len(names)])

    def draw(self, frame: ScreenFrame) -> None:
        """Show one frame, below the list that of the strategy under its cursor."""
        row = self.pointed_strategy
        name = row.name if row is not None else ""
        self._list.pointed = name
        for view in (self._parameters, self._decisions, self._trades, self._fault):
            view.choose(name)
        # The view is a function of the board; the cursor is the table's.
        pointed: Any = self.panes["parameters"].table.chosen
        self._parameters.pointed = pointed
        failed = row is not None and row.state == "failed"
        if failed != self._has_failed:
            self._has_failed = failed
            self._arrange_panes()
        self._fit_list(len(frame.board.strategies.rows))
        super().draw(frame)
        self._refresh_totals(frame)

    def _fit_list(self, count: int) -> None:
        """Give the list as many lines as it has, and those of its title and heads."""
        most = MOST_ROWS if self.size.height >= LOW else MOST_ROWS // 2
        height = min(max(count, 1), most) + 2
        if height != self._height:
            self._height = height
            self._arrange_panes()

    @property
    def pointed_strategy(self) -> StrategyRow | None:
        """The strategy under the cursor of the list."""
        row: StrategyRow | None = self.panes["strategies"].table.chosen
        return row

    def pointed_orders(self) -> str:
        """Return the strategy whose orders are meant, where no row has a symbol."""
        row = self.pointed_strategy
        return row.name if row is not None and self._current in {"strategies", "parameters"} else ""

    # totals of the store

    def _refresh_totals(self, frame: ScreenFrame) -> None:
        """Read what each has earned in all beside the loop, when another trade is over."""
        trips = frame.board.trips.version
        if (
            trips == self._trips
            or frame.number - self._read_at < AGAIN
            or not frame.board.header.now
        ):
            return
        self._trips, self._read_at = trips, frame.number
        self._begin_reading(self._read_totals())

    async def _read_totals(self) -> None:
        try:
            # a slow disk must not hold up the screen
            earned = await asyncio.to_thread(self._face.strategy_totals)
        except PatangError as error:
            self.notify(str(error), severity="warning", markup=False)
            return
        self._list.show_earned(earned)

    def _begin_reading(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        # The loop keeps only a weak reference.
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    # acts

    def action_stop(self) -> None:
        """Ask whether to stop the strategy under the cursor, and whether to leave its positions."""
        row = self._own_strategy("stop")
        if row is None:
            return

        def body() -> str:
            now = self.pointed_strategy
            shown = now if now is not None and now.name == row.name else row
            held = f"{counted(shown.rungs, 'position')} · P&L {gain(shown.open_pnl).strip()}"
            return (
                f"Its entries end, and what has not filled is cancelled. It holds {held}: "
                "they stay protected, and stops go on trailing.\n"
                "It stays stopped for the day, over a restart as well; s starts it."
            )

        # No reason is asked for: whoever stops a strategy is in a hurry.
        def then(leave: bool) -> None:
            request = StopStrategyRequest(row.name, "no reason given", WHO, leave=leave)
            self.post_message(self.DecisionMade(f"stop {row.name}", request))

        self._dialogs.ask_choice(f"Stop {row.name}?", body, ("Stop", "Stop and exit"), then)

    def action_start(self) -> None:
        """Ask for the reason to start the strategy under the cursor."""
        row = self._own_strategy("start")
        if row is None:
            return
        if row.state not in {"stopped", "limit", "failed"}:
            self.notify(f"{row.name} runs", severity="warning", markup=False)
            return
        self._dialogs.ask_desk(
            f"Start {row.name}?",
            f"{row.state}: {row.why}\nIt is made anew from its file with the parameters of "
            "today, and shown the bars so far.",
            [EntryField("reason", "what you found, for the record")],
            lambda texts: "" if texts[0] else "a reason is needed",
            lambda texts: self._face.submit(StartStrategyRequest(row.name, texts[0], WHO)),
            self._face.outcome,
        )

    def action_change(self) -> None:
        """Ask for another value of the parameter under the cursor, for the rest of the day."""
        row: Any = self.panes["parameters"].table.chosen
        if not isinstance(row, ParameterRow):
            return
        # a form that can only be refused would cost a reason first
        if row.is_fixed:
            told = f"{row.name} holds for the day; {FIXED[row.name]}"
            self.notify(told, severity="warning", markup=False)
            return
        body = f"{row.meaning}\n{bounds_text(row)} Now {row.value}"
        body += f", configured {row.configured}. " if row.value != row.configured else ". "
        body += "Holds until the end of the day; positions keep what they were entered with."
        self._dialogs.ask_desk(
            f"Change {row.name} of {row.strategy}",
            body,
            [EntryField("value", row.value), EntryField("reason", "why, for the record")],
            _change_fault,
            lambda texts: self._face.submit(
                SetParametersRequest(row.strategy, {row.name: texts[0]}, texts[1], WHO)
            ),
            self._face.outcome,
        )

    def _own_strategy(self, act: str) -> StrategyRow | None:
        row = self.pointed_strategy
        if row is not None and row.name == OTHERS:
            self.notify(f"{OTHERS}: no strategy, nothing to {act}", severity="warning")
            return None
        return row

    # decisions

    def action_shown(self) -> None:
        """Show all decisions, the refused, or the sent ones."""
        self._decisions.turn_shown()

    async def action_trace(self) -> None:
        """Show the way of the decision under the cursor, or of the strategy's last one."""
        decision = self._pointed_decision()
        if decision is None:
            self.notify("it has asked for nothing today", severity="warning")
            return
        try:
            # a slow disk must not hold up the screen
            lines = await asyncio.to_thread(self._face.trace, f"D{decision.number}")
        except PatangError as error:
            self.notify(str(error), severity="warning", markup=False)
            return
        text = Text("\n".join(["", *map(plain_text, lines)]))
        self._dialogs.explain(f"{decision.strategy} · {signal_text(decision)}", text)

    def _pointed_decision(self) -> DecisionRow | None:
        line: Any = self.panes["decisions"].table.chosen
        if self._current == "decisions" and isinstance(line, DecisionLine):
            return line.decision
        row = self.pointed_strategy
        return row.signal if row is not None else None

    def on_live_table_row_opened(self, message: LiveTable.RowOpened) -> None:
        """Go on from a strategy to its decisions; from any other row to the chart, as elsewhere."""
        if isinstance(message.row, StrategyRow):
            # Before the app charts it: a strategy has no symbol.
            message.stop()
            failed = message.row.state == "failed"
            self.turn_to("fault" if failed else "decisions")


def _change_fault(texts: list[str]) -> str:
    """Return what is missing of a change; its value is for the desk to judge."""
    return "a value is needed" if not texts[0] else "" if texts[1] else "a reason is needed"
