"""The header's session field: what comes next and when, or where the auction stands."""

import pytest

from engine.trading.board import Header
from tui.widgets.header import fields

NOW = 1_787_000_000_000_000_000


def session(phase, then, seconds):
    header = Header(now=NOW, phase=phase, phase_ends=NOW + seconds * 1_000_000_000, then=then)
    return next(field.text for field in fields(header, 0, "") if field.label == "session")


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
    header = Header(now=NOW, phase=phase, feed_age=seconds * 1_000_000_000)
    (feed,) = [field for field in fields(header, 0, "") if field.label == "feed"]
    assert (feed.text, feed.tone) == (text, tone)
