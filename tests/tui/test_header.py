"""The header's session field: what comes next and when, or where the auction stands."""

import pytest

from engine.board_rows import Board, BoardHeader, FailureRow, StrategyRow
from tui.app.widgets.header_bar import header_fields
from tui.app.widgets.status_bands import KillState, kill_lines, mode_text

NOW = 1_787_000_000_000_000_000


def shown(header, board=None, kill=None):
    board = board or Board("SANDBOX")
    board.header = header
    return {field.label: field for field in header_fields(board, 0, kill or KillState())}


def session(phase, then, seconds):
    header = BoardHeader(now=NOW, phase=phase, phase_ends=NOW + seconds * 1_000_000_000, then=then)
    return shown(header)["session"].text


@pytest.mark.parametrize(
    ("phase", "then", "seconds", "text"),
    [
        ("continuous", "auction reference", 252, "closing auction in 4:12"),
        ("continuous", "closing", 3473, "close in 57:53"),
        ("continuous", "closed", 60, "close in 1:00"),
        ("closed", "pre-open entry", 3661, "pre-open in 1:01:01"),
        ("closed", "continuous", 5, "open in 0:05"),
        ("auction limit-only", "auction match", 61, "auction limit-only 1:01"),
        ("continuous", "", 61, "continuous 1:01"),
    ],
)
def test_the_session_field_counts_down_to_what_comes_next(phase, then, seconds, text):
    assert session(phase, then, seconds) == text


@pytest.mark.parametrize(
    ("phase", "seconds", "text", "tone"),
    [
        ("continuous", 1, "live", "dim"),
        ("continuous", 69, "69 s", "danger"),
        ("auction reference", 69, "quiet", "dim"),
        ("closed", 40_000, "quiet", "dim"),
        ("", 69, "69 s", "danger"),
    ],
)
def test_a_silent_feed_is_a_danger_only_while_something_trades(phase, seconds, text, tone):
    header = BoardHeader(now=NOW, phase=phase, feed_age=seconds * 1_000_000_000)
    feed = shown(header)["feed"]
    assert (feed.text, feed.tone) == (text, tone)


def test_the_day_stands_above_the_clock():
    assert shown(BoardHeader(now=1_784_017_800 * 10**9))["Tue 14 Jul 2026 IST"].text == "14:00:00"
    assert shown(BoardHeader())["IST"].text == "--:--:--"


def test_a_strategy_that_has_failed_stays_marked_until_somebody_has_looked():
    board = Board("SANDBOX")
    board.strategies.put("a", StrategyRow("a", "", 100))
    board.strategies.put("b", StrategyRow("b", "ValueError: boom", -100))
    board.strategies.put("by hand, adopted", StrategyRow("by hand, adopted", "", 5))
    board.failures.put("b", FailureRow("b", NOW, "ValueError: boom", ()))
    field = shown(BoardHeader(), board)["strategies"]
    assert (field.text, field.tone, field.rank) == ("1/2 FAILED: d", "danger", 0)
    board.failures.keep(set())
    field = shown(BoardHeader(), board)["strategies"]
    assert (field.text, field.tone) == ("1/2", "notice")


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("level", ["halt", "flatten"])
@pytest.mark.parametrize("flat", [False, True])
def test_the_kill_band_says_how_to_go_on_at_every_width(width, level, flat):
    lines = kill_lines(KillState(level, "operator", confirmed=True, flat=flat), width)
    assert all(len(line) == width for line in lines)
    assert "^r or patang resume goes on" in lines[1]
    assert ("^k ^k flattens" in lines[1]) == (level == "halt" and width >= 60)


def test_a_desk_that_is_flat_is_no_longer_flattening():
    out = kill_lines(KillState("flatten", "operator", confirmed=True, flat=True), 80)
    assert "· FLAT ·" in out[0]
    assert "every position is out" in out[1]
    assert (
        shown(BoardHeader(), kill=KillState("flatten", "", confirmed=True, flat=True))["kill"].text
        == "FLAT"
    )
    still = kill_lines(KillState("flatten", "operator", confirmed=True, flat=False), 80)
    assert "FLATTENING" in still[0]
    assert "is being exited" in still[1]


@pytest.mark.parametrize(
    ("speed", "words"), [(10.0, "10 ×"), (1.0, ""), (0.0, "as fast as it can"), (2.5, "2.5 ×")]
)
def test_the_mode_band_names_a_pace_that_is_not_that_of_life(speed, words):
    text = mode_text("SANDBOX", 100, speed=speed).plain
    assert words in text
    assert ("×" in text) == ("×" in words)


@pytest.mark.parametrize(
    ("login", "overdue", "text"),
    [(True, 0, "LOG IN"), (True, 2, "LOG IN: 2 INTRADAY LEFT"), (False, 1, "1 INTRADAY LEFT")],
)
def test_a_session_that_has_ended_and_what_cannot_be_left_stand_in_the_header(login, overdue, text):
    field = shown(BoardHeader(login=login, overdue=overdue))["broker"]
    assert (field.text, field.tone) == (text, "danger")
    assert "broker" not in shown(BoardHeader())
