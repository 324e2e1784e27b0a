"""Memory of a dry run: an order decided and not sent counts as held for the day."""

from compiled.model.events import PlaceOrder, RequestOutcome
from compiled.trading.risk import RefusalReason, RiskLimits
from engine.board.kernel_view import KernelView
from engine.board.risk_view import limit_usage
from engine.board_rows import Board
from engine.board_writer import BoardWriter
from tests.compiled.trading.scripted import BEL, Scene, only
from tests.engine.manual.test_day_limits import ask
from tests.engine.orders.test_order_path_restart import life, tomorrow  # noqa: F401  a fixture

REASON = "DRY_RUN: decided and not sent"


def withhold(scene, reason=REASON):
    scene.answer(
        only(scene.asked[-2:], PlaceOrder).order.intent, RequestOutcome.REFUSED, reason=reason
    )


def test_what_was_decided_is_not_asked_for_again():
    scene = Scene()
    assert ask(scene) is RefusalReason.OK
    withhold(scene)
    assert ask(scene) is RefusalReason.DUPLICATE
    assert ask(scene, token=BEL) is RefusalReason.OK


def test_what_would_be_held_counts_in_every_limit():
    scene = Scene(limits=RiskLimits(max_positions=1))
    assert ask(scene) is RefusalReason.OK
    withhold(scene)
    assert ask(scene, token=BEL) is RefusalReason.POSITIONS
    scene = Scene(limits=RiskLimits(max_exposure=150_000))
    assert ask(scene, 10) is RefusalReason.OK
    withhold(scene)
    assert ask(scene, 6, BEL) is RefusalReason.EXPOSURE
    assert scene.kernel.decisions.fresh[-1].detail == "₹1000.00 + ₹600.00 is above ₹1500.00"
    assert ask(scene, 5, BEL) is RefusalReason.OK


def test_a_refusal_of_the_broker_is_not_remembered():
    scene = Scene()
    assert ask(scene) is RefusalReason.OK
    withhold(scene, "MarginException: too little")
    assert ask(scene) is RefusalReason.OK


def test_it_is_remembered_over_a_restart_until_the_day_is_over(life):  # noqa: F811
    life.run(
        lambda scene: scene.answer(scene.enter(10).intent, RequestOutcome.REFUSED, reason=REASON)
    )
    scene, unknown = life.again()
    scene.tick(100.0)
    assert (unknown, ask(scene)) == ([], RefusalReason.DUPLICATE)
    scene, _ = life.again(day=1)
    tomorrow(scene)
    assert ask(scene) is RefusalReason.OK


def test_the_screen_says_what_was_not_sent_and_what_it_would_use_of_the_limits():
    scene, board = Scene(limits=RiskLimits(max_exposure=1_000_000)), Board("DRY-RUN")
    ask(scene)
    withhold(scene)
    [order] = scene.kernel.state.dry_run_entries
    writer = BoardWriter(board)
    KernelView(writer, scene.kernel, None, 0).put_order(order)
    [row] = board.orders.rows
    assert (row.status, row.filled, row.quantity) == ("NOT SENT", 0, 10)
    used = limit_usage(scene.kernel.view.limit_census())
    assert [used[name] for name in ("max_exposure", "max_symbol_exposure", "max_positions")] == [
        1_000.0,
        1_000.0,
        1,
    ]
