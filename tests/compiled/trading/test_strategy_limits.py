"""A strategy that reaches a limit of its own."""

from compiled.model.events import CancelOrder, KernelAlert, PlaceOrder
from compiled.model.values import OrderStatus, Side
from compiled.trading.risk import RiskLimits
from tests.compiled.trading.scripted import BEL, Scene, only


def test_its_waiting_entry_is_cancelled_before_anybody_is_alerted():
    scene = Scene(limits=RiskLimits(strategy_daily_loss=50_00))
    scene.hold(100)
    scene.tick(200.0, BEL)
    waiting = only(
        scene.act(lambda ctx: ctx.enter(BEL, Side.BUY, 0, 2.0, quantity=10)),
        PlaceOrder,
    ).order
    scene.accept(waiting, "B2")
    scene.book("B2", OrderStatus.OPEN, tag=waiting.tag, quantity=10)
    scene.tick(99.4)  # 100 shares bought at 100.00: a loss of 60 rupees
    cancelled, alert = scene.timer()
    assert isinstance(cancelled, CancelOrder)
    assert cancelled.order is waiting
    assert isinstance(alert, KernelAlert)
    assert alert.text == "script stopped: daily loss limit"
