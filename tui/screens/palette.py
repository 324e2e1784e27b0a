"""The command palette, below the bands."""

from textual.app import ComposeResult
from textual.command import CommandPalette

from tui.screens.frame import Drawn, Frame, show_bands
from tui.widgets.bands import Bands


class Palette(Drawn, CommandPalette):
    """Textual's palette, which leaves the bands in sight."""

    def __init__(self, mode: str) -> None:
        super().__init__(placeholder="Find an action …", id="--command-palette")
        self.bands = Bands(mode)

    def compose(self) -> ComposeResult:
        """Put the bands above the palette."""
        yield self.bands
        yield from super().compose()

    def draw(self, frame: Frame) -> None:
        """Keep the bands up to date."""
        show_bands(self.bands, frame)
