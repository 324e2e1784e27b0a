"""The use of the limits, as the risk screen shows it."""

from compiled.trading.risk import RiskLimits
from engine.board.risk_view import RiskView, limit_usage
from engine.board_rows import Board
from engine.board_writer import BoardWriter
from tests.compiled.trading.scripted import Scene
from tests.engine.manual.test_day_limits import ask


def test_a_limit_on_single_orders_is_used_up_by_nothing():
    scene, board = (
        Scene(limits=RiskLimits(max_order_value=200_000, max_exposure=400_000)),
        Board(""),
    )
    ask(scene, 15)
    used = limit_usage(scene.kernel.view.limit_census())
    RiskView(BoardWriter(board), scene.kernel, None, None)._publish_limits({}, {}, used)
    shown = {row.name: row.used for row in board.limits.rows}
    assert (shown["max_order_value"], shown["price_range_percent"]) == (-1.0, -1.0)
    assert shown["max_exposure"] == 1_500.0


def test_a_budget_of_every_strategy_that_holds_something_is_counted_not_of_todays_alone():
    scene = Scene(limits=RiskLimits())
    scene.hold(10)
    [ladder] = scene.kernel.state.ladders.values()
    ladder.strategy = "yesterdays"
    used = limit_usage(scene.kernel.view.limit_census())
    assert used["budget.yesterdays"] == 1_000.0
    assert used[f"budget.{scene.kernel.state.slots[0].name}"] == 0
