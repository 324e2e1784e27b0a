"""The risk screen: differences, limits, governor, kill switch, others on the account."""

from collections.abc import Callable

from msgspec.structs import replace
from textual import events

from engine.board_rows import DifferenceRow, LimitRow
from engine.config.risk_limits import checked_value
from engine.errors import ConfigError
from engine.operator_requests import DecideRequest, DecisionChoice, LimitRequest
from engine.texts import plain_text
from tui.app.panes.differences_pane import DifferencesPaneView, DifferencesTable
from tui.app.panes.externals_pane import ExternalsPaneView
from tui.app.panes.kills_pane import KillsPaneView
from tui.app.panes.limits_pane import LimitsPaneView, LimitsTable, limit_figure
from tui.app.panes.queue_pane import QueuePaneView
from tui.app.screens.dialog_set import DialogSet
from tui.app.screens.modal_dialogs import EntryField
from tui.app.screens.paned_screen import PanedScreen
from tui.app.screens.screen_frame import ScreenFrame
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.theme import ToneStyles

NARROW, LOW = 100, 30
"""Below either of these the panes stand in one column."""


class RiskScreen(PanedScreen):
    """Screen 6."""

    AUTO_FOCUS = "#differences"
    DEFAULT_CSS = """
    RiskScreen #risk-panes {
        height: 1fr; layout: grid; grid-size: 2 4; grid-columns: 4fr 3fr;
        grid-rows: 4fr 3fr 3fr 3fr; grid-gutter: 0 1;
        #pane-differences { column-span: 2; }
        #pane-limits { row-span: 3; }
    }
    RiskScreen #risk-panes.-agreed { grid-rows: 3 1fr 1fr 1fr; }
    RiskScreen #risk-panes.-column { layout: vertical; }
    RiskScreen #risk-panes.-column Pane { height: 1fr; }
    """

    def __init__(self, mode: str, tones: Callable[[], ToneStyles], dialogs: DialogSet) -> None:
        super().__init__(
            mode,
            tones,
            [
                DifferencesTable(DifferencesPaneView(), tones),
                LimitsTable(LimitsPaneView(), tones),
                LiveTable(QueuePaneView(), tones),
                LiveTable(KillsPaneView(), tones),
                LiveTable(ExternalsPaneView(), tones),
            ],
            "differences",
            "risk-panes",
        )
        self._dialogs = dialogs
        self._comes_up = True

    def on_screen_resume(self) -> None:
        """Begin where there is something to do."""
        self._comes_up = True

    def draw(self, frame: ScreenFrame) -> None:
        """Show one frame; differences have room only while there are some."""
        agreed = not frame.board.differences.rows
        self._panes.set_class(agreed, "-agreed")
        # An empty list would take the first keys of whoever comes to change a limit.
        if self._comes_up and agreed and self._current == "differences":
            self.turn_to("limits")
        self._comes_up = False
        super().draw(frame)

    @property
    def scopes(self) -> set[str]:
        """The keys in reach; those of a difference only while there is one."""
        # keys that could do nothing are not offered
        none = not self.panes["differences"].table.rows
        return super().scopes - ({"differences"} if none else set())

    def on_resize(self, event: events.Resize) -> None:
        """Choose the arrangement for the size."""
        small = event.size.width < NARROW or event.size.height < LOW
        self.set_class(small, "-low")
        self._panes.set_class(small or self._zoomed, "-column")

    def look_at(self, name: str) -> None:
        """Bring a pane into sight."""
        super().look_at(name)
        self._arrange_panes()

    def _arrange_panes(self) -> None:
        self._panes.set_class(self._zoomed or self.has_class("-low"), "-column")
        for name, pane in self.panes.items():
            pane.display = not self._zoomed or name == self._current

    # the difference under the cursor

    def action_reconcile(self, choice: DecisionChoice) -> None:
        """Decide the difference under the cursor.

        Ask for missing figures, and before any choice that acts.
        """
        row = self.panes["differences"].table.chosen
        if not isinstance(row, DifferenceRow):
            return
        if choice not in row.choices:
            able = ", ".join(row.choices) or "nothing: it is looked at again by itself"
            self.notify(f"{row.key}: {row.kind} takes {able}", severity="warning", markup=False)
            return
        body = plain_text(f"The broker has {row.theirs}, we have {row.ours}.")
        request = DecideRequest(row.key, choice)
        if choice == "ignore":
            self._post_decision(request)
        elif choice == "flatten":
            body += "\nShares leave at the market, an order is cancelled, a GTT is deleted."
            self._ask_decision(f"Flatten {row.key}?", body, "Flatten", request)
        elif choice == "assign":
            self._ask_detail(
                f"Assign {row.key}",
                body,
                EntryField("strategy", "its name"),
                lambda text: "" if text else "a strategy is needed",
                lambda text: replace(request, strategy=text),
            )
        # shares: a ladder of ours needs a stop, an order or a GTT does not
        elif "flatten" in row.choices:
            field = EntryField("stop, in percent below the price", "empty: as configured")
            self._ask_detail(
                f"Adopt {row.key}",
                body,
                field,
                _stop_complaint,
                lambda text: replace(request, stop=_read_stop(text)),
            )
        else:
            self._ask_decision(f"Take the broker's word on {row.key}?", body, "Adopt", request)

    def action_ignore_all(self) -> None:
        """Ask whether to ignore every difference that may be ignored."""
        rows = self.panes["differences"].table.rows
        stand = sum(
            isinstance(row, DifferenceRow) and "ignore" in row.choices and not row.ignored
            for row in rows
        )
        if stand:
            body = "Each stays ignored until its figures change."
            self._ask_decision(
                f"Ignore {stand} differences?", body, "Ignore", DecideRequest("all", "ignore")
            )

    def _post_decision(self, request: DecideRequest) -> None:
        self.post_message(self.DecisionMade(_decision_label(request), request))

    def _ask_decision(self, title: str, body: str, yes: str, request: DecideRequest) -> None:
        self._dialogs.ask_question(
            title, body, yes, lambda: self._post_decision(request), keep="Leave it"
        )

    def _ask_detail(
        self,
        title: str,
        body: str,
        field: EntryField,
        check: Callable[[str], str],
        decision: Callable[[str], DecideRequest],
    ) -> None:
        def wrong(texts: list[str]) -> str:
            return check(texts[0])

        self._dialogs.ask_entry(
            title, body, [field], wrong, lambda texts: self._post_decision(decision(texts[0]))
        )

    # the limit under the cursor

    def action_limit(self) -> None:
        """Change the limit under the cursor for the rest of the day.

        Ask for value and reason, and before a looser one.
        """
        row = self.panes["limits"].table.chosen
        if not isinstance(row, LimitRow):
            return
        now = limit_figure(row.limit) if row.limit else "off"
        body = (
            f"Now {now}, configured {limit_figure(row.configured) if row.configured else 'off'}. "
            "Holds until the end of the day."
        )

        def wrong(texts: list[str]) -> str:
            try:
                _read_limit_change(row, *texts)
            except ConfigError as error:
                return str(error)
            return ""

        self._dialogs.ask_entry(
            f"Change {row.name}",
            body,
            [EntryField("value", now), EntryField("reason", "why, for the record")],
            wrong,
            lambda texts: self._submit_limit_change(row, _read_limit_change(row, *texts)),
        )

    def _submit_limit_change(self, row: LimitRow, change: LimitRequest) -> None:
        """Submit a change; one that allows more asks first."""

        def decided() -> None:
            label = f"{row.name} {limit_figure(change.value)}"
            self.post_message(self.DecisionMade(label, change))

        # a limit that was off can only become stricter, and 0 takes it away
        if row.limit == 0 or 0 < change.value <= row.limit:
            decided()
            return
        body = (
            f"From {limit_figure(row.limit)} to "
            f"{limit_figure(change.value) if change.value else 'off'}: {change.reason}"
        )
        self._dialogs.ask_question(
            f"Allow more: {row.name}?", body, "Allow", decided, keep="Leave it"
        )


def _decision_label(request: DecideRequest) -> str:
    """Return a decision as the footer names it, whole: the strategy and the stop with it."""
    stop = f", stop {request.stop:g} %" if request.stop else ""
    return " ".join(filter(None, (request.key, request.choice, request.strategy))) + stop


def _read_limit_change(row: LimitRow, value: str, reason: str) -> LimitRequest:
    """Return the change that two texts mean; raise `ConfigError` for one that is none."""
    try:
        number = float(value.replace(",", ""))
    except ValueError:
        raise ConfigError(f"{value or 'nothing'} is no number") from None
    if not reason:
        raise ConfigError("a reason is needed")
    # by the bounds of the configuration: it would be refused behind the dialog otherwise
    value_set = checked_value(row.name, number)
    return LimitRequest(row.name, value_set, reason, "screen", confirmed=True)


def _read_stop(text: str) -> float:
    """Return a stop in percent, 0 where nothing is typed; raise `ValueError`."""
    return float(text.removesuffix("%")) if text else 0.0


def _stop_complaint(text: str) -> str:
    """Return the fault of a stop in percent; empty is as configured."""
    try:
        return "" if not text or 0 < _read_stop(text) < 100 else "between 0 and 100 percent"
    except ValueError:
        return f"{text} is no number of percent"
