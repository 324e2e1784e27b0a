"""A past day is gone through in any order, and each moment is the one it was."""

import json
from datetime import date

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as some

from compiled.model.values import MINUTE, SECOND
from engine.day.replay_control import DAY_OVER, ReplayControl, ReplayGoal, ReplayUnit
from engine.errors import ConfigError, NothingFound, OperatorError
from engine.numbers import time_of_day
from engine.operator_requests import ExitRequest, LimitRequest, PlaceRequest
from store.desk_marks import ended_trades
from tests.desk.past_days import CLOSE, DAY, EAGER, MINUTES, OPEN, write_recording
from tests.desk.support import wait_for
from tui.commands.replay.strategies_day import trade_time
from tui.run.opening import OpeningDesk
from tui.run.recording_replay import recording_of
from tui.run.replay.replaying_desk import ReplayingDesk
from tui.run.session import RunPlan
from tui.run.wiring import open_desk


@pytest.fixture
def past_day(station, tmp_path):
    """Make stations on the recording, each with a control."""
    file = write_recording(tmp_path / "state" / "patang" / "sandbox" / "recordings")

    def make(control, home="", more="", **plan):
        text = EAGER + more + (f'[desk]\nstate_dir = "{home}"\n' if home else "")
        made = station(RunPlan(), text)
        run = recording_of(made.configured, file)
        return station(
            RunPlan("replay", None, DAY, (), 0.0, recording=run, control=control, **plan), text
        )

    return make


def moment(made, control):
    """Return everything that a moment is: what was decided, and what a screen shows."""
    board, facts = made.board, made.desk.facts()
    header = board.header._replace(state="", feed_age=0)
    return {
        "position": control.position,
        "now": control.now,
        "header": header,
        "facts": {name: facts[name] for name in ("digest", "ticks", "bars", "fills", "refused")},
        **{
            name: list(getattr(board, name).rows)
            for name in ("watch", "positions", "ladders", "orders", "strategies", "risk", "queue")
        },
        "fills": list(board.fills),
        "bars": dict(board.bars),
        "events": [(row.ts, row.level, row.text) for row in board.events],
        "trades": board.trades,
    }


@pytest.fixture
def played(past_day, tmp_path):
    """Return moments by their position, as the day comes to them when it is only played on.

    Asked for in ascending order they cost one playing.
    """
    control = ReplayControl(paused=True, stays=True)
    # two desks of one mode need two homes
    made = past_day(control, home=str(tmp_path / "other"))
    open_desk(made)

    def at(position, over=False):
        assert position >= control.position, "it only goes on"
        if over:
            control.goal = ReplayGoal(ts=CLOSE)
        elif position > control.position:
            control.goal = ReplayGoal(position=position)
        wait_for(lambda: made.desk.opened and control.goal is None, "it is there")
        # the picture of the moment it holds at: the next beat of a time that stands still
        beat = made.board.heartbeat
        wait_for(lambda: made.board.heartbeat != beat, "it holds")
        return moment(made, control)

    return at


@pytest.fixture
def watched(past_day):
    """Return a day behind a screen, at its start and paused."""
    control = ReplayControl(paused=True, stays=True)
    made = past_day(control)
    desk = ReplayingDesk(made, lambda: None)
    desk.begin()
    wait_for(lambda: desk.board.header.now, "the day is there")
    yield desk, control, made
    desk.stop()
    desk.wait()
    assert desk.error is None


def settled(desk, control, made):
    """Wait until the day is where it was to go, and return the moment."""
    wait_for(
        lambda: (
            desk.replay.moving is None
            and (control.goal is None or control.over)
            and desk.board is made.board
            and desk.board.header.now >= control.now
        ),
        "it is there",
    )
    # The engine shows its picture once more when it begins to hold.
    wait_for(lambda: moment(made, control) == moment(made, control), "it holds")
    return moment(made, control)


CLOSE_RUNG = """cooldown_s = 0
[[strategy.momentum_ladder.rung]]
trigger_percent = 0.0
stop_percent = 0.35
target_percent = 0.35
"""
"""A rung so close to its end that trades are over within minutes."""
MOVES = some.lists(
    some.one_of(
        some.tuples(some.just("to"), some.integers(0, MINUTES * 60)),
        some.tuples(some.just("step"), some.sampled_from([-1, 1])),
        some.tuples(some.sampled_from(["fill", "refusal"]), some.sampled_from([-1, 1])),
        some.tuples(some.just("unit"), some.integers(1, 3)),
    ),
    min_size=1,
    max_size=5,
)


def test_however_a_moment_is_reached_it_is_the_moment_of_playing_on_to_it(watched, played):
    desk, control, made = watched
    deck, reached = desk.replay, {}

    # A sequence of moves is not made smaller: each attempt would play the day again.
    @settings(max_examples=6, deadline=None, phases=[Phase.generate])
    @given(moves=MOVES)
    def go_about(moves):
        for name, way in moves:
            try:
                if name == "to":
                    deck.go_to_time(OPEN + way * SECOND)
                elif name == "step":
                    deck.step(way)
                elif name == "unit":
                    for _ in range(way):
                        deck.choose_unit()
                else:
                    deck.go_next(ReplayUnit(name), way)
            except OperatorError:
                # nothing lies on that side: it stays where it is
                continue
            found = settled(desk, control, made)
            # the last instant, and the same one when the day is over
            key = found["position"], control.over
            assert reached.setdefault(key, found) == found

    go_about()
    assert len(reached) > 3
    for key in sorted(reached):
        assert reached[key] == played(*key)


def test_a_day_is_stepped_through_by_ticks_bars_decisions_and_orders_there_and_back(watched):
    desk, control, made = watched
    deck = desk.replay
    deck.go_to("09:18")
    settled(desk, control, made)
    assert OPEN + 3 * MINUTE <= control.now < OPEN + 3 * MINUTE + SECOND
    counted = {"tick": "ticks", "bar": "bars"}
    for _ in range(4):
        unit = deck.status().unit
        before = moment(made, control)
        deck.step(1)
        after = settled(desk, control, made)
        assert after["position"] > before["position"]
        if unit in counted:
            assert after["facts"][counted[unit]] > before["facts"][counted[unit]]
        if unit == "order":
            assert len(after["orders"]) > len(before["orders"])
        there = control.position
        deck.step(-1)
        assert settled(desk, control, made)["position"] < there
        deck.choose_unit()


def test_the_marks_of_a_day_are_its_fills_and_refusals_and_are_gone_to(watched):
    desk, control, made = watched
    deck = desk.replay
    deck.go_to("end")
    end = settled(desk, control, made)
    status = deck.status()
    assert status.over
    assert len(status.marks.fills) > 1
    assert min(mark.ts for mark in end["fills"]) <= status.marks.fills[0]
    with pytest.raises(OperatorError, match="the day is over"):
        deck.go_next(ReplayUnit.FILL, 1)
    deck.go_next(ReplayUnit.FILL, -1)
    last = settled(desk, control, made)
    assert control.now == status.marks.fills[-1]
    deck.go_next(ReplayUnit.FILL, -1)
    assert settled(desk, control, made)["facts"]["fills"] < last["facts"]["fills"]
    assert control.now == status.marks.fills[-2]


def test_a_held_key_hops_from_where_the_day_is_going(watched):
    desk, control, made = watched
    deck = desk.replay
    for _ in range(3):
        deck.go_to("+2m")
    settled(desk, control, made)
    assert control.now // MINUTE * MINUTE == OPEN + 6 * MINUTE
    for _ in range(3):
        deck.go_to("-1m")
    settled(desk, control, made)
    assert control.now // MINUTE * MINUTE == OPEN + 3 * MINUTE
    deck.go_to("-9h")
    assert settled(desk, control, made)["position"] <= 1


def test_a_text_that_names_no_moment_is_one_line(watched):
    deck = watched[0].replay
    for text in ("", "25:00", "10.42", "later", "+m", "-5"):
        assert "expected HH:MM" in deck.fault_of(text)
        with pytest.raises(ConfigError, match="expected HH:MM"):
            deck.go_to(text)
    for text in ("10:42", "9:20:01", "+5m", "-30s", "start", "END ", "worst"):
        assert deck.fault_of(text) == ""


def test_what_is_asked_by_hand_of_a_watched_day_goes_nowhere(watched):
    desk, control, made = watched
    desk.replay.go_to("09:20")
    before = settled(desk, control, made)
    # by its own screen, and by any other door to the desk
    for door in (desk, made.desk, OpeningDesk(made, author="operator pts/1")):
        for request in (
            ExitRequest(408065, "INFY"),
            PlaceRequest(symbol="INFY", side="BUY", quantity=1, stop=1.0),
            LimitRequest("max_open", 1.0, "fewer"),
        ):
            number = door.submit(request)
            wait_for(lambda door=door, number=number: door.outcome(number), "it is answered")
            answer = door.outcome(number)
            assert (answer.ok, "patang practice" in answer.text) == (False, True)
    assert moment(made, control) == before


def test_a_kill_of_a_watched_day_holds_until_one_goes_back(watched, played):
    desk, control, made = watched
    desk.replay.go_to("09:20")
    settled(desk, control, made)
    desk.kill(flatten=False, reason="by hand")
    wait_for(lambda: desk.board.header.kill == "halt", "it is halted")
    desk.replay.go_to("09:18")
    found = settled(desk, control, made)
    assert found == played(found["position"])
    assert made.kill.latch is None


def test_practice_takes_orders_and_does_not_go_back_but_to_the_start(past_day):
    control = ReplayControl(paused=True, stays=True, goal=ReplayGoal(ts=OPEN + 3 * MINUTE))
    made = past_day(control, practice=True, by_hand=True)
    desk = ReplayingDesk(made, lambda: None)
    desk.begin()
    try:
        settled(desk, control, made)
        number = desk.submit(PlaceRequest(symbol="INFY", side="BUY", quantity=10, stop=1.0))
        wait_for(lambda: desk.outcome(number) is not None, "it is answered")
        assert desk.outcome(number).ok
        desk.replay.go_to("+1m")
        settled(desk, control, made)
        [row] = desk.board.positions.rows
        assert (row.symbol, row.quantity) == ("INFY", 10)
        desk.replay.go_to("end")
        settled(desk, control, made)
        # nothing would ever answer it: the exchange has ended with its day
        number = desk.submit(ExitRequest(408065, "INFY"))
        wait_for(lambda: desk.outcome(number) is not None, "it is answered")
        assert desk.outcome(number).text == DAY_OVER
        for back in (lambda: desk.replay.step(-1), lambda: desk.replay.go_to("09:16")):
            with pytest.raises(OperatorError, match="begins the day anew"):
                back()
        desk.replay.go_to("start")
        settled(desk, control, made)
        assert (control.restarts, control.position, desk.board.positions.rows) == (1, 0, [])
    finally:
        desk.stop()
        desk.wait()


def test_a_day_is_begun_at_the_entry_of_its_worst_or_best_trade(past_day, capsys):
    made = past_day(ReplayControl(paused=True, goal=ReplayGoal(ts=CLOSE)), more=CLOSE_RUNG)
    open_desk(made).done.wait()
    trades = ended_trades(made.database, date.fromisoformat(DAY))
    # one desk a folder: it makes room for the day that is played to find the trade
    made.close()
    pnls = [trade.pnl for trade in trades]
    assert min(pnls) < max(pnls)
    for which, pnl in (("worst", min(pnls)), ("best", max(pnls))):
        at = trade_time(made.configured, made.run, which)
        assert at == time_of_day(trades[pnls.index(pnl)].entered)
        assert f"to find its {which} trade" in capsys.readouterr().err
    with pytest.raises(NothingFound, match="no trade"):
        trade_time(past_day(ReplayControl()).configured, made.run, "worst")


def test_headless_a_day_ends_at_the_moment_and_tells_its_state(patang, tmp_path):
    write_recording(tmp_path / "state" / "patang" / "sandbox" / "recordings")
    (patang.home / "config.toml").write_text(EAGER)
    done = patang.run("replay", DAY, "--no-ui", "--json", "--speed", "max", "--at", "09:20")
    found = json.loads(done.stdout)
    assert found["at"].startswith("09:20:00")
    assert found["ticks"] == 2 * 151
    assert {row["symbol"] for row in found["positions"]} <= {"INFY", "SBIN"}
