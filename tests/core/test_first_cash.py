"""With how much a day began, when stops have fired before the broker was asked for the first time."""

from compiled.model import SECOND, Order, OrderType, Product, Purpose, Side
from compiled.outbox import Fill
from engine.trading.opening import moved_early

MORNING = 1_795_132_800 * SECOND
ASKED = MORNING + 40_000 * SECOND


def fill(second, side, quantity, price, product=Product.CNC):
    order = Order(1, "t", "s", 257, side, quantity, OrderType.LIMIT, product, Purpose.EXIT)
    return Fill(MORNING + second * SECOND, "t1", order, quantity, price, 1_234, 0)


def test_deliveries_that_traded_before_the_question_have_moved_the_brokers_cash_already():
    fills = [
        fill(20_000, Side.SELL, 30, 947.2),  # ₹28,416.00 came in
        fill(30_000, Side.BUY, 2, 100.05),  # ₹200.10 went out
        fill(40_000, Side.SELL, 1, 500.0),  # after the question
        fill(-1, Side.SELL, 1, 500.0),  # yesterday
        fill(20_000, Side.SELL, 5, 500.0, Product.MIS),  # of which the broker blocks a part, nobody knows which
    ]
    assert moved_early(fills, MORNING, ASKED) == 28_416_00 - 200_10
    assert moved_early([], MORNING, ASKED) == 0
