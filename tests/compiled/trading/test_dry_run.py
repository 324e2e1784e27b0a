"""What a dry run remembers: an order that was decided and not sent counts as held for the rest of the day."""

from compiled.events import Outcome, PlaceOrder
from compiled.risk import Limits, Reason
from engine.trading.board import Board
from engine.trading.gauges import Gauges
from engine.trading.publish import Publisher
from tests.core.scripted import BEL, Scene, only
from tests.core.test_limits import ask
from tests.core.test_order_path_restart import life, tomorrow  # noqa: F401  a fixture

REASON = "DRY_RUN: decided and not sent"


def withhold(scene, reason=REASON):
    scene.answer(only(scene.asked[-2:], PlaceOrder).order.intent, Outcome.REFUSED, reason=reason)


def test_what_was_decided_is_not_asked_for_again():
    scene = Scene()
    assert ask(scene) is Reason.OK
    withhold(scene)
    assert ask(scene) is Reason.DUPLICATE
    assert ask(scene, token=BEL) is Reason.OK


def test_what_would_be_held_counts_in_every_limit():
    scene = Scene(limits=Limits(max_positions=1))
    assert ask(scene) is Reason.OK
    withhold(scene)
    assert ask(scene, token=BEL) is Reason.POSITIONS
    scene = Scene(limits=Limits(max_exposure=150_000))
    assert ask(scene, 10) is Reason.OK
    withhold(scene)
    assert ask(scene, 6, BEL) is Reason.EXPOSURE
    assert scene.kernel.decisions.fresh[-1].detail == "₹1000.00 + ₹600.00 is above ₹1500.00"
    assert ask(scene, 5, BEL) is Reason.OK


def test_a_refusal_of_the_broker_is_not_remembered():
    scene = Scene()
    assert ask(scene) is Reason.OK
    withhold(scene, "MarginException: too little")
    assert ask(scene) is Reason.OK


def test_it_is_remembered_over_a_restart_until_the_day_is_over(life):  # noqa: F811
    life.run(lambda scene: scene.answer(scene.enter(10).intent, Outcome.REFUSED, reason=REASON))
    scene, unknown = life.again()
    scene.tick(100.0)
    assert (unknown, ask(scene)) == ([], Reason.DUPLICATE)
    scene, _ = life.again(day=1)
    tomorrow(scene)
    assert ask(scene) is Reason.OK


def test_the_screen_says_what_was_not_sent_and_what_it_would_use_of_the_limits():
    scene, board = Scene(limits=Limits(max_exposure=1_000_000)), Board("DRY-RUN")
    ask(scene)
    withhold(scene)
    [order] = scene.kernel.unsent
    Publisher(board, scene.kernel, None, 0).order(order)
    [row] = board.orders.rows
    assert (row.status, row.filled, row.quantity) == ("NOT SENT", 0, 10)
    used = Gauges(board, scene.kernel, None, None)._used()
    assert [used[name] for name in ("max_exposure", "max_symbol_exposure", "max_positions")] == [1_000.0, 1_000.0, 1]
