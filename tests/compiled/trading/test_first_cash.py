"""First cash of a day on which stops had fired before the broker was asked."""

from compiled.model.values import SECOND, Order, OrderPurpose, OrderType, Product, Side
from compiled.trading.order_states import CORRECTION
from compiled.trading.order_store import BookedFill
from engine.day.opening import moved_cash

MORNING = 1_795_132_800 * SECOND


def fill(second, side, quantity, price, product=Product.CNC):
    order = Order(1, "t", "s", 257, side, quantity, OrderType.LIMIT, product, OrderPurpose.EXIT)
    return BookedFill(MORNING + second * SECOND, "t1", order, quantity, price, 1_234, 0)


def test_deliveries_move_the_brokers_cash_at_once_and_corrections_never_do():
    correction = fill(20_000, Side.SELL, 1, 500.0)
    correction.order.order_id = CORRECTION + "7"
    fills = [
        fill(20_000, Side.SELL, 30, 947.2),  # ₹28,416.00 came in
        fill(30_000, Side.BUY, 2, 100.05),  # ₹200.10 went out
        # of which the broker blocks a part, nobody knows which
        fill(20_000, Side.SELL, 5, 500.0, Product.MIS),
        correction,
    ]
    assert moved_cash(fills) == 28_416_00 - 200_10
    assert moved_cash([]) == 0
