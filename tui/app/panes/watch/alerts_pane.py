"""Price alerts: what they wait for, and what has fired."""

from collections.abc import Sequence

from engine.board_rows import AlertRow, Board
from engine.numbers import price, time_of_day
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View


def alert_words(row: AlertRow) -> str:
    """Return what an alert waits for, as short as it is typed."""
    if row.way == "change":
        return f"{row.level:+g} %"
    return f"{row.way} {price(row.level)}"


class AlertsPaneView(View[AlertRow]):
    """One line per alert."""

    name = "alerts"
    title = "PRICE ALERTS"
    help = "Prices that are waited for, and those that were reached today: each says so once."
    empty = "no price alerts"
    columns = (
        PaneColumn("no", 3),
        PaneColumn("symbol", 10, 22, right=False, names="symbol"),
        PaneColumn("when", 16, 20, right=False),
        PaneColumn("", 20, 30, right=False),
    )

    def version(self, board: Board) -> int:
        """Return the version of the alerts."""
        return board.alerts.version

    def rows(self, board: Board) -> Sequence[AlertRow]:
        """Return the alerts in the order in which they were set."""
        return board.alerts.rows

    def cells(self, row: AlertRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one alert."""
        del now, widths
        what = (
            f"fired {time_of_day(row.fired)} at {price(row.at)}"
            if row.fired
            else "not under watch"
            if row.waits
            else f"since {time_of_day(row.made)}"
        )
        tone = "faint" if row.fired else "notice" if row.waits else "dim"
        return (
            PaneCell(str(row.number), "faint"),
            PaneCell(row.symbol, "faint" if row.fired else "strong"),
            PaneCell(alert_words(row), "faint" if row.fired else ""),
            PaneCell(what, tone, still=True),
        )
