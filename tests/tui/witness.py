"""The app on a stepped fake desk under a terminal.

What happens is told in lines on the file descriptor in WITNESS.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from tests.tui.fake import FakeDesk  # noqa: E402 - the path comes first
from tui.app.app import PatangApp  # noqa: E402 - the path comes first

STALLED = 8
"""Frames without the terminal taking anything after which it is stalled."""


class Witness(PatangApp):
    """The app; "frames", "stalled" and "killed" are told as they happen."""

    def tell(self, text):
        os.write(int(os.environ["WITNESS"]), f"{text}\n".encode())

    async def move(self):
        waiting = 0
        for number in range(100_000):
            await asyncio.sleep(0.05)
            self.face.step(share=1.0)
            self.face.board.heartbeat = time.monotonic_ns()
            self.frame()
            waiting = 0 if self._driver._line.is_idle else waiting + 1
            if waiting == STALLED:
                self.tell("stalled")
            if number % 8 == 0:
                self.tell("frames")

    def action_kill(self):
        super().action_kill()
        self.tell("killed")

    def on_ready(self):
        self.run_worker(self.move())


if __name__ == "__main__":
    app = Witness(FakeDesk(), fps=0)
    app.run()
    sys.exit(app.return_code or 0)
