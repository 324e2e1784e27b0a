"""A board has one writer, in one thread."""

import ast
import threading
from pathlib import Path

import pytest

import engine
from engine.board_rows import Board, BoardSection, FormingBar, KillRow, TapeRow
from engine.board_writer import BoardWriter

ROOT = Path(engine.__file__).resolve().parents[1]
WRITERS = {"engine/board_writer.py", "engine/board_rows.py", "tui/attach/board_wire.py"}
FIELDS = set(vars(Board("TEST")))


def in_another_thread(work):
    """Return what work raises there, None where it succeeds."""
    raised = [None]

    def run():
        try:
            work()
        except AssertionError as error:
            raised[0] = error

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return raised[0]


@pytest.fixture
def board():
    return Board("TEST")


WRITES = {
    "put": lambda board, writer: writer.put(board.kills, 1, KillRow(1, 2, "latch", "halt", "", "")),
    "keep": lambda board, writer: writer.keep(board.kills, {7}),
    "replace_header": lambda board, writer: writer.replace_header(board.header._replace(now=5)),
    "set_governor": lambda board, writer: writer.set_governor(board.governor._replace(today=5)),
    "set_trades": lambda board, writer: writer.set_trades(board.trades._replace(number=5)),
    "beat": lambda _, writer: writer.beat(5),
    "begin_day": lambda _, writer: writer.begin_day(),
    "add_event": lambda _, writer: writer.add_event(5, "info", "noon"),
    "put_repeat": lambda _, writer: writer.put_repeat(1, 5),
    "add_fill": lambda _, writer: writer.add_fill(None),
    "put_bars": lambda _, writer: writer.put_bars((1, 60), ()),
    "set_forming": lambda board, writer: writer.set_forming(board.focus, FormingBar(1, 60, None)),
    "add_trade": lambda board, writer: writer.add_trade(board.focus, TapeRow(1, 5, 10.0, 3, "BUY")),
    "set_places": lambda board, writer: writer.set_places(board.places._replace(log="x")),
    "set_opening": lambda _, writer: writer.set_opening("reading"),
    "begin_depth": lambda board, writer: writer.begin_depth(board.focus),
}


def test_every_change_a_writer_makes_is_tried_here():
    public = {name for name, item in vars(BoardWriter).items() if callable(item)}
    assert {name for name in public if not name.startswith("_")} == {*WRITES, "claim"}


def content(board):
    """Return all that a reader sees."""
    return {
        name: list(item.rows) if isinstance(item, BoardSection) else repr(item)
        for name, item in (vars(board) | vars(board.focus)).items()
    }


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_of_another_thread_is_refused_and_changes_nothing(board, write):
    writer = BoardWriter(board)
    writer.add_event(1, "info", "morning")
    before = content(board)
    error = in_another_thread(lambda: write(board, writer))
    assert str(error).startswith("only the thread that owns a board writes it")
    assert content(board) == before
    write(board, writer)


def test_a_thread_that_claims_a_board_owns_it_from_then_on(board):
    writer = BoardWriter(board)
    assert in_another_thread(lambda: (writer.claim(), writer.beat(5))) is None
    assert board.heartbeat == 5
    with pytest.raises(AssertionError, match="only the thread that owns"):
        writer.beat(6)


def written_fields(path):
    """Yield the lines of a file that change a field of a board, or call what changes a section."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
        for target in targets:
            field = target.value if isinstance(target, ast.Subscript) else target
            if isinstance(field, ast.Attribute) and _is_board(field.value):
                yield node.lineno
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            changed = node.func.value
            if (
                node.func.attr in {"put", "keep", "append", "update", "pop", "clear", "setdefault"}
                and isinstance(changed, ast.Attribute)
                and changed.attr in FIELDS
                and _is_board(changed.value)
            ):
                yield node.lineno


def _is_board(node):
    return (isinstance(node, ast.Attribute) and node.attr in {"board", "_board"}) or (
        isinstance(node, ast.Name) and node.id == "board"
    )


def test_nothing_else_in_the_house_changes_a_board():
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in ("engine", "tui", "brokers", "store")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if str(path.relative_to(ROOT)) not in WRITERS
        for line in written_fields(path)
    ]
    assert found == []
    assert len(list(written_fields(ROOT / "engine/board_writer.py"))) > 10
