"""Cost of the screen: `python tests/tui/cost.py [symbols] [share] [seconds]` in a terminal.

Every tenth of a second `share` of the symbols get a new row; the CPU time spent on making them is
not counted.
"""

import asyncio
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.tui.fake import FakeDesk
from tui.app.app import PatangApp


class Cost(PatangApp):
    """The app on a board that changes, with a stopwatch."""

    share = 1.0
    seconds = 20.0
    result = ""

    def on_ready(self):
        self.run_worker(self.measure())

    async def measure(self):
        self.screen.turn_to("watch")
        await asyncio.sleep(2.0)
        own = frames = 0
        wall, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - wall < self.seconds:
            await asyncio.sleep(0.1)
            before = time.process_time()
            self.tick(frames)
            own += time.process_time() - before
            frames += 1
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu - own
        self.result = (
            f"{frames} updates, {self.size.width}x{self.size.height}, {100 * cpu / wall:.1f} % of "
            "a core"
        )
        self.exit()

    def tick(self, frame):
        watch = self.face.board.watch
        now = self.face.now = self.face.now + 100_000_000
        stride = max(round(1 / self.share), 1)
        for i in range(frame % stride, len(watch.rows), stride):
            row = watch.rows[i]
            ltp = round(row.ltp + (0.05 if (i + frame) % 3 else -0.05), 2)
            watch.put(
                row.token,
                row._replace(
                    ltp=ltp, bid=ltp - 0.05, ask=ltp + 0.05, volume=row.volume + 10, ts=now
                ),
            )
        self.face._header()


if __name__ == "__main__":
    numbers = [float(x) for x in sys.argv[1:]]
    app = Cost(FakeDesk(symbols=int(numbers[0]) if numbers else 500))
    app.share = numbers[1] if len(numbers) > 1 else 1.0
    app.seconds = numbers[2] if len(numbers) > 2 else 20.0
    app.run()
    print(app.result)
