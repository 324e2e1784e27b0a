"""The desk's door: nobody who is slow or silent keeps others, or the kill file, waiting."""

import errno
import json
import os
import resource
import socket
import time
from pathlib import Path

import pytest

from engine.errors import BusyError, ConnectionFailed, OperatorError
from engine.operator_requests import (
    AcknowledgeRequest,
    CancelRequest,
    DecideRequest,
    DifferencesRequest,
    ExitRequest,
    KillRequest,
    LimitRequest,
    LimitsRequest,
    ModifyRequest,
    OutcomeRequest,
    PlaceRequest,
    PreviewRequest,
    ResumeRequest,
    StatusRequest,
    read_request,
    write_request,
)
from engine.ops import control_socket
from engine.ops.control_socket import ControlSocket, send_request, socket_path
from engine.ops.descriptor_reserve import KEPT, SHORT, DescriptorReserve
from engine.orders.killswitch import KillSwitch
from tests.desk.support import wait_for


class Desk:
    """Answers as little as the door needs; `limits` never returns before it may."""

    def __init__(self):
        self.asked = []

    def describe(self):
        return {"state": "running"}

    def limits(self):
        raise ZeroDivisionError

    def outcome(self, number):
        self.asked.append(number)


@pytest.fixture
def kill(tmp_path):
    return KillSwitch(tmp_path / "KILL")


@pytest.fixture
def heard():
    return []


@pytest.fixture
def door(tmp_path, kill, heard):
    path = socket_path(tmp_path)
    made = ControlSocket(path, Desk(), kill, lambda *what: heard.append(what))
    yield path
    made.close()
    assert not path.exists()


def visitor(path):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(path))
    return connection


def test_silent_visitors_keep_neither_the_kill_file_nor_others_waiting(door, kill, monkeypatch):
    monkeypatch.setattr(control_socket, "PATIENCE_S", 60.0)
    silent = [visitor(door) for _ in range(3)]
    try:
        kill.path.write_text("stop it")
        assert send_request(door, StatusRequest()).data == {"state": "running"}
        wait_for(lambda: kill.latched, "the file is noticed while they still say nothing")
    finally:
        for connection in silent:
            connection.close()


KNOWN = (
    "exit, protect, add, reverse, cancel, preview, order, modify, limit, reconcile, "
    "acknowledge, stop-strategy, start-strategy, set-parameters, watch, unwatch, alert, "
    "drop-alert, attach, kill, resume, status, limits, differences, strategies, search, "
    "watched, alerts, outcome"
)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "expected one JSON object"),
        (b"nonsense\n", "expected one JSON object"),
        (b"[]\n", "expected one JSON object"),
        (b"\xff\n", "expected one JSON object"),
        (b"[" * 60_000 + b"\n", "expected one JSON object"),
        (b'{"request": ' + b"[" * 60_000 + b"\n", "expected one JSON object"),
        (b"1" * 70_000, "expected one JSON object"),
        (b'{"request": "outcome", "number": 1' + b"0" * 5_000 + b"}\n", "expected one JSON object"),
        (b"{}\n", f'no such request ""; there are {KNOWN}'),
        (b'{"request": null}\n', f"no such request null; there are {KNOWN}"),
        (b'{"request": {}}\n', f"no such request {{}}; there are {KNOWN}"),
        (b'{"request": ["kill"]}\n', f'no such request ["kill"]; there are {KNOWN}'),
        (
            b'{"request": "outcome", "number": "x"}\n',
            'number: expected the number of a request, got "x"',
        ),
        (
            b'{"request": "outcome", "number": Infinity}\n',
            "number: expected the number of a request, got Infinity",
        ),
        (
            b'{"request": "outcome", "number": NaN}\n',
            "number: expected the number of a request, got NaN",
        ),
        (
            b'{"request": "outcome"}\n',
            "number is missing: expected the number of a request",
        ),
        (b'{"request": "kill", "reason": []}\n', "reason: expected a text, got []"),
        (b'{"request": "kill", "flatten": 1}\n', "flatten: expected true or false, got 1"),
        (
            b'{"request": "kill", "flaten": true}\n',
            'no such field "flaten"; did you mean "flatten"?',
        ),
        (
            b'{"request": "kill", "reason": ' + b"[" * 900 + b"]" * 900 + b"}\n",
            f"reason: expected a text, got {'[' * 57}...",
        ),
        (
            b'{"request": "limit", "name": "max_positions", "value": NaN, "reason": "r"}\n',
            "value: expected a number, got NaN",
        ),
        (
            b'{"request": "reconcile", "key": "INFY:CNC", "choice": "sell"}\n',
            'choice: expected one of "adopt", "assign", "ignore", "flatten", got "sell"',
        ),
        (
            b'{"request": "reconcile", "key": "INFY:CNC", "choice": "asign"}\n',
            (
                'choice: expected one of "adopt", "assign", "ignore", "flatten", got "asign"; '
                'did you mean "assign"?'
            ),
        ),
        (
            b'{"request": "reconcile", "key": "INFY:CNC", "choice": "adopt", "stop": "near"}\n',
            'stop: expected percent below the last price, got "near"',
        ),
    ],
)
def test_what_is_no_request_is_answered_in_one_line_and_the_door_stays_open(
    door, kill, heard, line, why
):
    with visitor(door) as connection:
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        said = json.loads(connection.makefile().readline())
    assert said == {"verdict": "refused", "text": why, "data": {}}
    assert send_request(door, StatusRequest()).data == {"state": "running"}
    assert (heard, kill.latched) == ([], False)


def test_what_may_not_be_submitted_from_outside_is_refused(door, heard):
    for act in ("resumed", "alarm", "nonsense"):
        with visitor(door) as connection:
            connection.sendall(json.dumps({"request": act, "text": "x"}).encode() + b"\n")
            said = json.loads(connection.makefile().readline())
        assert said["text"] == f'no such request "{act}"; there are {KNOWN}'
    assert heard == []


def test_every_request_is_read_as_it_was_written():
    ticket = {"symbol": "INFY", "side": "BUY", "quantity": 1, "stop": 2.0}
    for request in (
        ExitRequest(1, "INFY"),
        CancelRequest("5"),
        PreviewRequest(**ticket),
        PlaceRequest(**ticket, price=1500.05, slices=True),
        ModifyRequest(order="5", price=1.5),
        LimitRequest("max_positions", 3.0, "\ufffd", "me", confirmed=True),
        DecideRequest("INFY:CNC", "adopt", stop=2.5, ratio="5:1"),
        AcknowledgeRequest("mine"),
        KillRequest(flatten=True),
        ResumeRequest("seen"),
        StatusRequest(),
        LimitsRequest(),
        DifferencesRequest(),
        OutcomeRequest(7),
    ):
        assert read_request(write_request(request)) == request


def test_half_a_character_in_a_reason_is_kept_as_a_mark(door, kill, heard):
    send_request(door, KillRequest(reason="\ud800 enough"))
    assert kill.latch.reason == "\ufffd enough"
    assert heard == []


def test_a_question_the_desk_dies_of_is_heard_of_and_the_door_stays_open(door, heard):
    with pytest.raises(ConnectionFailed, match="did not answer"):
        send_request(door, LimitsRequest())
    wait_for(lambda: heard, "the failure is told")
    assert [(name, type(error)) for name, error in heard] == [("control", ZeroDivisionError)]
    assert send_request(door, StatusRequest()).data == {"state": "running"}


def test_a_second_desk_does_not_take_the_door_of_one_that_is_too_busy_to_answer(tmp_path, kill):
    path = socket_path(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as busy:
        busy.bind(str(path))
        busy.listen(1)
        with pytest.raises(BusyError, match="another desk listens"):
            ControlSocket(path, Desk(), kill, print)
        assert path.exists()
    # nobody listens any more, though the socket is still there
    ControlSocket(path, Desk(), kill, print).close()


def test_a_folder_with_a_long_name_has_its_door_in_it_and_nowhere_else(tmp_path, kill):
    folder = tmp_path / ("a" * 100) / ("b" * 100)
    folder.mkdir(parents=True)
    path = socket_path(folder)
    made = ControlSocket(path, Desk(), kill, print)
    try:
        assert path.parent == folder
        assert path.is_socket()
        assert send_request(path, StatusRequest()).data == {"state": "running"}
    finally:
        made.close()
    assert list(folder.iterdir()) == []
    with pytest.raises(ConnectionFailed, match="no desk listens"):
        send_request(path, StatusRequest())
    folder.rmdir()
    with pytest.raises(ConnectionFailed, match="no desk listens"):
        send_request(path, StatusRequest())


def test_a_folder_in_place_of_the_door_is_one_line(tmp_path, kill):
    socket_path(tmp_path).mkdir()
    with pytest.raises(
        OperatorError, match=r"cannot listen at .*desk\.sock: it is a folder; remove it"
    ):
        ControlSocket(socket_path(tmp_path), Desk(), kill, print)


class Short:
    """A listener that has no descriptor left for a while."""

    def __init__(self, listener, times):
        self.listener, self.times = listener, times

    def accept(self):
        if self.times:
            self.times -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return self.listener.accept()

    def close(self):
        self.listener.close()


def test_a_shortage_of_descriptors_ends_neither_the_door_nor_the_desk(
    tmp_path, kill, heard, monkeypatch
):
    monkeypatch.setattr(control_socket, "WATCH_S", 0.01)
    made = ControlSocket(socket_path(tmp_path), Desk(), kill, lambda *what: heard.append(what))
    made._socket = short = Short(made._socket, 3)
    wait_for(lambda: not short.times, "nobody could be let in three times")
    assert send_request(socket_path(tmp_path), StatusRequest()).data == {"state": "running"}
    assert (short.times, heard) == (0, [])
    made.close()


def test_what_goes_wrong_at_the_door_is_told_once_and_it_goes_on(
    tmp_path, kill, heard, monkeypatch
):
    monkeypatch.setattr(control_socket, "WATCH_S", 0.01)
    made, wrong = (
        ControlSocket(socket_path(tmp_path), Desk(), kill, lambda *what: heard.append(what)),
        [1, 2, 3],
    )
    right, kill.check_file = kill.check_file, lambda: 1 // 0 if wrong and wrong.pop() else right()
    wait_for(lambda: not wrong, "it has gone wrong three times")
    assert send_request(socket_path(tmp_path), StatusRequest()).data == {"state": "running"}
    assert [name for name, _ in heard] == ["control"]
    made.close()


def test_a_visitor_who_speaks_slowly_is_sent_away(door, monkeypatch):
    monkeypatch.setattr(control_socket, "PATIENCE_S", 0.2)
    slow = visitor(door)
    slow.settimeout(20.0)
    with pytest.raises(OSError, match=r"Broken pipe|reset"):  # noqa: PT012  it takes as long as it takes
        while True:
            slow.sendall(b" ")
            time.sleep(0.02)


def test_no_more_than_so_many_are_served_at_once(door, monkeypatch):
    monkeypatch.setattr(control_socket, "PATIENCE_S", 60.0)
    silent = [visitor(door) for _ in range(control_socket.VISITORS)]
    late = visitor(door)
    late.settimeout(20.0)
    assert late.recv(1) == b"", "the next one is sent away"
    silent[0].sendall(b'{"request": "status"}\n')
    assert silent[0].recv(100)
    for one in [*silent, late]:
        one.close()


def test_descriptors_kept_in_reserve_are_there_when_no_other_is():
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    reserve, held = DescriptorReserve(), []
    assert reserve.check_shortage() == ""
    try:
        resource.setrlimit(
            resource.RLIMIT_NOFILE,
            (max(int(each.name) for each in Path("/dev/fd").iterdir()) + 8, usual[1]),
        )
        with pytest.raises(OSError, match="Too many"):  # noqa: PT012
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        assert [reserve.check_shortage(), reserve.check_shortage()] == [SHORT, ""], "told once"
        held += [os.open(os.devnull, os.O_RDONLY) for _ in range(KEPT)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)
        for each in held:
            os.close(each)
    assert reserve.check_shortage() == ""
    assert len(reserve._held) == KEPT, "whole again"
    reserve.release()
