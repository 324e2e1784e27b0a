"""Bytes of whole sessions on a line, counted, whatever the machine's speed."""

import pytest
from rich.color import ColorSystem
from textual._compositor import CompositorUpdate

from tests.tui.fake import FakeDesk
from tests.tui.test_app import Clock
from tui.app.app import PatangApp
from tui.app.screen_painter import ScreenPainter

FRAMES = 10
SECOND = 1_000_000_000


class Counted(PatangApp):
    """The app with every byte that a terminal would be sent counted."""

    sent = 0

    def on_load(self):
        self.painter = ScreenPainter(ColorSystem.TRUECOLOR)

    def _display(self, screen, renderable):
        if isinstance(renderable, CompositorUpdate) and not self._batch_count:
            self.painter.take_update(renderable)
            while self.painter.has_due_rows:
                self.sent += len(self.painter.next_piece().encode())


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize(("speed", "share", "budget"), [(1, 0.1, 20_000), (10, 1.0, 60_000)])
async def test_a_second_of_the_desk_stays_within_its_budget(size, speed, share, budget):
    face = FakeDesk()
    app = Counted(face, clock=Clock(), fps=0, tune_gc=False)
    async with app.run_test(size=size) as pilot:
        for _ in range(3):  # until flashes come and go as they do for hours
            face.step(speed * SECOND // FRAMES, share)
            app.frame()
            await pilot.pause()
        app.sent = 0
        for _ in range(FRAMES):
            face.step(speed * SECOND // FRAMES, share)
            app.frame()
            await pilot.pause()
        assert 0 < app.sent <= budget, app.sent
