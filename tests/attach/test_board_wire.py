"""A copy of a board, by what is told of its changes."""

import random
from collections import deque
from typing import NamedTuple

import msgspec
import pytest

from engine import board_rows
from engine.board_rows import (
    BarRow,
    Board,
    BoardSection,
    DayTrades,
    EventRow,
    FillMark,
    FormingBar,
    OrderRow,
    TapeRow,
    TradeRow,
    WatchRow,
)
from engine.board_writer import BoardWriter
from tests.tui.fake import FakeDesk
from tui.attach import board_wire
from tui.attach.board_wire import (
    APART,
    BoardCopy,
    BoardPart,
    BoardReader,
    PartKind,
    bars_part,
)

ROWS = 20


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(board_wire, "ROWS", ROWS)


def content(source):
    """Return all that a reader sees of a board or a focus."""
    return {
        name: (
            item.rows[:]
            if isinstance(item, BoardSection)
            else [*item]
            if isinstance(item, deque)
            else item
        )
        for name, item in vars(source).items()
        if name not in APART
    }


class Line:
    """A board, what reads it, and a copy behind a wire."""

    def __init__(self, board):
        self.board = board
        self.reader = BoardReader(board)
        self.focus = BoardReader(board.focus, "focus.")
        self.copy = BoardCopy(Board("?"))

    def send(self, parts):
        parts = [*parts]
        for part in parts:
            told = msgspec.msgpack.decode(msgspec.msgpack.encode(part), type=BoardPart)
            self.copy.apply(told)
        return parts

    def step(self):
        parts = self.send([*self.reader.changes(), *self.focus.changes()])
        self.check()
        return parts

    def check(self):
        assert content(self.copy.board) == content(self.board)
        assert content(self.copy.board.focus) == content(self.board.focus)


def order(number, **changes):
    row = OrderRow(
        str(number), 5, "INFY", "BUY", 10, 0, price=0.0, average=0.0, kind="LIMIT", purpose="ENTRY",
        status="OPEN", strategy="s", order_id="", reason="",
    )  # fmt: skip
    return row._replace(**changes)


def test_a_whole_desk_is_followed_through_its_steps():
    face = FakeDesk(symbols=90)
    face.board.focus.look_at(face.board.watch.rows[0].token, 60)
    line = Line(face.board)
    line.step()
    for _ in range(20):
        face.step(share=0.3)
        face.event("alarm", "something")
        line.step()


def test_nothing_is_told_of_what_has_not_changed():
    line = Line(FakeDesk().board)
    line.step()
    assert line.step() == []
    line.board.watch.put(line.board.watch.rows[3].token, line.board.watch.rows[3]._replace(ltp=1.0))
    [part] = line.step()
    assert (part.name, part.kind, part.at) == ("watch", PartKind.ROWS, [3])


def test_rows_that_come_and_go_and_change_at_random_arrive():
    rng, board = random.Random(7), Board("TEST")
    line, writer = Line(board), BoardWriter(board)
    for number in range(300):
        for _ in range(rng.randrange(4)):
            key = rng.randrange(40)
            writer.put(board.orders, key, order(key, filled=rng.randrange(5)))
        if rng.random() < 0.2:
            writer.keep(board.orders, {rng.randrange(40) for _ in range(25)})
        if rng.random() < 0.5:
            seq = writer.add_event(number, "info", f"event {number}")
            if rng.random() < 0.5:
                writer.put_repeat(max(seq - rng.randrange(3), 1), rng.randrange(2, 9))
        if rng.random() < 0.1:
            writer.begin_depth(board.focus)
        writer.add_trade(board.focus, TapeRow(number, 5, 10.0, 3, ""))
        if rng.random() < 0.4:
            line.step()
    line.step()


def test_the_oldest_fall_out_of_a_bounded_log_at_both_ends():
    board = Board("TEST")
    line, writer = Line(board), BoardWriter(board)
    for number in range(2_100):
        writer.add_event(number, "info", str(number))
        if number % 150 == 0:
            line.step()
    writer.put_repeat(board.events[0].seq, 7)  # the very first changes as it stands
    line.step()
    for number in range(5_000):
        writer.add_event(number, "info", str(number))
    line.step()


def test_values_of_every_shape_travel():
    board = Board("TEST")
    line, writer = Line(board), BoardWriter(board)
    line.step()
    writer.set_trades(DayTrades(2, TradeRow("A", "s", "P1", 5), None))
    writer.set_forming(board.focus, FormingBar(1, 60, BarRow(0, 1.0, 2.0, 0.5, 1.5, 9)))
    writer.beat(2**62)
    writer.add_fill(FillMark(1, 2, "BUY", 10.0, 3))
    writer.add_event(1, "alarm", "naked")
    line.step()
    writer.set_forming(board.focus, None)
    board.alarms["naked"] = 3
    line.step()
    assert isinstance(line.copy.board.trades.best, TradeRow)


class NewRow(NamedTuple):
    """A row that the protocol has never heard of."""

    key: str
    inner: TradeRow | None


def test_a_new_section_a_new_value_and_a_new_type_travel_without_a_line_of_code(monkeypatch):
    monkeypatch.setattr(board_rows, "NewRow", NewRow, raising=False)

    def board():
        made = Board("TEST")
        made.novelties = BoardSection()
        made.newest = None
        made.several = ()
        made.notes = deque(maxlen=5)
        return made

    line = Line(board())
    line.copy = BoardCopy(board())
    line.step()
    row = NewRow("a", TradeRow("A", "s", "", 1))
    line.board.novelties.put("a", row)
    line.board.newest, line.board.several = row, (row, row)
    line.board.notes.append(row)
    line.step()
    assert line.copy.board.several == (row, row)
    assert type(line.copy.board.novelties.rows[0].inner) is TradeRow


def test_a_late_copy_and_one_of_another_desk_get_the_whole_picture():
    face = FakeDesk(symbols=2 * ROWS + 5)
    line = Line(face.board)
    for _ in range(5):
        face.step()
        [*line.reader.changes()]
        [*line.focus.changes()]
    line.copy = BoardCopy(FakeDesk("LIVE", 3).board)
    line.send([*line.reader.whole(), *line.focus.whole()])
    line.check()


def test_a_list_is_never_short_while_all_of_it_comes_anew():
    face = FakeDesk(symbols=3 * ROWS)
    line = Line(face.board)
    line.step()
    sizes = set()
    for part in line.reader.whole():
        line.copy.apply(part)
        sizes.add(len(line.copy.board.watch.rows))
    assert sizes == {3 * ROWS}


def test_a_row_that_is_the_same_stays_the_same_and_another_counts_as_changed():
    section = BoardSection()
    section.follow(None, [order(1), order(2), order(3)])
    first, versions = section.rows[0], section.versions[:]
    section.follow(None, [order(1), order(4)])
    assert section.rows[0] is first
    assert section.versions[0] == versions[0]
    assert section.versions[1] > versions[1]
    before = section.versions[:]
    section.follow([1, 2], [order(5), order(6)])
    assert [row.key for row in section.rows] == ["1", "5", "6"]
    assert section.versions[0] == before[0]
    assert section.versions[1] > before[1]


def test_a_part_of_no_board_changes_nothing():
    copy = BoardCopy(Board("TEST"))
    for name in ("focus", "lookers", "__class__", "nothing", "focus.token"):
        part = BoardPart(name, PartKind.VALUE, "", [], msgspec.Raw(msgspec.msgpack.encode(1)))
        with pytest.raises(ValueError, match="not on this board"):
            copy.apply(part)
    for kind in ("Board", "BoardSection", "deque"):
        part = BoardPart("header", PartKind.VALUE, kind, [], msgspec.Raw(b"\x90"))
        with pytest.raises(ValueError, match="no row"):
            copy.apply(part)


def test_bars_go_by_token_and_span():
    copy = BoardCopy(Board("TEST"))
    bars = (BarRow(0, 1.0, 2.0, 0.5, 1.5, 9),)
    copy.apply(bars_part((5, 60), bars))
    assert copy.board.bars == {(5, 60): bars}


def test_events_are_still_rows_of_their_type():
    line = Line(FakeDesk().board)
    line.step()
    assert {type(row) for row in line.copy.board.events} == {EventRow}
    assert {type(row) for row in line.copy.board.watch.rows} == {WatchRow}
