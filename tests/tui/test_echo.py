"""A terminal that is behind is found out by its own answers, and sent no more than it shows."""

import re

from tui.app.screen_painter import PIECE
from tui.app.terminal_echo import FIRST_S, LEAST, LONGEST_S, MOST, PATIENCE_S, TerminalEcho

WIDE = 120


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def asked(text):
    """Return the column that a question puts the cursor into."""
    return int(re.fullmatch(r"\x1b\[1;(\d+)H\x1b\[6n", text)[1])


def proven(clock):
    echo = TerminalEcho(clock)
    assert echo.take_answer(asked(echo.cursor_question(100, WIDE)))
    return echo


def test_the_next_piece_waits_for_the_answer_to_the_last():
    echo = TerminalEcho(Clock())
    assert echo.is_free
    column = asked(echo.cursor_question(100, WIDE))
    assert not echo.is_free
    assert not echo.take_answer(column + 1), "an old answer, or somebody else's"
    assert not echo.is_free
    assert echo.take_answer(column)
    assert echo.is_free
    assert asked(echo.cursor_question(100, WIDE)) != column


def test_a_piece_is_as_large_as_what_the_line_takes_in_half_a_second():
    clock = Clock()
    echo = proven(clock)
    assert echo.limit == MOST
    column = asked(echo.cursor_question(4_000, WIDE))
    clock.now += 2.0  # 2,000 bytes a second
    echo.take_answer(column)
    assert echo.limit == 1_000
    column = asked(echo.cursor_question(1_000, WIDE))
    clock.now += 5.0
    echo.take_answer(column)
    assert echo.limit == LEAST


def test_a_terminal_that_never_answers_is_soon_not_waited_for():
    clock = Clock()
    echo = TerminalEcho(clock)
    first = asked(echo.cursor_question(100, WIDE))
    for wait in (1, 2, 4):
        clock.now += FIRST_S * wait
        assert echo.is_free
        assert echo.cursor_question(100, WIDE)
    assert [echo.is_free and echo.cursor_question(100, WIDE) for _ in range(3)] == [""] * 3
    assert echo.limit == PIECE
    clock.now += PATIENCE_S
    last = asked(echo.cursor_question(100, WIDE))
    assert not echo.take_answer(first)
    assert not echo.is_free, "it is only slow"
    assert echo.take_answer(last)
    assert echo.is_free


def test_a_line_that_stalls_gets_ever_fewer_and_small_pieces():
    clock = Clock()
    echo = proven(clock)
    echo.cursor_question(100, WIDE)
    sent = []
    for second in range(600):
        clock.now += 1.0
        if echo.is_free:
            sent.append((second + 1, echo.limit))
            echo.cursor_question(100, WIDE)
    assert [at for at, _ in sent[:4]] == [3, 9, 21, 45]
    assert len(sent) < 4 + 600 / LONGEST_S
    assert {limit for _, limit in sent[1:]} == {LEAST}


def test_a_terminal_too_narrow_to_tell_questions_apart_is_not_asked():
    echo = TerminalEcho(Clock())
    assert echo.cursor_question(100, 11) == ""
    assert echo.is_free
    assert asked(echo.cursor_question(100, 40)) < 40
