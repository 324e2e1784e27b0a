"""A desk that screens can be attached to, without an engine, and screens in this process."""

import contextlib
import socket
import threading
import time
from pathlib import Path

from engine.operator_requests import AttachRequest, done
from engine.ops.control_socket import ControlSocket, socket_path
from engine.orders.killswitch import KillSwitch
from tests.tui.fake import FakeDesk
from tui.attach.desk_link import ScreenPass
from tui.attach.operator_passphrase import choose_passphrase, passphrase_file
from tui.attach.screen_server import ScreenServer

WORDS = "correct horse battery"
PATIENCE_S = 60
"""How long anything is waited for: a bound for failure."""


def wait_for(true, what=""):
    """Wait until something is so, and return it."""
    ends = time.monotonic() + PATIENCE_S
    while not (found := true()):
        assert time.monotonic() < ends, what
        time.sleep(0.01)
    return found


class AttachedDesk(FakeDesk):
    """A fake desk as its door and its attached screens need it; it notes what is done, by whom."""

    def __init__(self, symbols=20):
        super().__init__(symbols=symbols)
        self.acts = []
        self.alarms = []
        self.held = threading.Event()
        self.held.set()

    def describe(self):
        return {"state": "running"}

    def alarm(self, text):
        self.alarms.append(text)

    def port_of(self, who):
        """Return a port that acts in a name."""
        return DeskPortOf(self, who)


class DeskPortOf:
    """A port of one screen."""

    def __init__(self, desk, who):
        self._desk = desk
        self._who = who
        self.board = desk.board
        self.spans = desk.spans
        self.moment = desk.moment
        self.command_options = ("--config", "/x.toml")

    def submit(self, request) -> int:
        self._desk.acts.append((self._who, request))
        return self._desk.submit(request)

    def outcome(self, number):
        return self._desk.outcomes.get(number, done("as asked"))

    def trace(self, key: str) -> list[str]:
        assert self._desk.held.wait(PATIENCE_S)
        return self._desk.trace(key)

    def earlier_orders(self, now: int) -> list:
        return self._desk.earlier_orders(now)

    def past_commands(self) -> list[str]:
        return ["limits"]

    def keep_command(self, line: str) -> None:
        self._desk.kept.append(line)

    def resume(self, reason: str) -> None:
        self._desk.resumed.append((self._who, reason))

    def stop(self) -> None:
        self._desk.stopped = True


class Room:
    """A state folder with a desk, its door and its attached screens."""

    def __init__(self, home: Path, desk=None) -> None:
        self.folder = home / "sandbox"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = socket_path(self.folder)
        self.kill = KillSwitch(self.folder / "KILL")
        self.desk = desk or AttachedDesk()
        self.notes = []
        self.failures = []
        file = passphrase_file(self.folder)
        if not file.exists():
            choose_passphrase(file, WORDS)
        self.open()

    def open(self):
        self.server = ScreenServer(
            self.desk.board,
            self.desk.port_of,
            passphrase_file(self.folder),
            lambda *note: self.notes.append(note),
            lambda *failure: self.failures.append(failure),
        )
        self.door = ControlSocket(self.path, self.desk, self.kill, self._fail, self.server.receive)

    def _fail(self, *failure):
        self.failures.append(failure)

    def close(self, farewell="P&L 0.00"):
        self.door.close()
        self.server.close(farewell)


def viewer(where="pts/1"):
    return ScreenPass("viewer", where)


def operator(where="pts/2", words=WORDS):
    return ScreenPass("operator", where, words)


@contextlib.contextmanager
def raw_screen(path, request=None, role="viewer"):
    """Yield a socket that has sent a request to attach, and the first line of the answer."""
    from tui.attach.screen_messages import protocol_mark

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE_S)
        connection.connect(str(path))
        from engine.operator_requests import write_request

        request = request or AttachRequest(role, protocol_mark(), "raw", ["spans"])
        connection.sendall(write_request(request).encode() + b"\n")
        line = b""
        while not line.endswith(b"\n"):
            line += connection.recv(1)
        yield connection, line.decode()
