"""The operator's acts on strategies: what is refused, what is kept, and what outlives a restart."""

from typing import Annotated

import pytest
from msgspec import Struct

from compiled.model.values import SECOND, Bar
from compiled.trading.kernel import Kernel
from compiled.trading.risk import RiskLimits
from engine.board.strategy_view import StrategyView, strategy_fields
from engine.board_rows import Board
from engine.board_writer import BoardWriter
from engine.config.setting_types import within_bounds
from engine.config.strategy_parameters import StrategyParameters
from engine.errors import ConfigError
from engine.manual.strategy_acts import StrategyActs, restored_strategies
from engine.operator_requests import (
    SetParametersRequest,
    StartStrategyRequest,
    StopStrategyRequest,
)
from engine.orders.restore import restore_kernel
from engine.orders.strategy_days import kept_strategy_days
from strategies.parameters import read_parameters
from tests.compiled.trading.scripted import CANBK, OPEN, Scene, Script

DAY = "2025-10-07"
NAME = "script"


class PriceStep(Struct, frozen=True, kw_only=True):
    """One of several."""

    stop: Annotated[float, within_bounds(0.5, 9, "Percent.")] = 2.0


class ScriptParameters(StrategyParameters, frozen=True, kw_only=True):
    """What a script goes by."""

    bars: Annotated[int, within_bounds(2, 50, "Bars of the average.")] = 5
    slow: Annotated[int, within_bounds(2, 90, "Bars of the slow one.")] = 20
    word: str = "calm"
    step: tuple[PriceStep, ...] = (PriceStep(), PriceStep(stop=3.0))

    def contradictions(self):
        if self.bars >= self.slow:
            yield ("bars",), "expected fewer bars than slow"


class MadeScript(Script):
    """A script that knows what it was made of."""

    def __init__(self, parameters):
        super().__init__()
        self.parameters = parameters
        self.heard = []

    def on_bar(self, ctx, bar):
        self.heard.append(int(bar.start))


class ScriptWorkshop:
    """Makes scripts of a table."""

    def __init__(self, table=None):
        self.configured = table or {"bars": 6}
        self.fault = ""

    def table(self, name):
        return self.configured

    def read(self, name, table):
        return read_parameters(name, ScriptParameters, table)

    def make(self, name, table):
        if self.fault:
            raise ConfigError(self.fault)
        return MadeScript(self.read(name, table))


class MemoryJournal:
    """A journal whose rows have reached the disk at once."""

    def __init__(self):
        self.rows = {}

    def append(self, table, row):
        self.rows.setdefault(table, []).append(row)

    def load(self, table, where="", parameters=()):
        rows = self.rows.get(table, [])
        return [row for row in rows if where != "day = ?" or row["day"] == parameters[0]]


def bars(token, span):
    return [Bar(token, OPEN - n * 60 * SECOND, span, 1.0, 1.0, 1.0, 1.0, 1) for n in (3, 2, 1)]


class Stage:
    """A kernel, and who acts on its strategy."""

    def __init__(self, workshop=None, journal=None, limits=None):
        self.scene = Scene(limits=limits)
        self.journal = journal or MemoryJournal()
        self.workshop = workshop or ScriptWorkshop()
        days = kept_strategy_days(self.journal, DAY)
        self.acts = StrategyActs(self.scene.kernel, self.workshop, self.journal, DAY, days, bars)

    @property
    def slot(self):
        return self.scene.kernel.state.slots[0]

    def ask(self, request):
        return str(self.acts.carry_out(request, self.scene.now)[0])

    def put(self, **values):
        return self.ask(SetParametersRequest(NAME, values, "calmer", "me"))

    def stop(self, **more):
        return self.ask(StopStrategyRequest(NAME, "wild", "me", **more))

    def start(self):
        return self.ask(StartStrategyRequest(NAME, "calm", "me"))


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"bars": "90"}, "strategy.script.bars: expected a whole number from 2 to 50, got 90"),
        (
            {"bars": "many"},
            'strategy.script.bars: expected a whole number from 2 to 50, got "many"',
        ),
        ({"bras": "3"}, 'strategy.script.bras: no such key; did you mean "bars"?'),
        ({"bars": "20"}, "strategy.script.bars: expected fewer bars than slow"),
        ({"step[3].stop": "1"}, 'no such key; did you mean "step[2].stop"?'),
        ({"step[2].stop": "0"}, "step[2].stop: expected a number from 0.5 to 9, got 0"),
        ({"symbols": "[]"}, "symbols holds for the day; its instruments are those of"),
        ({"enabled": "false"}, "enabled holds for the day; stop or start the strategy instead"),
        ({"source": "x.py"}, "source holds for the day"),
        ({}, "nothing to change: KEY=VALUE is needed"),
        ({"bars": "6"}, "script has bars 6"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_bounds_and_changes_nothing(values, why):
    stage = Stage()
    script = stage.slot.strategy
    told = stage.put(**values)
    assert told.startswith("refused: ")
    assert why in told
    assert stage.slot.strategy is script
    assert stage.journal.rows == {}


def test_several_parameters_are_right_together_that_are_not_one_by_one():
    stage = Stage()
    assert stage.put(bars="30").startswith("refused")
    assert stage.put(bars="30", slow="40") == (
        "done: script: bars 6 to 30, slow 20 to 40; made anew"
    )
    assert (stage.slot.strategy.parameters.bars, stage.slot.strategy.parameters.slow) == (30, 40)
    # Three bars of each of its two instruments
    assert len(stage.slot.strategy.heard) == 6


def test_one_of_a_list_of_tables_is_changed_by_its_place():
    stage = Stage()
    assert "step[2].stop 3.0 to 4.5" in stage.put(**{"step[2].stop": "4.5"})
    assert [each.stop for each in stage.slot.strategy.parameters.step] == [2.0, 4.5]


def test_a_word_needs_no_quotes():
    stage = Stage()
    assert 'word "calm" to "wild"' in stage.put(word="wild")


@pytest.mark.parametrize("reason", ["", "  "])
def test_every_act_needs_a_reason(reason):
    stage = Stage()
    for request in (
        StopStrategyRequest(NAME, reason),
        StartStrategyRequest(NAME, reason),
        SetParametersRequest(NAME, {"bars": "7"}, reason),
    ):
        assert stage.ask(request) == "refused: a reason is needed: --reason TEXT"
    assert stage.journal.rows == {}


def test_a_misspelt_name_is_answered_with_the_nearest():
    told = Stage().ask(StopStrategyRequest("skript", "wild"))
    assert told == 'refused: no strategy skript on this desk; did you mean "script"?'


def test_what_is_so_already_is_refused():
    stage = Stage()
    assert stage.start() == "refused: script runs"
    assert stage.stop() == "done: script is stopped for the day; 0 positions kept and protected"
    assert stage.stop() == "refused: script is stopped already: by me: wild"


def test_one_that_is_stopped_already_may_still_be_left():
    stage = Stage()
    stage.scene.hold(10)
    stage.stop()
    assert stage.stop(leave=True) == "done: script is stopped for the day; 1 position being left"
    [ladder] = stage.scene.kernel.state.ladders.values()
    assert ladder.leaving


def test_one_that_cannot_be_made_stays_as_it_is():
    stage = Stage()
    stage.stop()
    stage.workshop.fault = "mine.py:3: ValueError: boom"
    assert stage.start() == "refused: mine.py:3: ValueError: boom"
    assert stage.slot.hand_stopped
    assert [row["act"] for row in stage.journal.rows["strategy_acts"]] == ["stop"]


def test_one_whose_limit_is_reached_starts_only_when_that_is_changed():
    stage = Stage(limits=RiskLimits(strategy_daily_loss=100_00))
    stage.scene.hold(100)
    # ₹5 a share lost
    stage.scene.tick(95.0)
    stage.scene.seconds(2)
    assert stage.slot.limit_stopped
    assert "has reached its limit" in stage.start()
    assert stage.slot.stopped
    stage.scene.kernel.limits.set_limit("strategy_daily_loss", 10_000_00)
    assert stage.start() == "done: script runs, made anew"
    assert not stage.slot.limit_stopped


def restarted(stage):
    """Return the stage of a process that comes after one."""
    after = Stage(stage.workshop, stage.journal)
    after.slot.strategy = restored_strategies(
        [stage.workshop.make(NAME, {"bars": 6})], stage.workshop, after.acts.days, print
    )[0]
    kernel: Kernel = after.scene.kernel
    restore_kernel(kernel, after.journal, OPEN)
    return after


def test_a_stop_and_a_changed_parameter_outlive_a_restart():
    stage = Stage()
    stage.put(bars="9")
    stage.stop()
    stage.put(slow="50")
    after = restarted(stage)
    assert after.slot.stopped == "by me: wild"
    assert after.slot.hand_stopped
    assert (after.slot.strategy.parameters.bars, after.slot.strategy.parameters.slow) == (9, 50)
    assert after.start() == "done: script runs, made anew"
    assert after.slot.strategy.parameters.bars == 9
    last = restarted(after)
    assert last.slot.stopped == ""
    assert last.slot.strategy.parameters.slow == 50


def test_the_acts_of_another_day_hold_no_more():
    stage = Stage()
    stage.put(bars="9")
    stage.stop()
    for row in stage.journal.rows["strategy_acts"]:
        row["day"] = "2025-10-06"
    after = restarted(stage)
    assert after.slot.stopped == ""
    assert after.slot.strategy.parameters.bars == 6


def test_a_change_that_is_out_of_bounds_by_now_is_dropped_and_told():
    stage = Stage()
    stage.put(bars="15")
    stage.workshop.configured = {"bars": 6, "slow": 10}
    told = []
    days = kept_strategy_days(stage.journal, DAY)
    made = restored_strategies(
        [stage.workshop.make(NAME, {"bars": 6})],
        stage.workshop,
        days,
        lambda *what: told.append(what),
    )
    assert made[0].parameters.bars == 6
    assert days[NAME].changes == {}
    [(level, name, text)] = told
    assert (level, name) == ("alarm", "strategy")
    assert "expected fewer bars than slow" in text


def shown(stage, blocked=""):
    board = Board("PAPER")
    view = StrategyView(BoardWriter(board), stage.scene.kernel, stage.acts)
    view.note_decisions()
    view.publish(stage.scene.now, blocked)
    return board


def test_the_board_says_in_which_state_a_strategy_is_and_why():
    stage = Stage()
    row = shown(stage).strategies.rows[0]
    assert (row.state, row.why) == ("runs", "")
    row = shown(stage, "the kill switch is latched: x").strategies.rows[0]
    assert (row.state, row.why) == ("no entries", "the kill switch is latched: x")
    stage.scene.kernel.strategy_host.begin_warmup([CANBK])
    row = shown(stage).strategies.rows[0]
    assert (row.state, row.why) == ("warming", "1 of 2 instruments wait for their history")
    stage.stop()
    row = shown(stage).strategies.rows[0]
    assert (row.state, row.why) == ("stopped", "by me: wild")


def test_the_board_has_parameters_with_bounds_and_who_has_changed_them():
    stage = Stage()
    stage.put(bars="9")
    board = shown(stage)
    rows = {row.name: row for row in board.parameters.rows}
    assert [*rows] == [
        "enabled",
        "symbols",
        "timeframe_s",
        "bars",
        "slow",
        "word",
        "step[1].stop",
        "step[2].stop",
    ]
    bars_row = rows["bars"]
    assert (bars_row.value, bars_row.configured, bars_row.note) == ("9", "6", "me: calmer")
    assert bars_row.bounds == "a whole number from 2 to 50"
    assert bars_row.meaning == "Bars of the average."
    assert rows["enabled"].is_fixed
    fields = strategy_fields(board.strategies.rows[0], board.parameters.rows)
    assert [each["name"] for each in fields["parameters"]] == [*rows]


def test_a_refusal_is_a_sentence_with_its_figures_and_is_counted():
    stage = Stage(limits=RiskLimits(max_exposure=500_00))
    view_board = Board("PAPER")
    view = StrategyView(BoardWriter(view_board), stage.scene.kernel, stage.acts)

    def want(ctx):
        ctx.buy(CANBK, 10, 2.0, reason="dip")

    stage.scene.act(want)
    [told] = view.note_decisions()
    assert told.startswith("script: no BUY CANBK: ")
    assert "₹0.00 + ₹1000.00 is above ₹500.00" in told
    stage.scene.kernel.decisions.fresh.clear()
    stage.scene.now += 5 * SECOND
    stage.scene.act(want)
    assert view.note_decisions() == []
    view.publish(stage.scene.now, "")
    [row] = view_board.decisions.rows
    assert (row.times, row.reason, row.refused) == (2, "dip", True)
    [strategy] = view_board.strategies.rows
    assert strategy.refusal.times == 2
    assert strategy.signals == 2
