"""Every pane, dialog and notice with foreign text in all it shows.

Nothing of it reaches the terminal as an order.
"""

import re

import pytest
from rich.color import ColorSystem
from textual._compositor import CompositorUpdate
from textual.widgets import Static

from tests.foreign import HOSTILE, obeyed
from tests.tui.fake import FakeDesk
from tests.tui.test_app import Clock
from tui.app.app import PatangApp
from tui.app.screen_painter import ScreenPainter

OURS = re.compile(r"\x1b\[[\d;]*[mHG]")
"""What the painter itself sends: pens, and places."""
KEPT = {"key", "kind", "side", "purpose", "level", "name", "status", "rung", "choices"}
"""Fields that decide what a row is; each is foreign in a second round."""
TABLES = (
    "watch",
    "positions",
    "orders",
    "ladders",
    "risk",
    "limits",
    "kills",
    "queue",
    "differences",
    "externals",
    "strategies",
    "failures",
)
STEPS = (
    "",
    "escape",
    "positions x",
    "escape",
    "orders x",
    "escape",
    "orders t",
    "escape",
    "ctrl+r",
    "escape",
    "f1",
    "escape",
    "ctrl+p",
    "escape",
    "d",
    "escape",
    "2",
    "6",
    "differences a",
    "escape",
    "differences f",
    "escape",
    "limits e",
    "escape",
    "ctrl+q",
    "escape",
)
"""Keys, some in a pane."""
SCREENS = {
    "DeskScreen",
    "RiskScreen",
    "ChartScreen",
    "QuestionDialog",
    "EntryDialog",
    "HelpDialog",
    "ActionPalette",
}


class Shown(PatangApp):
    """The app with every byte kept that a terminal would be sent."""

    def on_load(self):
        self.painter, self.sent = ScreenPainter(ColorSystem.TRUECOLOR), ""

    def _display(self, screen, renderable):
        if isinstance(renderable, CompositorUpdate) and not self._batch_count:
            self.painter.take_update(renderable)
            while self.painter.has_due_rows:
                self.sent += self.painter.next_piece()


def foreign(value, name, kept):
    if isinstance(value, str):
        return value if name in kept else HOSTILE
    if isinstance(value, tuple) and value and all(isinstance(each, str) for each in value):
        return tuple(HOSTILE for _ in value)
    return value


def poison(face, kept):
    """Put foreign text into every text of the board, but for the fields in `kept`.

    Return how many.
    """
    count, board = 0, face.board
    for table in TABLES:
        rows = getattr(board, table)
        for key, row in [(row[0], row) for row in rows.rows[:]]:
            changes = {name: foreign(value, name, kept) for name, value in row._asdict().items()}
            count += sum(value == HOSTILE for value in changes.values())
            rows.put(
                key,
                row._replace(**changes)
                if "key" in kept or row._fields[0] != "key"
                else row._replace(**{**changes, "key": key}),
            )
    for level in ("info", "fill", "warn", "alarm"):
        face.event(level, HOSTILE)
    board.alarms = {HOSTILE: 2}
    board.header = board.header._replace(
        state=HOSTILE, phase=HOSTILE, then=HOSTILE, place=HOSTILE, kill="halt", kill_reason=HOSTILE
    )
    return count + 10


@pytest.mark.parametrize(
    ("kept", "steps"), [(KEPT, STEPS), ({"key"}, ("",))], ids=["texts", "everything"]
)
async def test_no_pane_lets_foreign_text_give_orders(kept, steps):
    face = FakeDesk()
    face.bound()
    face.differ()
    face.close()
    assert poison(face, kept) > 150
    face.trace = lambda _: [HOSTILE]
    app = Shown(face, clock=Clock(), fps=0, tune_gc=False)
    seen = set()
    async with app.run_test(size=(120, 40)) as pilot:
        for step in steps:
            *pane, key = step.split(" ")
            if pane:
                app.screen.turn_to(*pane)
                await pilot.pause()
                await pilot.press("G")
            if key:
                await pilot.press(key)
            app.warn(HOSTILE)
            app.frame()
            await pilot.pause()
            assert app._exception is None, step
            seen.add(type(app.screen).__name__)
            for widget in app.screen.query(Static):
                assert obeyed(str(widget.render())) == [], step
        assert "FORGED" in app.sent
    assert obeyed(OURS.sub("", app.sent)) == []
    assert len(steps) == 1 or seen >= SCREENS
