"""The desk's door: nobody who is slow or silent keeps others, or the kill file, waiting."""

import json
import socket

import pytest

from engine.errors import BusyError, ConnectionFailed, OperatorError
from engine.ops import control
from engine.ops.control import Door, ask, socket_path
from engine.trading.killswitch import KillSwitch
from tests.desk.support import wait_for


class Desk:
    """Answers as little as the door needs; `limits` never returns before it may."""

    def __init__(self):
        self.asked = []

    def describe(self):
        return json.dumps({"state": "running"})

    def limits(self):
        raise ZeroDivisionError

    def answer(self, number):
        self.asked.append(number)
        return ""


@pytest.fixture
def kill(tmp_path):
    return KillSwitch(tmp_path / "KILL")


@pytest.fixture
def heard():
    return []


@pytest.fixture
def door(tmp_path, kill, heard):
    path = socket_path(tmp_path)
    made = Door(path, Desk(), kill, lambda *what: heard.append(what))
    yield path
    made.close()
    assert not path.exists()


def visitor(path):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(path))
    return connection


def test_silent_visitors_keep_neither_the_kill_file_nor_others_waiting(door, kill, monkeypatch):
    monkeypatch.setattr(control, "PATIENCE_S", 60.0)
    silent = [visitor(door) for _ in range(3)]
    try:
        kill.path.write_text("stop it")
        assert ask(door, {"cmd": "status"}) == {"state": "running"}
        wait_for(lambda: kill.latched, "the file is noticed while they still say nothing")
    finally:
        for connection in silent:
            connection.close()


@pytest.mark.parametrize(
    "line",
    [
        b"", b"nonsense\n", b"[]\n", b'{"cmd": "answer", "number": "x"}\n', b"\xff\n", b'{"cmd": null}\n', b'{"cmd": {}}\n',
        b'{"cmd": "answer", "number": Infinity}\n', b'{"cmd": "kill", "reason": []}\n', b"[" * 60_000 + b"\n", b"1" * 70_000,
        b'{"cmd": "answer", "number": 1' + b"0" * 5_000 + b"}\n",
    ],
)  # fmt: skip
def test_what_is_no_request_is_answered_and_the_door_stays_open(door, heard, line):
    with visitor(door) as connection:
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        assert json.loads(connection.makefile().readline()) == {"error": "not a request"}
    assert ask(door, {"cmd": "status"}) == {"state": "running"}
    assert heard == []


def test_what_may_not_be_submitted_from_outside_is_refused(door, heard):
    for act in ("limit", "resumed", "alarm", "nonsense"):
        told = ask(door, {"cmd": "submit", "act": act, "detail": "x"})
        assert told == {
            "error": f"no such act {act}; there are cancel, preview, order, modify, reconcile, acknowledge"
        }  # fmt: skip
    assert heard == []


def test_half_a_character_in_a_reason_is_kept_as_a_mark(door, kill, heard):
    ask(door, {"cmd": "kill", "reason": "\ud800 enough"})
    assert kill.latch.reason == "\ufffd enough"
    assert heard == []


def test_a_question_the_desk_dies_of_is_heard_of_and_the_door_stays_open(door, heard):
    with pytest.raises(ConnectionFailed, match="did not answer"):
        ask(door, {"cmd": "limits"})
    wait_for(lambda: heard, "the failure is told")
    assert [(name, type(error)) for name, error in heard] == [("control", ZeroDivisionError)]
    assert ask(door, {"cmd": "status"}) == {"state": "running"}


def test_a_second_desk_does_not_take_the_door_of_one_that_is_too_busy_to_answer(tmp_path, kill):
    path = socket_path(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as busy:
        busy.bind(str(path))
        busy.listen(1)
        with pytest.raises(BusyError, match="another desk listens"):
            Door(path, Desk(), kill, print)
        assert path.exists()
    # nobody listens any more, though the socket is still there
    Door(path, Desk(), kill, print).close()


def test_a_folder_with_a_long_name_has_its_door_in_it_and_nowhere_else(tmp_path, kill):
    folder = tmp_path / ("a" * 100) / ("b" * 100)
    folder.mkdir(parents=True)
    path = socket_path(folder)
    made = Door(path, Desk(), kill, print)
    try:
        assert path.parent == folder
        assert path.is_socket()
        assert ask(path, {"cmd": "status"}) == {"state": "running"}
    finally:
        made.close()
    assert list(folder.iterdir()) == []
    with pytest.raises(ConnectionFailed, match="no desk listens"):
        ask(path, {"cmd": "status"})
    folder.rmdir()
    with pytest.raises(ConnectionFailed, match="no desk listens"):
        ask(path, {"cmd": "status"})


def test_a_folder_in_place_of_the_door_is_one_line(tmp_path, kill):
    socket_path(tmp_path).mkdir()
    with pytest.raises(OperatorError, match=r"cannot listen at .*desk\.sock: it is a folder; remove it"):
        Door(socket_path(tmp_path), Desk(), kill, print)
