"""Frame of every screen of the desk: the bands on top, and a pull once per frame."""

from typing import ClassVar, NamedTuple

from textual.screen import Screen

from engine.board_rows import Board
from engine.day.replay_status import ReplayStatus
from tui.app.widgets.notice_bar import OperatorNotice
from tui.app.widgets.pane_view import PaneCell
from tui.app.widgets.status_bands import KillState, StatusBands


class ScreenFrame(NamedTuple):
    """One turn of the 10 Hz clock, as every screen sees it."""

    number: int
    board: Board
    lag: int
    """How old the engine's heartbeat is, ns; -1 before the first."""
    kill: KillState
    """What the board says, or what was pressed and the board does not say yet."""
    frozen: bool
    status: PaneCell
    """What became of the last command."""
    notices: list[OperatorNotice]
    standing: str = ""
    """What an attached screen is to its desk, and what is wrong with its picture."""
    replay: ReplayStatus | None = None
    """The moment of a past day that is played; None where the day is today."""

    def scopes(self, own: set[str]) -> set[str]:
        """Return the scopes of keys in reach of a screen that has these."""
        return own if self.replay is None else {*own, "replay"}


def show_bands(bands: StatusBands, frame: ScreenFrame) -> None:
    """Bring a screen's bands up to date."""
    header = frame.board.header
    note = (
        frame.replay.going
        if frame.replay is not None and frame.replay.going
        else "FROZEN · space resumes"
        if frame.frozen
        # whatever the mode is called, this is not where the money lies
        else header.place and f"at {header.place}, not Kite"
    )
    note = " · ".join(filter(None, (note, frame.standing)))
    bands.show_status(header.mode, note, header.speed, frame.kill)
    if frame.replay is not None:
        bands.show_replay(frame.replay)


class DrawnScreen:
    """A screen that shows every frame."""

    def draw(self, frame: ScreenFrame) -> None:
        """Show one frame."""
        raise NotImplementedError


class FullScreen(DrawnScreen, Screen[None]):
    """A screen that fills the terminal."""

    ALLOW_SELECT: ClassVar[bool] = False

    @property
    def scopes(self) -> set[str]:
        """The scopes of actions in reach."""
        return {"anywhere"}

    def back(self) -> bool:
        """Undo what was done to the view last; return whether there was anything."""
        return False

    def pointed_price(self) -> tuple[str, float]:
        """Return the symbol and the price that is pointed at: "" and 0.0 where none is."""
        return "", 0.0

    def pointed_orders(self) -> str:
        """Return whose orders are meant where the row under the cursor has no symbol."""
        return ""

    def show_symbol(self, symbol: str) -> bool:
        """Look at a symbol; return False where this screen shows none."""
        del symbol
        return False

    def restyle(self) -> None:
        """Paint everything anew in the theme of now."""
        self.refresh()
