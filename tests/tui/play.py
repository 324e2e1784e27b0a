"""Run the app on the fake desk in a terminal: `python tests/tui/play.py [MODE] [symbols]`."""

import asyncio
import sys
import time
from pathlib import Path

from engine.operator_requests import done

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

from fake import FakeDesk  # noqa: E402 - the path comes first

from tui.app.app import PatangApp  # noqa: E402 - the path comes first


class Play(PatangApp):
    """The app, with something that moves the board."""

    async def move(self):
        while True:
            await asyncio.sleep(0.1)
            self.face.step()
            self.face.board.heartbeat = time.monotonic_ns()
            for number in range(1, len(self.face.commands) + 1):
                if self.face.steps % 20 == 0:
                    self.face.outcomes.setdefault(number, done("order sent"))
            if self.face.steps % 300 == 0:
                self.face.event("alarm", "HDFCBANK naked for 3 s: protection order refused")

    def on_ready(self):
        self.run_worker(self.move())


if __name__ == "__main__":
    mode = sys.argv[1] if len(sys.argv) > 1 else "SANDBOX"
    Play(FakeDesk(mode, int(sys.argv[2]) if len(sys.argv) > 2 else 20)).run()
