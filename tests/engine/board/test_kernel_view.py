"""The bar that a chart looks at, as far as it has come."""

from compiled.model.values import MINUTE
from engine.board.kernel_view import KernelView
from engine.board_rows import BarRow, Board, BoardHeader, FormingBar
from engine.board_writer import BoardWriter
from tests.compiled.trading.scripted import BEL, CANBK, OPEN, Scene


def test_the_charted_bar_is_shown_while_it_forms_and_no_other():
    scene, board = Scene(), Board("SANDBOX")
    view = KernelView(BoardWriter(board), scene.kernel, None, 0)
    for price in (102.0, 99.0, 101.0):
        scene.tick(price, after=5.0)
    view._publish_forming()
    assert board.forming is None
    board.focus.look_at(CANBK, 60)
    view._publish_forming()
    bar = BarRow(OPEN + MINUTE, 100.0, 102.0, 99.0, 101.0, board.forming.bar.volume)
    assert board.forming == FormingBar(CANBK, 60, bar)
    # Nothing has traded there, and such bars are not built: a screen may ask all the same.
    for asked in ((BEL, 60), (CANBK, 7), (4_711, 60)):
        board.focus.look_at(*asked)
        view._publish_forming()
        assert board.forming is None
    assert board.header == BoardHeader(mode="SANDBOX")
