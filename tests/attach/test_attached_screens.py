"""Screens at a desk over real sockets: several at once, slow, killed, and those that may not."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

import msgspec
import pytest
from msgspec import structs

from engine.board_rows import MOST_LOOKERS, Board, BoardSection
from engine.errors import ConnectionFailed, DataError, OperatorError
from engine.operator_requests import (
    AttachRequest,
    CancelRequest,
    EngineRequest,
    LimitRequest,
    read_request,
    write_request,
)
from tests.attach.screens import (
    WORDS,
    AttachedDesk,
    Room,
    operator,
    raw_screen,
    viewer,
    wait_for,
)
from tests.tui.test_replay import DAY, FakeReplay
from tui.app.desk_port import DeskPort
from tui.app.remote_desk import RemoteDesk, port_members
from tui.attach import desk_link, operator_passphrase, screen_server
from tui.attach.operator_passphrase import TRIES, WITHIN_S, PassphraseCheck, choose_passphrase
from tui.attach.screen_messages import (
    LOOKS,
    MethodCall,
    SubmittedRequest,
    UnlockScreen,
    encode_raw,
    framed_message,
    protocol_mark,
)
from tui.attach.screen_standing import REFUSED

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = {str: "INFY", int: 1, float: 2.0, bool: True, dict: {}, list: []}


def sample(kind):
    """Return a request of a kind, with what it cannot do without."""
    values = {}
    for field in structs.fields(kind):
        if field.required:
            hint = field.type
            while get_origin(hint) is Annotated:
                hint = get_args(hint)[0]
            choices = get_args(hint) if get_origin(hint) is Literal else ()
            values[field.name] = choices[0] if choices else SAMPLES[get_origin(hint) or hint]
    return kind(**values)


REQUESTS = [sample(kind) for kind in get_args(EngineRequest)]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(desk_link, "AGAIN_S", 0.05)
    monkeypatch.setattr(desk_link, "OLD_S", 0.5)


@pytest.fixture(scope="module")
def passphrase(tmp_path_factory):
    """Return a file that opens with the words of operators: making one takes a while."""
    file = tmp_path_factory.mktemp("passphrase") / "operator"
    choose_passphrase(file, WORDS)
    return file


@pytest.fixture
def room(tmp_path, passphrase):
    shutil.copy(passphrase, tmp_path / "operator")
    made = Room(tmp_path)
    yield made
    made.close()
    assert made.failures == []


@pytest.fixture
def attach(room):
    """Return what attaches a screen, which leaves at the end."""
    made = []

    def attach(credentials=None, kill=lambda flatten, reason: ""):
        desk = RemoteDesk(room.folder, credentials or viewer(), kill)
        desk.link.join()
        desk.link.follow(60)
        made.append(desk)
        return desk

    yield attach
    for desk in made:
        desk.link.close()


def shown(board):
    """Return what a screen shows of a board, but for the books of the instrument in focus."""
    return {
        name: item.rows[:] if isinstance(item, BoardSection) else item
        for name, item in vars(board).items()
        if name not in {"focus", "lookers", "bars"}
    }


def wait_for_picture(desk, room):
    wait_for(lambda: shown(desk.board) == shown(room.desk.board), "the copy differs")


def outcome_of(desk, request):
    number = desk.submit(request)
    return wait_for(lambda: desk.outcome(number))


# the picture


def test_two_screens_see_all_that_one_desk_shows_and_follow_it(room, attach):
    first, second = attach(), attach(operator())
    for step in range(5):
        room.desk.step(share=1.0)
        room.desk.event("alarm", f"number {step}")
    wait_for_picture(first, room)
    wait_for_picture(second, room)
    assert first.standing.role == "viewer"
    assert second.standing.role == "operator"
    assert first.spans == room.desk.spans
    assert [*first.command_options] == ["--config", "/x.toml"]
    assert [seat.role for seat in room.server.seats] == ["viewer", "operator"]


def test_a_past_day_shows_its_moment_and_is_moved_by_its_own_screen_alone(room, attach):
    assert (attach().replay, attach(operator()).moment) == (None, None)
    room.desk.replay = FakeReplay()
    for desk in (attach(), attach(operator())):
        assert desk.moment == desk.replay.status() == DAY
        assert "its own screen" in desk.replay.fault_of("10:42")
        for act in (desk.replay.pause, lambda desk=desk: desk.replay.step(-1)):
            with pytest.raises(OperatorError, match="its own screen"):
                act()
    assert room.desk.replay.asked == []


def test_each_screen_has_the_book_and_the_bars_of_what_it_looks_at(room, attach):
    first, second = attach(), attach()
    one, two = (row.token for row in room.desk.board.watch.rows[:2])
    first.look_at(one, 60)
    second.look_at(two, 300)
    lookers = wait_for(
        lambda: [f for f in room.desk.board.lookers if f.token] if
        all(f.token for f in room.desk.board.lookers) else None
    )  # fmt: skip
    assert {(f.token, f.span) for f in lookers} == {(one, 60), (two, 300)}
    for focus in lookers:
        focus.depth.put("bid-1", room.desk.board.watch.rows[0]._replace(token=focus.token))
    wait_for(lambda: [row.token for row in first.board.depth.rows] == [one])
    wait_for(lambda: [row.token for row in second.board.depth.rows] == [two])
    key = next(iter(room.desk.board.bars))
    assert first.board.bars.get(key, ()) == ()
    wait_for(lambda: first.board.bars.get(key, ()) == room.desk.board.bars[key])
    grown = (*room.desk.board.bars[key][1:], room.desk.board.bars[key][0])
    room.desk.board.bars[key] = grown
    wait_for(lambda: first.board.bars.get(key, ()) == grown)
    assert second.board.bars == {}


def test_everything_of_a_board_and_of_a_port_is_carried(room, attach):
    desk = attach()
    board = Board("TEST")
    kinds = (BoardSection, deque, dict, tuple, int, float, str, type(None))
    for name, item in [*vars(board).items(), *vars(board.focus).items()]:
        assert name == "focus" or isinstance(item, kinds), name
    for name, is_method in port_members().items():
        # A property of a class would be read on the way: its desk is asked.
        assert hasattr(type(desk), name) or hasattr(desk, name), name
        assert callable(getattr(type(desk), name, None)) == is_method, name
    assert set(port_members()) >= LOOKS
    assert {"submit", "kill", "stop", "resume"} & LOOKS == set()


def test_a_screen_that_takes_nothing_holds_nobody_up_and_gets_the_whole_picture_later(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(screen_server, "BACKLOG", 50_000)
    room = Room(tmp_path, AttachedDesk(symbols=400))
    quick = RemoteDesk(room.folder, viewer(), lambda *_: "")
    quick.link.join()
    quick.link.follow(60)
    with raw_screen(room.path) as (stalled, line):
        assert '"done"' in line

        def behind():
            room.desk.step(share=1.0)
            wait_for_picture(quick, room)
            screens = [s for s in room.server._screens if s.seat.who == "viewer raw"]
            return screens[0].behind and screens[0].waiting

        waiting = wait_for(behind)
        for _ in range(5):
            room.desk.step(share=1.0)
            wait_for_picture(quick, room)
        screen = next(s for s in room.server._screens if s.seat.who == "viewer raw")
        assert screen.waiting <= waiting  # nothing piles up for it
        data = stalled.makefile("rb")
        seen, last = set(), room.desk.board.watch.rows[-1]
        while True:
            size = int.from_bytes(data.read(4))
            message = msgspec.msgpack.decode(data.read(size))
            if message["type"] != "picture":
                continue
            for name, kind, _, at, body in message["parts"]:
                if name == "watch" and kind == 1 and at == [400]:
                    seen.add("whole")
                if (
                    name == "watch"
                    and "whole" in seen
                    and list(last) in [[*row[:9], tuple(row[9]), *row[10:]] for row in body]
                ):
                    seen.add("latest")
            if seen == {"whole", "latest"}:
                break
    quick.link.close()
    room.close()
    assert room.failures == []


def test_a_screen_that_is_killed_leaves_its_place(room, attach):
    attach()
    script = (
        "import sys; from pathlib import Path; from tests.attach.screens import viewer\n"
        "from tui.app.remote_desk import RemoteDesk\n"
        "desk = RemoteDesk(Path(sys.argv[1]), viewer(), None)\n"
        "desk.link.join(); desk.link.follow(60); print('there', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, room.folder],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout.readline() == b"there\n"
    wait_for(lambda: len(room.desk.board.lookers) == 2)
    process.kill()
    process.wait()
    wait_for(lambda: len(room.desk.board.lookers) == 1)
    assert [note[1] for note in room.notes] == ["attached", "attached", "detached"]
    assert room.notes[-1][2] == f"process {process.pid}"


def test_no_more_screens_are_let_in_than_the_engine_serves(room, attach):
    for _ in range(MOST_LOOKERS):
        attach()
    wait_for(lambda: len(room.desk.board.lookers) == MOST_LOOKERS)
    with pytest.raises(OperatorError, match="screens are attached: leave one"):
        attach()


# a desk that goes, and comes back


def test_a_desk_that_ends_says_so_and_one_that_comes_back_is_joined_again(room, attach):
    desk = attach(operator())
    wait_for_picture(desk, room)
    room.desk.board.header = room.desk.board.header._replace(state="stopped")
    room.close("P&L ▲ 5.00")
    wait_for(lambda: desk.standing.trouble.startswith("DESK ENDED"))
    assert "P&L ▲ 5.00" in desk.standing.note
    assert desk.board.header.state == "stopped"
    assert outcome_of(desk, CancelRequest("5")).verdict == "refused"
    with pytest.raises(ConnectionFailed, match="DESK ENDED"):
        desk.trace("5")
    desk.look_at(5, 60)
    room.desk = AttachedDesk(symbols=7)
    room.open()
    wait_for(lambda: not desk.standing.trouble)
    wait_for_picture(desk, room)
    wait_for(lambda: [f.token for f in room.desk.board.lookers] == [5])
    assert outcome_of(desk, CancelRequest("6")).ok


DESK = """
import sys, time
from pathlib import Path
from tests.attach.screens import Room
room = Room(Path(sys.argv[1]))
print("there", flush=True)
while True:
    room.desk.step()
    time.sleep(0.02)
"""


def test_a_desk_that_is_killed_is_said_to_be_lost_and_what_was_asked_is_unknown(tmp_path):
    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", DESK, tmp_path], stdout=subprocess.PIPE, cwd=ROOT
        )
        assert process.stdout.readline() == b"there\n"
        return process

    process = start()
    desks = [RemoteDesk(tmp_path / "sandbox", viewer(), lambda *_: "") for _ in range(2)]
    for desk in desks:
        desk.link.join()
        desk.link.follow(60)
    os.kill(process.pid, signal.SIGSTOP)
    number = desks[0].submit(CancelRequest("5"))
    wait_for(lambda: "OLD" in desks[0].standing.trouble)
    process.kill()
    process.wait()
    for desk in desks:
        wait_for(lambda desk=desk: desk.standing.trouble.startswith("DESK LOST"))
    assert wait_for(lambda: desks[0].outcome(number)).verdict == "unknown"
    process = start()
    for desk in desks:
        wait_for(lambda desk=desk: not desk.standing.trouble)
        desk.link.close()
    process.kill()
    process.wait()


# who is let in


@pytest.mark.parametrize("protocol", ["", "another", protocol_mark()[:-1] + "x"])
def test_a_screen_of_another_version_is_told_so_in_one_line(room, protocol):
    request = AttachRequest("viewer", protocol)
    with raw_screen(room.path, request) as (connection, line):
        assert "of another version" in line
        assert connection.recv(10) == b""
    assert room.notes == []


def test_a_desk_before_attach_is_named_as_of_another_version(room, attach, monkeypatch):
    monkeypatch.setattr("engine.operator_requests.KINDS", {})
    with pytest.raises(OperatorError, match="one before patang attach"):
        attach()


def test_the_passphrase_is_asked_of_an_operator_and_of_nobody_else(room, attach):
    with raw_screen(room.path, role="operator") as (connection, line):
        assert '"pending"' in line
        connection.sendall(framed_message(UnlockScreen("wrong horse battery")))
        assert b"passphrase is wrong" in connection.makefile("rb").readline()
    with raw_screen(room.path, role="operator") as (connection, _):
        # An act in place of the words is no act.
        connection.sendall(framed_message(SubmittedRequest(1, REQUESTS[0])))
        assert b"a passphrase was due" in connection.makefile("rb").readline()
    assert [note[:2] for note in room.notes] == [("operator raw", "attach_refused")]
    assert room.desk.acts == []
    assert attach(operator()).standing.role == "operator"


def test_wrong_words_are_bounded_also_for_who_has_the_right_ones_then(tmp_path, monkeypatch):
    # Opening a file takes a tenth of a second, on purpose.
    monkeypatch.setattr(operator_passphrase, "opens_with", lambda _, words: words == WORDS)
    now = [0.0]
    check = PassphraseCheck(tmp_path, lambda: now[0])
    for _ in range(TRIES - 1):
        assert check.why_not("wrong") == "the passphrase is wrong"
    assert check.why_not(WORDS) == ""  # the right ones begin the count anew
    for _ in range(TRIES):
        assert check.why_not("wrong") == "the passphrase is wrong"
    now[0] = WITHIN_S - 1
    assert "no operator is let in for 1 s" in check.why_not(WORDS)
    now[0] = WITHIN_S
    assert check.why_not(WORDS) == ""


def test_nothing_opens_a_file_that_is_not_there_or_is_no_such_file(tmp_path):
    assert PassphraseCheck(tmp_path / "operator").why_not("") != ""
    (tmp_path / "operator").write_bytes(b"patang-vault-1\n" + bytes(100))
    assert PassphraseCheck(tmp_path / "operator").why_not(WORDS) != ""
    with pytest.raises(OperatorError, match="12 characters"):
        choose_passphrase(tmp_path / "other", "short")
    assert not (tmp_path / "other").exists()


def test_a_passphrase_is_in_no_text(room):
    assert WORDS not in repr(UnlockScreen(WORDS)) + repr(operator())
    assert oct((room.folder.parent / "operator").stat().st_mode)[-3:] == "600"
    assert WORDS not in repr(room.notes)


# what a viewer may not


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_viewers_request_is_refused_by_the_desk_itself(room, request_):
    with raw_screen(room.path) as (connection, _):
        connection.sendall(framed_message(SubmittedRequest(1, request_)))
        data = connection.makefile("rb")
        while True:
            message = msgspec.msgpack.decode(data.read(int.from_bytes(data.read(4))))
            if message["type"] == "outcomes":
                break
    assert message["outcomes"] == {1: {"verdict": "refused", "text": REFUSED, "data": {}}}
    assert room.desk.acts == room.desk.commands == []


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("resume", ["because"]),
        ("stop", []),
        ("submit", [{"request": "cancel", "order": "5"}]),
        ("port_of", ["operator"]),
        ("_desk", []),
        ("trace.__call__", ["5"]),
        ("nothing", []),
    ],
)
def test_a_viewers_call_of_anything_but_what_only_looks_is_refused(room, method, arguments):
    with raw_screen(room.path) as (connection, _):
        call = MethodCall(1, method, encode_raw(arguments))
        connection.sendall(framed_message(call))
        data = connection.makefile("rb")
        while True:
            message = msgspec.msgpack.decode(data.read(int.from_bytes(data.read(4))))
            if message["type"] == "answer":
                break
    assert message["error"] == "OperatorError"
    assert room.desk.resumed == []
    assert not room.desk.stopped


def test_a_viewer_is_told_at_once_and_may_kill(room, attach):
    told = []
    desk = attach(viewer(), lambda flatten, reason: told.append((flatten, reason)) or "")
    assert outcome_of(desk, CancelRequest("5")).text == REFUSED
    with pytest.raises(OperatorError, match="changes nothing"):
        desk.resume("because")
    desk.kill(True, "operator")
    assert told == [(True, "operator")]
    desk.stop()  # leaves the desk
    wait_for(lambda: not room.desk.board.lookers)
    assert not room.desk.stopped
    with pytest.raises(OperatorError, match="not on disk"):
        attach(viewer(), lambda *_: "not on disk").kill(False, "")


def test_an_operators_acts_carry_the_name_of_the_terminal(room, attach):
    desk = attach(operator("pts/7 from 10.0.0.5"))
    assert outcome_of(desk, LimitRequest("max_positions", 5, "why", who="somebody")).ok
    who, request = room.desk.acts[0]
    assert who == request.who == "operator pts/7 from 10.0.0.5"
    desk.resume("found it")
    assert room.desk.resumed == [(who, "found it")]
    assert room.notes == [(who, "attached", f"process {os.getpid()}")]


def test_reading_goes_to_the_desk_and_files_land_on_this_side(room, attach):
    desk = attach()
    assert desk.trace("5") == room.desk.trace("5")
    with pytest.raises(DataError, match="missing"):
        desk.trace("missing")
    assert desk.past_commands() == ["limits"]
    desk.keep_command("status")
    wait_for(lambda: room.desk.kept == ["status"])
    file = desk.export_rows("watch", [["symbol"], ["INFY"]])
    assert file.read_text().split() == ["symbol", "INFY"]
    assert file.parent == room.folder / "exports"
    rows = desk.earlier_orders(room.desk.now)
    assert rows == room.desk.earlier_orders(room.desk.now)
    assert type(rows[0]).__name__ == "OrderRow"


def test_a_slow_reading_keeps_neither_the_picture_nor_another_request_waiting(room, attach):
    desk = attach(operator())
    room.desk.held.clear()
    number = desk.link.begin_call("trace", ["5"])
    room.desk.step()
    wait_for_picture(desk, room)
    assert outcome_of(desk, CancelRequest("5")).ok
    room.desk.held.set()
    assert desk.link.await_answer(number).error == ""


def test_a_method_that_nobody_has_written_out_here_is_carried(room, attach, monkeypatch):
    desk = attach()
    with pytest.raises(OperatorError, match="changes nothing"):
        desk.call("brand_new", [1], int)
    desk = attach(operator())
    port = type(room.desk.port_of(""))

    def brand_new(self, number: int) -> dict[str, int]:
        return {"twice": 2 * number}

    monkeypatch.setattr(port, "brand_new", brand_new, raising=False)
    assert desk.call("brand_new", [4], dict[str, int]) == {"twice": 8}
    with pytest.raises(OperatorError, match="brand_new"):
        desk.call("brand_new", ["four"], dict[str, int])


@pytest.mark.parametrize(
    "rubbish", [b"\0\0\0\5hello", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\2\x81\xa1"]
)
def test_a_screen_that_says_what_nobody_understands_is_left(room, rubbish):
    with raw_screen(room.path) as (connection, _):
        connection.sendall(rubbish)
        connection.shutdown(socket.SHUT_WR)
        wait_for(lambda: [note[1] for note in room.notes] == ["attached", "detached"])
    assert DeskPort is not None


def test_an_attachment_is_a_request_like_the_others():
    request = AttachRequest("operator", "abc", "pts/1", ["spans"])
    assert read_request(write_request(request)) == request
    with pytest.raises(ValueError, match="role"):
        read_request('{"request": "attach", "role": "root", "protocol": "x"}')
