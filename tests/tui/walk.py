"""The app on the fake desk that writes down every action it runs: `walk.py FILE [replay]`."""

import asyncio
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from tests.tui.fake import FakeDesk  # noqa: E402 - the path comes first
from tests.tui.test_replay import FakeReplay  # noqa: E402 - the path comes first
from tests.tui.test_research import FakeResearch  # noqa: E402 - the path comes first
from tui.app.app import PatangApp  # noqa: E402 - the path comes first
from tui.app.widgets.live_table import LiveTable  # noqa: E402 - the path comes first


class Walked(PatangApp):
    """The app, with a line for each action: what was run, and where the focus then is."""

    def __init__(self, face, log):
        super().__init__(face, tune_gc=False)
        self.log_file = log.open("a", buffering=1)

    async def run_action(self, action, default_namespace=None, namespaces=None):
        ran = await super().run_action(action, default_namespace, namespaces)
        # The focus moves behind the action: it is looked at when that is done.
        self.call_later(self.note_action, action, ran)
        return ran

    def note_action(self, action, ran):
        focused = self.focused
        where = focused.view.name if isinstance(focused, LiveTable) else type(focused).__name__
        self.log_file.write(f"{action}\t{ran}\t{type(self.screen).__name__}\t{where}\n")

    async def keep_alive(self):
        while True:
            await asyncio.sleep(0.05)
            self.face.board.heartbeat = time.monotonic_ns()

    def on_ready(self):
        self.run_worker(self.keep_alive())
        self.log_file.write("ready\t\t\t\n")


if __name__ == "__main__":
    past = sys.argv[2:] == ["replay"]
    desk = FakeDesk("REPLAY" if past else "SANDBOX")
    if past:
        desk.replay = FakeReplay()
    desk.differ()
    desk.trade()
    app = Walked(desk, Path(sys.argv[1]))
    app.research = FakeResearch()
    app.run()
