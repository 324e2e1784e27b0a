"""Charges of an exit, estimated before it leaves."""

from compiled.model.values import Product
from engine.board.kernel_view import KernelView
from engine.board_rows import Board
from engine.board_writer import BoardWriter
from engine.market.charges import load_rate_table
from tests.compiled.trading.scripted import Scene
from tests.engine.orders.test_order_path_restart import life, tomorrow  # noqa: F401  a fixture

DAY = 20251007
RATES = {
    Product.CNC: load_rate_table().rates("EQ_DELIVERY", "NSE", DAY),
    Product.MIS: load_rate_table().rates("EQ_INTRADAY", "NSE", DAY),
}


def leaving(scene):
    board = Board("SANDBOX")
    KernelView(BoardWriter(board), scene.kernel, None, 0)._publish_positions()
    [row] = board.positions.rows
    return row.leaving


def test_an_exit_of_today_s_delivery_costs_what_intraday_does_and_of_yesterday_s_what_delivery_does(
    life,  # noqa: F811
):
    scene = Scene(rates=RATES)
    scene.hold()
    # a sale of ₹10,000: brokerage 3.00, STT 2.50, exchange 0.297, SEBI 0.01, IPFT 0.01, GST 18 % of
    # 3.317 or less
    assert 6_40 <= leaving(scene) <= 6_42
    life.run(lambda scene: scene.hold(), rates=RATES)
    scene, _ = life.again(day=1, rates=RATES)
    tomorrow(scene)
    # STT 10.00, exchange, SEBI and IPFT as above, no brokerage, GST 18 % of 0.317 or less
    assert 10_36 <= leaving(scene) <= 10_38
