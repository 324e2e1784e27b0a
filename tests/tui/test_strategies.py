"""The strategies on screen 5: what is shown, and what is asked of the desk."""

import pytest

from engine.errors import OperatorError
from engine.operator_requests import (
    SetParametersRequest,
    StartStrategyRequest,
    StopStrategyRequest,
    done,
    refused,
)
from tests.tui.fake import FakeDesk
from tests.tui.test_app import running, screen_text, settle
from tui.app.panes.strategies_pane import StrategiesPaneView
from tui.app.panes.strategy_day_pane import (
    DecisionsPaneView,
    StrategyTradesPaneView,
    symbol_answers,
)
from tui.app.screens.modal_dialogs import AnsweredEntry, QuestionDialog
from tui.app.screens.strategies_screen import StrategiesScreen

NAME = "momentum_ladder"
TOO_MUCH = (
    "the positions together would be worth too much: ₹564312.75 + ₹3000.00 is above ₹565000.00"
)


def words(app):
    return "\n".join(screen_text(app))


async def press(app, pilot, *keys):
    for key in keys:
        await pilot.press(key)
        await settle(app, pilot)
    for _ in range(3):
        app.frame()
        await pilot.pause(0.01)


def trading():
    face = FakeDesk()
    face.trade()
    return face


def texts(view, board):
    widths = [column.most or column.width for column in view.columns]
    return [[cell.text for cell in view.cells(row, 0, widths)] for row in view.rows(board)]


def test_the_profit_in_all_is_of_closed_trades_and_of_what_is_open():
    board, view = trading().board, StrategiesPaneView()
    version = view.version(board)
    view.show_earned({NAME: 100_00})
    assert view.version(board) != version
    held = sum(row.pnl for row in board.positions.rows)
    first = next(iter(view.cells(row, 0, ()) for row in view.rows(board)))
    assert first[4].value == 100_00 + held
    # What is of no strategy has nothing but its P&L of the day.
    assert [cell.text for cell in view.cells(view.rows(board)[-1], 0, ())][2] == ""


def test_a_decision_says_what_became_of_it():
    board, view = trading().board, DecisionsPaneView()
    view.choose(NAME)
    became = [line[-1] for line in texts(view, board)]
    assert became == [
        "sent",
        "the rung's capital buys no lot: ₹3,000.00 buy no lot of 1 at ₹12641.00 (12 times)",
        f"{TOO_MUCH} (3 times)",
        "rejected: RISK: exposure",
        "open: 5 at 1,621.90",
        "done",
    ]
    view.turn_shown()
    assert [row.symbol for row in view.rows(board)] == ["MARUTI", "INFY"]
    view.turn_shown()
    assert len(view.rows(board)) == 4
    view.choose("breakout")
    assert view.rows(board) == []


def test_positions_stand_before_the_trades_that_are_over():
    board, view = trading().board, StrategyTradesPaneView()
    view.choose(NAME)
    rows = view.rows(board)
    assert [row.until == 0 for row in rows] == [True] * 8 + [False] * 2
    # The trade that was over last stands first.
    assert [row.note for row in rows[8:]] == ["stop", "target"]


async def test_the_strategies_of_the_day_are_two_keys_away_with_their_profit():
    face = trading()
    async with running(face, size=(80, 24)) as (app, pilot):
        await press(app, pilot, "5")
        assert isinstance(app.screen, StrategiesScreen)
        line = next(line for line in screen_text(app) if line.lstrip().startswith(NAME))
        assert "1,840.25" in line
        # ₹12,345.60 of closed trades, and what is open
        held = sum(row.pnl for row in face.board.positions.rows)
        assert f"{(12_345_60 + held) / 100:,.2f}" in line


async def test_a_strategy_is_stopped_with_four_keys():
    face = trading()
    async with running(face, size=(80, 24)) as (app, pilot):
        await press(app, pilot, "5", "x")
        assert isinstance(app.screen, QuestionDialog)
        assert "8 positions" in words(app)
        await press(app, pilot, "right", "enter")
        assert face.commands == [
            StopStrategyRequest(NAME, "no reason given", "screen", leave=False)
        ]


async def test_a_stop_may_leave_the_positions_and_keeps_all_by_default():
    face = trading()
    async with running(face) as (app, pilot):
        await press(app, pilot, "5", "x", "enter")
        assert face.commands == []
        await press(app, pilot, "x", "right", "right", "enter")
        [request] = face.commands
        assert request.leave


async def test_the_question_after_one_with_a_choice_has_none():
    face = trading()
    async with running(face) as (app, pilot):
        await press(app, pilot, "5", "x", "escape", "ctrl+q")
        assert not app.screen.query_one("#further").display


async def test_a_strategy_that_has_failed_shows_why_and_is_started_with_a_reason():
    face = trading()
    async with running(face, size=(120, 40)) as (app, pilot):
        await press(app, pilot, "5", "j")
        assert "moving_average_cross failed: ValueError: boom" in words(app)
        assert 'File "cross.py", line 31, in on_bar' in words(app)
        await press(app, pilot, "s", *"seen", "enter")
        assert face.commands == [StartStrategyRequest("moving_average_cross", "seen", "screen")]
        face.outcomes[1] = refused("moving_average_cross failed again: ValueError: boom")
        await press(app, pilot)
        # It stays open with what the desk said.
        assert isinstance(app.screen, AnsweredEntry)
        assert "failed again" in words(app)
        await press(app, pilot, "enter")
        face.outcomes[2] = done("moving_average_cross runs, made anew")
        await press(app, pilot)
        assert isinstance(app.screen, StrategiesScreen)
        assert "runs, made anew" in words(app)


async def test_one_that_runs_is_not_started_and_what_is_none_is_not_stopped():
    face = trading()
    async with running(face) as (app, pilot):
        await press(app, pilot, "5", "s")
        assert f"{NAME} runs" in words(app)
        await press(app, pilot, "G", "x")
        assert isinstance(app.screen, StrategiesScreen)
        assert face.commands == []


async def test_a_parameter_is_changed_where_its_bounds_are_shown_until_the_desk_takes_it():
    face = trading()
    async with running(face, size=(80, 24)) as (app, pilot):
        await press(app, pilot, "5", "tab", "G", "m")
        assert "A whole number from 2 to 5_000." in words(app)
        await press(app, pilot, *"9000", "enter", "enter")
        assert face.commands == []
        assert "a reason is needed" in words(app)
        await press(app, pilot, *"why", "enter")
        assert face.commands == [SetParametersRequest(NAME, {"ema_slow": "9000"}, "why", "screen")]
        face.outcomes[1] = refused("expected a whole number from 2 to 5_000, got 9000")
        await press(app, pilot)
        assert "got 9000" in words(app)
        assert app.screen.texts == ["9000", "why"]
        face.outcomes[2] = done("ema_slow 21 to 34; made anew")
        await press(app, pilot, "enter")
        assert isinstance(app.screen, StrategiesScreen)


async def test_a_parameter_that_holds_for_the_day_says_so_before_a_reason_is_typed():
    face = trading()
    async with running(face) as (app, pilot):
        await press(app, pilot, "5", "tab")
        table = app.screen.panes["parameters"].table
        while not table.chosen.is_fixed:
            await press(app, pilot, "j")
        await press(app, pilot, "m")
        assert isinstance(app.screen, StrategiesScreen)
        assert f"{table.chosen.name} holds for the day" in words(app)


async def test_a_changed_parameter_shows_what_is_configured_and_who_has_changed_it():
    face = trading()
    async with running(face, size=(120, 40)) as (app, pilot):
        await press(app, pilot, "5", "tab", "j", "j")
        await press(app, pilot, "z")
        line = next(line for line in screen_text(app) if line.startswith(" momentum_percent"))
        assert [*line.split()[1:3]] == ["0.5", "0.4"]
        assert "screen: choppy today" in line
        assert "Move over these bars that is an entry. A number from 0.01 to 50." in words(app)


async def test_the_way_of_a_decision_is_a_key_away():
    face = trading()
    async with running(face) as (app, pilot):
        await press(app, pilot, "5", "t")
        assert "order D6" in words(app)
        await press(app, pilot, "escape", "enter", "k", "t")
        assert "order D5" in words(app)


async def test_the_orders_of_a_strategy_are_a_key_away():
    face = trading()
    async with running(face) as (app, pilot):
        await press(app, pilot, "5", "o")
        assert app.screen.panes["blotter"].table.wanted == NAME


async def test_why_a_symbol_was_not_bought_is_six_keys_away():
    face = trading()
    async with running(face, size=(80, 24)) as (app, pilot):
        await press(app, pilot, "/", *"inf", "enter", "W")
        shown = words(app)
        assert "INFY · asked for today, and answered" in shown
        assert "BUY 3 times, last" in shown
        assert "₹564312.75" in shown
        assert "₹565000.00" in shown
        assert "has not asked for it today" in shown


def test_the_answers_to_a_symbol_are_counted_and_the_others_say_that_they_did_not_ask():
    board = trading().board
    assert symbol_answers(board, "INFY") == [
        "momentum_ladder · runs",
        "  BUY 3 times, last 14:27:39, momentum +0.52 %",
        f"    {TOO_MUCH}",
        "  BUY 14:27:57, P2 at 0.25 % up",
        "    open: 5 at 1,621.90",
        "moving_average_cross · failed: ValueError: boom",
        "  has not asked for it today",
        "breakout · stopped: by screen: wild",
        "  has not asked for it today",
    ]


async def test_one_pane_at_a_time_stands_below_the_list_at_eighty_columns():
    face = trading()
    async with running(face, size=(80, 24)) as (app, pilot):
        await press(app, pilot, "5")
        for name in ("parameters", "decisions", "trades", "strategies"):
            await press(app, pilot, "tab")
            shown = [each for each, pane in app.screen.panes.items() if pane.display]
            assert shown[0] == "strategies"
            assert len(shown) == 2
            assert name in shown


async def test_a_store_that_cannot_be_read_is_told_and_the_day_is_shown():
    def gone():
        raise OperatorError("the database cannot be read")

    face = trading()
    face.strategy_totals = gone
    async with running(face) as (app, pilot):
        await press(app, pilot, "5")
        assert "the database cannot be read" in words(app)
        assert "1,840.25" in words(app)


@pytest.mark.parametrize("size", [(40, 12), (60, 20), (80, 24), (200, 60)])
async def test_the_screen_holds_at_any_size(size):
    face = trading()
    async with running(face, size=size) as (app, pilot):
        await press(app, pilot, "5", "tab", "tab", "z", "z", "j", "tab")
        assert isinstance(app.screen, StrategiesScreen)
