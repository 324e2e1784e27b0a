"""What every screen of the desk has: the bands on top, and a pull once per frame."""

from typing import ClassVar, NamedTuple

from textual.screen import Screen

from engine.trading.board import Board
from tui.widgets.bands import Bands, KillState
from tui.widgets.notices import Notice
from tui.widgets.view import Cell


class Frame(NamedTuple):
    """One turn of the 10 Hz clock, as every screen sees it."""

    number: int
    board: Board
    lag: int
    """How old the engine's heartbeat is, ns; -1 before the first."""
    kill: KillState
    """What the board says, or what was pressed and the board does not say yet."""
    frozen: bool
    status: Cell
    """What became of the last command."""
    notices: list[Notice]


def show_bands(bands: Bands, frame: Frame) -> None:
    """Bring a screen's bands up to date."""
    header = frame.board.header
    note = "FROZEN · space resumes" if frame.frozen else header.place and f"at {header.place}, not Kite"
    bands.show(header.mode, note, header.speed, frame.kill)


class Drawn:
    """A screen that shows every frame."""

    def draw(self, frame: Frame) -> None:
        """Show one frame."""
        raise NotImplementedError


class FullScreen(Drawn, Screen[None]):
    """A screen that fills the terminal."""

    ALLOW_SELECT: ClassVar[bool] = False

    @property
    def scopes(self) -> set[str]:
        """The scopes of actions in reach."""
        return {"anywhere"}

    def restyle(self) -> None:
        """Paint everything anew in the theme of now."""
        self.refresh()
