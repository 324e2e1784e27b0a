"""A desk without an engine for attached screens, and an engine beside a screen in one process.

As a script it is the desk: `screen_desk.py SYMBOLS SHARE` moves the share of its symbols ten times
a second until it is ended, and then prints the processor time, in percent of a core, of the thread
that serves its screens.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def serve(symbols: int, share: float) -> None:
    """Be a sandbox's desk of a state folder until a signal."""
    sys.path.insert(0, str(ROOT))
    from engine.operator_requests import done
    from engine.ops.control_socket import ControlSocket, socket_path
    from engine.orders.killswitch import KillSwitch
    from engine.system.file_hold import FileHold
    from tests.tui.fake import FakeDesk
    from tui.attach.screen_server import ScreenServer
    from tui.run.session import lock_of

    folder = Path(os.environ["XDG_STATE_HOME"]) / "patang" / "sandbox"
    folder.mkdir(parents=True, mode=0o700)
    face = FakeDesk(symbols=symbols)
    face.describe = lambda: {"mode": "SANDBOX", "state": "running"}
    face.outcome = lambda _: done()
    # By its lock `patang attach` finds a desk, as it would the real one.
    hold = FileHold(lock_of(folder), "the bench's desk", "wait")
    server = ScreenServer(face.board, lambda _: face, folder, lambda *_: None, print)
    door = ControlSocket(
        socket_path(folder), face, KillSwitch(folder / "KILL"), print, server.receive
    )
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    print("there", flush=True)
    due, began, cpu = time.monotonic(), 0.0, 0.0
    while not ended.is_set():
        face.step(share=share)
        face.board.heartbeat = time.monotonic_ns()
        # From the first screen on: a desk to which nobody attaches has no such thread.
        if server.seats and not began:
            began, cpu = time.monotonic(), _thread_time(server)
        due = max(due + 0.1, time.monotonic())
        ended.wait(due - time.monotonic())
    # The thread's own time: the moving of the board is not the screens' doing.
    told = 100 * (_thread_time(server) - cpu) / (time.monotonic() - began) if began else 0.0
    door.close()
    server.close("the bench is over")
    hold.release()
    print(json.dumps({"core": told}), flush=True)


def _thread_time(server: object) -> float:
    thread = server._thread
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident)) if thread else 0.0


def beside_a_screen(port: int, seconds: int, packets: int) -> None:
    """Run the live path in a thread, under a screen that shows its 9,000 instruments.

    Prints the commands' times, s on the clock: of everything from their frame on.
    """
    sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
    import live_path

    from tests.tui.fake import FakeDesk
    from tui.app.app import PatangApp
    from tui.app.screen_runner import HANDOVER_S

    sys.setswitchinterval(HANDOVER_S)
    face, told = FakeDesk(symbols=live_path.INSTRUMENTS), []
    # What is waited for counts here: the interpreter's lock is what a screen takes away.
    live_path.time.thread_time_ns = time.perf_counter_ns

    def engine() -> None:
        told.append(live_path.patang(port, seconds, packets))
        app.call_from_thread(app.exit)

    def move() -> None:
        rows = face.board.watch.rows
        # A tenth of them in each frame: every instrument moves once a second.
        for place in range(app._frame % 10, len(rows), 10):
            row = rows[place]
            face.board.watch.put(row.token, row._replace(volume=row.volume + 10))
        face.now += 100_000_000
        face._header()
        face.board.heartbeat = time.monotonic_ns()

    class Beside(PatangApp):
        def frame(self) -> None:
            move()
            super().frame()

    app = Beside(face, on_picture=lambda: threading.Thread(target=engine, daemon=True).start())
    app.run()
    Path(os.environ["PATANG_BENCH_OUT"]).write_text(json.dumps(told[0]), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "beside":
        beside_a_screen(*map(int, sys.argv[2:]))
    else:
        serve(int(sys.argv[1]), float(sys.argv[2]))
