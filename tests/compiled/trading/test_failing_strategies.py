"""Whatever a strategy raises, wherever it is called.

It stops that strategy, its neighbour goes on, and why is kept.
"""

import asyncio
from types import SimpleNamespace

import pytest

from compiled.model.events import OperatorAct, PlaceOrder
from compiled.model.values import MINUTE, Bar
from compiled.trading.desk_state import StrategyState
from compiled.trading.kernel import Kernel, KernelSetup
from compiled.trading.risk import RiskLimits
from compiled.trading.strategy import Strategy
from engine.board.strategy_failures import StrategyFailures
from engine.board_rows import Board
from engine.board_writer import BoardWriter
from engine.day.desk_clocks import SteppedClock
from engine.errors import ConfigError
from engine.ops.hung_strategies import StrategyHung
from engine.system import structured_logs
from strategies import build
from tests.compiled.trading.scripted import (
    BEL,
    CANBK,
    CLOSE,
    OPEN,
    Scene,
    Script,
    instruments,
    no_charges,
)


class Mute(Exception):
    def __str__(self):
        raise ValueError("no text")

    __repr__ = __str__


class Leaving(Exception):
    def __str__(self):
        raise SystemExit(3)


class Own(BaseException):
    pass


def deep(depth=0):
    return deep(depth + 1)


ERRORS = {
    "sys.exit()": SystemExit(0),
    "KeyboardInterrupt": KeyboardInterrupt(),
    "GeneratorExit": GeneratorExit(),
    "CancelledError": asyncio.CancelledError(),
    "a BaseException": BaseException("odd"),
    "one of its own": Own("odd"),
    "no text": Mute(),
    "a text that leaves": Leaving(),
    "StopIteration": StopIteration(),
    "MemoryError": MemoryError(),
    "Hung": StrategyHung(),
    "a group": BaseExceptionGroup("both", [SystemExit(1), Mute()]),
    "no UTF-8": ValueError("\ud800"),
}
HOOKS = ("follow", "on_bar", "on_tick", "on_timer", "warm-up")


class Failing(Strategy):
    """Raises one error in one of its hooks."""

    def __init__(self, hook, error):
        super().__init__("failing", 60, every=1, wants_ticks=True)
        self.hook, self.error, self.heard = hook, error, 0

    def fail(self, hook):
        self.heard += 1
        if hook == self.hook:
            raise self.error

    def follow(self, token):
        del token
        self.fail("follow")
        return []

    def on_bar(self, ctx, bar):
        del bar
        self.fail("warm-up" if ctx.warming else "on_bar")

    def on_tick(self, ctx, tick):
        del ctx, tick
        self.fail("on_tick")

    def on_timer(self, ctx, ts):
        del ctx, ts
        self.fail("on_timer")


class Company(Scene):
    """A scene with a second strategy before the scripted one."""

    def __init__(self, strategy):
        super().__init__(quoted=False)
        self.script = Script()
        setup = KernelSetup(OPEN, CLOSE, 10**10, RiskLimits(), [60], "T", 1)
        slots = [StrategyState(strategy, [CANBK, BEL]), StrategyState(self.script, [CANBK, BEL])]
        self.kernel = Kernel(
            setup, instruments(), slots, {8 * CANBK + p: no_charges() for p in range(8)}
        )


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("what", ERRORS)
def test_whatever_a_strategy_raises_stops_that_strategy_and_nothing_else(hook, what, monkeypatch):
    error = ERRORS[what]
    strategy = Failing(hook, error)
    scene = Company(strategy)
    kernel, heard = scene.kernel, []
    kernel.strategy_host.warm_up([Bar(CANBK, OPEN - MINUTE, 60, 100.0, 101.0, 99.0, 100.0, 5, 5)])
    scene.script.todo.append(lambda ctx: heard.append(ctx.now))
    scene.tick(100.0)
    for _ in range(65):
        scene.timer()
    slot, neighbour = kernel.state.slots
    assert slot.error is error
    assert slot.stopped.startswith(type(error).__name__)
    assert slot.call_count % 2 == 0, "it is not at work any more"
    assert heard == [OPEN + MINUTE], "its neighbour goes on"
    assert neighbour.stopped == ""
    told, kept = strategy.heard, []
    scene.tick(101.0, after=60.0)
    scene.timer()
    assert strategy.heard == told, "it is not called again"
    monkeypatch.setattr(structured_logs, "log_strategy", lambda *_: None)
    failures = StrategyFailures(
        kernel.state.slots,
        BoardWriter(Board("TEST")),
        SimpleNamespace(append=lambda _, row: kept.append(row)),
        SteppedClock(OPEN),
    )
    failures.record_new()
    assert [row["who"] for row in kept] == ["failing"]
    assert "in fail" in kept[0]["detail"], "with its traceback"


class Hasty(Strategy):
    """Asks for shares once, and may fail then."""

    def __init__(self, hook, error):
        super().__init__("hasty", 60, every=1, wants_ticks=True)
        self.hook, self.error, self.asked = hook, error, False

    def ask(self, hook, ctx):
        if hook == self.hook and not self.asked:
            self.asked = True
            ctx.buy(CANBK, 10, 2.0, reason="now")
            if self.error is not None:
                raise self.error

    def on_bar(self, ctx, bar):
        del bar
        self.ask("on_bar", ctx)

    def on_tick(self, ctx, tick):
        del tick
        self.ask("on_tick", ctx)

    def on_timer(self, ctx, ts):
        del ts
        self.ask("on_timer", ctx)


@pytest.mark.parametrize("hook", ["on_bar", "on_tick", "on_timer"])
@pytest.mark.parametrize(("error", "orders"), [(None, [10]), (ValueError("too late"), [])])
def test_what_a_strategy_asked_for_is_done_unless_it_failed_in_that_call(hook, error, orders):
    scene = Company(Hasty(hook, error))
    scene.operate(OperatorAct.READY)
    scene.tick(100.0)
    scene.tick(100.0, after=61.0)
    for _ in range(3):
        scene.timer()
    asked = [each.order.quantity for each in scene.asked if isinstance(each, PlaceOrder)]
    assert asked == orders
    assert bool(scene.kernel.state.slots[0].stopped) is (error is not None)


def test_a_strategy_that_goes_too_deep_is_stopped():
    scene = Company(Failing("", None))
    scene.kernel.state.slots[0].strategy.fail = lambda hook: deep()
    scene.tick(100.0)
    assert scene.kernel.state.slots[0].stopped.startswith("RecursionError")


@pytest.mark.parametrize("what", [name for name in ERRORS if name != "KeyboardInterrupt"])
def test_a_strategy_that_cannot_be_made_is_a_line_of_the_configuration(what, monkeypatch):
    def make(name, parameters):
        del name, parameters
        raise ERRORS[what]

    monkeypatch.setattr("strategies.factory", lambda *_: make)
    with pytest.raises(
        ConfigError, match=r"strategy momentum_ladder cannot be made: .*test_failing_strategies\.py"
    ):
        build("momentum_ladder", {})
