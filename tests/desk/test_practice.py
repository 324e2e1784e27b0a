"""A past day is traded by hand, scored beside the strategies, and kept."""

import pytest

from compiled.accounting.charges import order_charges
from compiled.model.values import MINUTE, SECOND, Side
from engine.config.schema import DeskConfig
from engine.day.replay_control import MinutePoint, ReplayControl
from engine.errors import DataError, NothingFound
from engine.market.charges import load_rate_table
from engine.numbers import gain, rupees
from engine.operator_requests import ExitRequest, PlaceRequest, ReverseRequest
from store.desk_marks import EndedTrade
from strategies import load_config
from tests.desk.past_days import DAY, EAGER, OPEN, SHARES, write_recording
from tests.desk.support import wait_for
from tui.commands.replay.practice_log import find_session, keep_session, kept_sessions
from tui.commands.replay.practice_run import run_practice
from tui.commands.replay.score_card import (
    DayTotals,
    PracticeSession,
    TradingResult,
    card_text,
    deepest_fall,
    holding_result,
    trading_result,
)
from tui.run.recording_replay import recording_of
from tui.run.replay.replaying_desk import ReplayingDesk
from tui.run.session import RunPlan

SESSION = PracticeSession(
    number=1,
    practised="2026-12-01 08:27",
    day=DAY,
    source="sandbox/2026-06-01/1",
    begun=OPEN,
    left=OPEN + 60 * MINUTE,
    beside=False,
    restarts=2,
    symbol="RELIANCE",
    own=TradingResult(10_00, 68_40, 9, 4, 180_68, -174_20, 521_81, 0.3),
    by_hand=10_00,
    strategies=TradingResult(-95_78, 203_33, 102, 38),
    held=TradingResult(8_797_23, 404_57, 2, 1),
)


def points(*pnls, held=0, prices=()):
    return [
        MinutePoint(OPEN + at * MINUTE, pnl, held, prices[at] if prices else 0.0)
        for at, pnl in enumerate(pnls)
    ]


def test_a_result_is_of_its_totals_its_minutes_and_its_trades():
    trades = [EndedTrade("INFY", "", 0, 1, pnl) for pnl in (500, -300, 0)]
    curve = [*points(0, 400), MinutePoint(OPEN, -100, 2, 0.0), MinutePoint(OPEN, 300, 1, 0.0)]
    # 400 down to -100, and half of the minutes with something held
    assert trading_result(DayTotals(250, 77, 6), curve, trades) == TradingResult(
        250, 77, 6, 3, 500, -300, 500, 0.5
    )
    assert trading_result(DayTotals(0, 0, 0), [], []) == TradingResult(0)


@pytest.mark.parametrize(
    ("values", "fall"), [([], 0), ([5], 0), ([0, 3, 1, 4, -2, 9], 6), ([0, -3, -7], 7)]
)
def test_the_deepest_fall_is_below_the_highest_one_before(values, fall):
    assert deepest_fall(values) == fall


def test_holding_buys_what_the_cash_buys_and_pays_the_charges_of_both_orders():
    curve = points(0, 0, 0, 0, prices=(0.0, 300.0, 290.0, 310.0))
    free = holding_result(curve, 1_000_00, None)
    # three shares of 300: 900 → 870 → 930
    assert (free.net, free.charges, free.drawdown) == (30_00, 0, 30_00)
    rates = load_rate_table().rates("EQ_INTRADAY", "NSE", 20260601)
    paid = holding_result(curve, 1_000_00, rates)
    both = order_charges(rates, Side.BUY, 3, 900_00) + order_charges(rates, Side.SELL, 3, 930_00)
    assert both > 0
    assert (paid.net, paid.charges) == (30_00 - both, both)
    assert holding_result(points(0, 0), 1_000_00, None) == TradingResult(0)


def test_a_card_compares_and_fits_a_narrow_terminal():
    text = card_text(SESSION)
    assert max(map(len, text.splitlines())) <= 78
    assert "against the strategies ▲ 105.78" in text
    assert "against doing nothing  ▲ 10.00" in text
    assert "against holding        ▼ -8,787.23" in text
    assert "begun anew 2 times" in text
    assert "by hand alone" not in text


def test_cards_are_kept_in_their_order_and_found_by_number(tmp_path):
    file = tmp_path / "practice.jsonl"
    assert kept_sessions(file) == []
    with pytest.raises(NothingFound, match="nothing has been practised"):
        find_session(file, 0)
    other = PracticeSession(**{name: getattr(SESSION, name) for name in SESSION.__struct_fields__})
    keep_session(file, SESSION)
    keep_session(file, other)
    assert kept_sessions(file) == [SESSION, other]
    assert find_session(file, 0) == other
    with pytest.raises(NothingFound, match="no practised day 7"):
        find_session(file, 7)
    file.write_bytes(file.read_bytes() + b'{"number": "one"}\n')
    with pytest.raises(DataError, match="line 3: no practised day"):
        kept_sessions(file)


def test_a_day_by_hand_is_scored_against_the_strategies_of_the_configuration(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    file = tmp_path / "config.toml"
    file.write_text(EAGER)
    config = load_config(file).values
    assert isinstance(config, DeskConfig)
    run = recording_of(config, write_recording(tmp_path / "state/patang/sandbox/recordings"))
    control = ReplayControl(paused=True, stays=True)
    bought, shown = [], []

    def trade(station, ending):
        del ending
        desk = ReplayingDesk(station, lambda: None)
        desk.begin()

        def go(place):
            desk.replay.go_to(place)
            wait_for(
                lambda: control.goal is None and desk.board.header.now >= control.now, "it is there"
            )

        def answer(number):
            wait_for(lambda: desk.outcome(number), "it is answered")
            return desk.outcome(number)

        def ask(request):
            assert answer(desk.submit(request)).ok

        wait_for(lambda: desk.board.header.now, "the day is there")
        go("09:16")
        leave = ExitRequest(SHARES["INFY"], "INFY")
        assert str(answer(desk.submit(leave))) == (
            "refused: INFY is neither held nor being entered"
        )
        ask(PlaceRequest(symbol="INFY", side="BUY", quantity=10, product="MIS", stop=5.0))
        go("09:20")
        bought.extend(desk.board.positions.rows)
        # Who turns a position, thinks better of it and just leaves, is flat in the end.
        turned = desk.submit(ReverseRequest(symbol="INFY"))
        ask(leave)
        go("09:24")
        assert "everything was left by hand" in str(answer(turned))
        assert not desk.board.positions.rows
        shown.extend(desk.replay.score())
        desk.stop()
        return desk.wait()

    plan = RunPlan("replay", None, DAY, (), 0.0, recording=run, control=control, practice=True)
    assert run_practice(config, plan, trade, beside=False, as_json=False) == 0
    [session] = kept_sessions(tmp_path / "state/patang/practice.jsonl")
    [row] = bought
    assert (row.symbol, row.quantity) == ("INFY", 10)
    assert (session.own.orders, session.own.trades) == (3, 1)
    # one trade, flat at the end: all there is to the day
    assert session.own.net == session.own.best == session.own.worst
    assert session.own.charges > 0
    assert OPEN + 9 * MINUTE <= session.left < OPEN + 9 * MINUTE + SECOND
    assert session.strategies.orders > 2
    assert (session.symbol, session.held.orders, session.restarts) == ("INFY", 2, 0)
    # what stood on the screen, before it was left
    told = dict(shown)
    assert [*told] == ["drawdown", "holding", "compared"]
    assert told["drawdown"].startswith(f"{rupees(session.own.drawdown)}, something held ")
    assert told["holding"].startswith(f"{gain(session.held.net).strip()} with all the cash in INFY")
    assert told["holding"].endswith(
        f": {gain(session.own.net - session.held.net).strip()} against it"
    )
    assert card_text(session) in capsys.readouterr().out
