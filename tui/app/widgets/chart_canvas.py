"""Widgets of the chart: a caption of two lines, and a drawing whose changed lines are painted."""

from rich.text import Text
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget


class ChartCaption(Widget):
    """Two lines above the chart: the bar in numbers, and the indicators at it."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "ChartCaption { height: 2; width: 100%; background: $panel; }"

    def __init__(self) -> None:
        super().__init__()
        self._text = Text(end="")

    def show_caption(self, text: Text) -> None:
        """Show the lines."""
        if text != self._text:
            self._text = text
            self.refresh()

    def render(self) -> Text:
        """Render the lines."""
        return self._text


class ChartCanvas(Widget):
    """The drawing; only the lines that have changed are painted."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "ChartCanvas { height: 1fr; width: 100%; background: $surface; }"

    class PointChosen(Message):
        """The operator clicked on a cell."""

        def __init__(self, column: int, row: int) -> None:
            super().__init__()
            self.column = column
            self.row = row

    class WheelTurned(Message):
        """The operator turned the wheel: -1 up, 1 down."""

        def __init__(self, way: int) -> None:
            super().__init__()
            self.way = way

    def __init__(self) -> None:
        super().__init__()
        self._strips: list[Strip] = []

    def show_strips(self, strips: list[Strip]) -> None:
        """Show a drawing."""
        before, self._strips = self._strips, strips
        if len(before) != len(strips):
            self.refresh()
            return
        changed = [
            Region(0, row, self.size.width, 1)
            for row, (old, new) in enumerate(zip(before, strips, strict=True))
            if old != new
        ]
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        if y < len(self._strips):
            return self._strips[y].adjust_cell_length(self.size.width, self.rich_style)
        return Strip.blank(self.size.width, self.rich_style)

    def on_click(self, event: events.Click) -> None:
        """Tell where."""
        self.post_message(self.PointChosen(event.x, event.y))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Tell which way."""
        event.stop()
        self.post_message(self.WheelTurned(-1))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Tell which way."""
        event.stop()
        self.post_message(self.WheelTurned(1))
