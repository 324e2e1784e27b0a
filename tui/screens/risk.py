"""The risk screen: differences from the broker's books, limits, governor, kill switch, what others do on the account."""

from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container

from engine.errors import ConfigError
from engine.trading.board import DifferenceRow, LimitRow
from engine.trading.limits import Change, checked, detail_of
from tui.actions import bindings
from tui.panes.differences import Differences, DifferencesTable
from tui.panes.externals import Externals
from tui.panes.kills import Kills
from tui.panes.limits import Limits, LimitsTable, figure
from tui.panes.queue import Queue
from tui.screens.paned import Paned
from tui.screens.question import Entry, Question
from tui.theme import Tones
from tui.widgets.live_table import LiveTable

NARROW, LOW = 100, 30
"""Below either of these the panes stand in one column."""


class RiskScreen(Paned):
    """Screen 6."""

    AUTO_FOCUS = "#differences"
    BINDINGS: ClassVar[list[BindingType]] = list(bindings("desk"))
    DEFAULT_CSS = """
    RiskScreen { background: $background; }
    RiskScreen.-low HeaderBar { height: 1; padding: 0; }
    RiskScreen #risk-panes {
        height: 1fr; layout: grid; grid-size: 2 3; grid-columns: 1fr 1fr; grid-rows: 2fr 3fr 2fr; grid-gutter: 0 1;
        #pane-differences { column-span: 2; }
    }
    RiskScreen #risk-panes.-column { layout: vertical; }
    RiskScreen #risk-panes.-column Pane { height: 1fr; }
    """

    def __init__(self, mode: str, tones: Callable[[], Tones]) -> None:
        super().__init__(
            mode, tones,
            [
                DifferencesTable(Differences(), tones), LimitsTable(Limits(), tones), LiveTable(Queue(), tones),
                LiveTable(Kills(), tones), LiveTable(Externals(), tones),
            ],
            "differences",
        )  # fmt: skip
        self._panes = Container(*self.panes.values(), id="risk-panes")
        self._zoomed = False
        self._mode = mode

    def compose(self) -> ComposeResult:
        """Stack bands, header, panes and footer."""
        yield self._bands
        yield self._header
        yield self._panes
        yield self._footer

    def on_resize(self, event: events.Resize) -> None:
        """Choose the arrangement for the size."""
        small = event.size.width < NARROW or event.size.height < LOW
        self.set_class(small, "-low")
        self._panes.set_class(small or self._zoomed, "-column")

    def look_at(self, name: str) -> None:
        """Bring a pane into sight."""
        super().look_at(name)
        self._arrange()

    def _arrange(self) -> None:
        self._panes.set_class(self._zoomed or self.has_class("-low"), "-column")
        for name, pane in self.panes.items():
            pane.display = not self._zoomed or name == self._current

    # the difference under the cursor

    def action_reconcile(self, choice: str) -> None:
        """Decide the difference under the cursor: ask for what is missing, and before anything that acts."""
        row = self.panes["differences"].table.chosen
        if not isinstance(row, DifferenceRow):
            return
        if choice not in row.choices:
            able = ", ".join(row.choices) or "nothing"
            self.notify(f"{row.key}: {row.kind} takes {able}", severity="warning", markup=False)
            return
        body, detail = f"The broker has {row.theirs}, we have {row.ours}.", f"{row.key} {choice}"
        if choice == "ignore":
            self._decide(detail)
        elif choice == "flatten":
            body += "\nShares leave at the market, an order is cancelled, a GTT is deleted."
            self._ask(f"Flatten {row.key}?", body, "Flatten", detail)
        elif choice == "assign":
            self._fill_in(f"Assign {row.key}", body, "strategy", lambda text: f"{detail} {text}" if text else "")
        elif "flatten" in row.choices:
            hint = "stop in percent; empty: as configured"
            self._fill_in(f"Adopt {row.key}", body, hint, lambda text: _with_stop(detail, text))
        else:
            self._ask(f"Take the broker's word on {row.key}?", body, "Adopt", detail)

    def action_ignore_all(self) -> None:
        """Ask whether to ignore every difference that may be ignored."""
        rows = self.panes["differences"].table.rows
        stand = sum(isinstance(row, DifferenceRow) and "ignore" in row.choices and not row.ignored for row in rows)
        if stand:
            body = "Each stays ignored until its figures change."
            self._ask(f"Ignore {stand} differences?", body, "Ignore", "all ignore")

    def _decide(self, detail: str) -> None:
        self.post_message(self.Decided(detail, ("reconcile", 0, detail)))

    def _ask(self, title: str, body: str, yes: str, detail: str) -> None:
        self.app.push_screen(Question(self._mode, title, body, yes), lambda go: self._decide(detail) if go else None)

    def _fill_in(self, title: str, body: str, hint: str, detail: Callable[[str], str]) -> None:
        def answered(text: str | None) -> None:
            if text is not None and (found := detail(text)):
                self._decide(found)

        self.app.push_screen(Entry(self._mode, title, body, hint), answered)

    # the limit under the cursor

    def action_limit(self) -> None:
        """Change the limit under the cursor for the rest of the day: ask for value and reason, and before a looser one."""
        row = self.panes["limits"].table.chosen
        if not isinstance(row, LimitRow):
            return
        now = figure(row.limit) if row.limit else "off"
        body = f"Now {now}, configured {figure(row.configured) if row.configured else 'off'}. Holds until the end of the day."

        def answered(text: str | None) -> None:
            if text:
                self._change(row, text)

        self.app.push_screen(
            Entry(self._mode, f"Change {row.name}", body, "value and reason: 15000 calm market"), answered
        )

    def _change(self, row: LimitRow, text: str) -> None:
        value, _, reason = text.partition(" ")
        try:
            change = Change(row.name, checked(row.name, float(value.replace(",", ""))), reason.strip(), "screen")
        except (ValueError, ConfigError) as error:
            told = str(error) if isinstance(error, ConfigError) else f"{value} is no number"
            self.notify(told, severity="warning", markup=False)
            return
        if not change.reason:
            self.notify("a reason is needed: value and reason", severity="warning", markup=False)
            return
        label, command = f"{row.name} {figure(change.value)}", ("limit", 0, detail_of(change, row.limit))
        if row.limit == 0 or 0 < change.value <= row.limit:
            self.post_message(self.Decided(label, command))
            return

        def answered(go: bool | None) -> None:
            if go:
                self.post_message(self.Decided(label, command))

        body = f"From {figure(row.limit)} to {figure(change.value) if change.value else 'off'}: {change.reason}"
        self.app.push_screen(Question(self._mode, f"Allow more: {row.name}?", body, "Allow"), answered)

    # panes

    def action_zoom(self) -> None:
        """Maximise the focused pane, or put it back."""
        self._zoomed = not self._zoomed
        self.turn_to(self._current)

    def back(self) -> bool:
        """Undo the filter, else the zoom; tell whether there was either."""
        if super().back():
            return True
        if self._zoomed:
            self.action_zoom()
            return True
        return False


def _with_stop(detail: str, stop: str) -> str:
    return f"{detail} stop={stop.removesuffix('%').strip()}" if stop else detail
