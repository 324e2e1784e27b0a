"""The pulses as a reader sees them, also when the engine that writes them stands still."""

from engine.board_rows import ATTENTION, GOOD, WRONG, Board, PulseRow
from engine.live_pulses import engine_pulse, live_pulses, worst_pulses

SECOND = 1_000_000_000


def board_with(**states):
    board = Board("PAPER")
    board.header = board.header._replace(state="running", now=10 * SECOND)
    for name, state in states.items():
        board.pulses.put(name, PulseRow(name, state, "", 0, "" if state == GOOD else "mend"))
    return board


def test_the_worst_stand_first_and_all_others_keep_their_order():
    board = board_with(a=GOOD, b=ATTENTION, c=GOOD, d=WRONG, e=ATTENTION)
    rows = live_pulses(board, 0)
    assert [row.name for row in rows] == ["d", "b", "e", "engine", "a", "c"]
    assert worst_pulses(rows) == (1, 2)


def test_an_engine_that_stands_still_is_the_first_of_all_and_heals_with_its_next_turn():
    board = board_with(a=ATTENTION)
    first = live_pulses(board, 7 * SECOND)[0]
    assert (first.name, first.state, first.figure) == ("engine", WRONG, "stands still for 7 s")
    assert "ctrl+q" in first.mend
    assert engine_pulse(board, SECOND).state == GOOD


def test_a_desk_that_opens_has_no_heartbeat_and_one_that_died_is_wrong():
    board = board_with()
    board.header = board.header._replace(state="starting")
    assert engine_pulse(board, -1) == PulseRow("engine", GOOD, "starting", 0, "")
    board.header = board.header._replace(state="failed")
    assert engine_pulse(board, 90 * SECOND).state == WRONG
