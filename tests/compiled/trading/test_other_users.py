"""Another user of the machine cannot read a desk's folder, hold it up, or pose as its user."""

import fcntl
import os
import shutil
import socket
import sqlite3
import tempfile
import traceback
from pathlib import Path

import pytest

from engine.errors import ConnectionFailed
from engine.operator_requests import KillRequest, StatusRequest
from engine.ops.control_socket import ControlSocket, send_request, socket_path
from engine.orders.killswitch import HALT, KillSwitch
from engine.system import private_files

NOBODY = 65_534
pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="a second user can only be played by root")


def as_somebody_else(act):
    """Have another user do something; return what it raised, empty for nothing."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        told = b""
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            act()
        except OSError as error:
            told = type(error).__name__.encode()
        except BaseException:  # noqa: BLE001  all of it is told to the test
            told = traceback.format_exc().encode()
        finally:
            os.write(writer, told)
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return told


@pytest.fixture
def house():
    """Return a folder that everybody can walk through, unlike those that pytest makes."""
    path = Path(tempfile.mkdtemp(prefix="patang-house-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


class Desk:
    def describe(self):
        return {"state": "running"}


@pytest.fixture
def state(house):
    """Return the state folder of an upgraded desk that runs.

    What was left open to readers before is not any more.
    """
    folder = house / "state"
    folder.mkdir(mode=0o755)
    with sqlite3.connect(folder / "desk.db") as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE t (x)")
    (folder / "desk.db.lock").touch(mode=0o644)
    private_files.make_private(folder)
    kill = KillSwitch(folder / "KILL")
    door = ControlSocket(socket_path(folder), Desk(), kill, print)
    kill.trigger(HALT, "enough", "me")
    yield folder
    door.close()
    database.close()


def connect(path):
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.connect(str(path))


def lock(path):
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)


def opened(path, flags):
    os.close(os.open(path, flags))


ATTACKS = {
    "lists the folder": lambda state: list(state.iterdir()),
    "reads the database": lambda state: opened(state / "desk.db", os.O_RDONLY),
    "reads the log of the switch": lambda state: opened(state / "KILL.log", os.O_RDONLY),
    "locks the database's index": lambda state: lock(state / "desk.db-shm"),
    "locks the lock": lambda state: lock(state / "desk.db.lock"),
    "flattens": lambda state: opened(state / "KILL", os.O_WRONLY),
    "releases": lambda state: (state / "KILL").unlink(),
    "takes the door away": lambda state: (state / "desk.sock").rename(state / "mine"),
    "knocks": lambda state: connect(state / "desk.sock"),
    "plants a fifo": lambda state: os.mkfifo(state / "FIFO"),
    "takes the folder away": lambda state: state.rename(state.with_name("mine")),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_others_get_nowhere(state, attack):
    assert as_somebody_else(lambda: attack(state)) == "PermissionError"


def test_the_same_attacks_would_get_somewhere_where_the_folder_is_open(house):
    (house / "seen").write_text("x")
    (house / "seen").chmod(0o644)
    assert as_somebody_else(lambda: lock(house / "seen")) == ""


def test_the_door_hangs_up_on_others_even_where_they_can_reach_it(state):
    (state / "KILL").unlink()
    state.chmod(0o755)
    path = socket_path(state)
    path.chmod(0o666)

    def knock():
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.connect(str(path))
            try:
                visitor.sendall(b'{"request": "status"}\n')
                heard = visitor.recv(100)
            except (BrokenPipeError, ConnectionResetError):
                heard = b""
        assert heard == b""

    assert as_somebody_else(knock) == ""
    assert send_request(path, StatusRequest()).data == {"state": "running"}


def test_nothing_is_sent_to_somebody_else_who_listens(house):
    theirs = house / "theirs"
    theirs.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    path, up = theirs / "desk.sock", os.pipe()
    child = os.fork()
    if child == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            os.write(up[1], b"x")
            heard = listener.accept()[0].recv(1_000)
            os._exit(1 if heard else 0)
    os.read(up[0], 1)
    with pytest.raises(
        ConnectionFailed, match=rf"another user \({NOBODY}\) listens at .*: nothing was sent to him"
    ):
        send_request(path, KillRequest(flatten=True))
    assert os.waitpid(child, 0)[1] == 0
    for descriptor in up:
        os.close(descriptor)
