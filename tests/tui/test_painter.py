"""The painter: whatever frames are dropped, the terminal shows the latest, in few bytes."""

import random

from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from tests.tui.glass import Glass
from tui.app.screen_painter import FIRST, PIECE, ScreenPainter

WIDTH, HEIGHT = 60, 20
STYLES = [
    None,
    Style(color="#3fb950", bgcolor="#131417"),
    Style(color="#f85149", bgcolor="#131417", bold=True),
    Style(color="#c9d1d9", bgcolor="#22304a", underline=True),
    Style(bgcolor="#131417"),
]
PENS = {
    None: ("", "", ""),
    STYLES[1]: ("", "38;2;63;185;80", "48;2;19;20;23"),
    STYLES[2]: ("1", "38;2;248;81;73", "48;2;19;20;23"),
    STYLES[3]: ("4", "38;2;201;209;217", "48;2;34;48;74"),
    STYLES[4]: ("", "", "48;2;19;20;23"),
}
"""What a terminal is told of each style, written out by hand from the SGR table of ECMA-48."""


def strip(cells):
    return Strip(
        [Segment(text, style) for text, style in cells], sum(len(text) for text, _ in cells)
    )


def whole(rows):
    return LayoutUpdate([[strip(row)] for row in rows], Region(0, 0, WIDTH, HEIGHT))


def part(rows, spans):
    return ChopsUpdate([{0: strip(row)} for row in rows], spans, [[WIDTH] for _ in rows])


def expected(rows):
    return [[(c, PENS[style]) for text, style in row for c in text] for row in rows]


def drain(painter, glass):
    pieces = []
    while painter.has_due_rows:
        pieces.append(painter.next_piece())
        glass.feed(pieces[-1])
    return pieces


def plain(text="x"):
    return [[(text * WIDTH, STYLES[1])] for _ in range(HEIGHT)]


def painted(rows):
    painter, glass = ScreenPainter(ColorSystem.TRUECOLOR), Glass(WIDTH, HEIGHT)
    painter.take_update(whole(rows))
    drain(painter, glass)
    return painter, glass


def test_the_terminal_comes_to_show_the_latest_frame_whatever_was_dropped_before_it():
    draw = random.Random(5)
    rows = plain()
    painter, glass = painted(rows)
    for _ in range(200):
        spans = []
        for y in draw.sample(range(HEIGHT), 5):
            cut = draw.randrange(1, WIDTH)
            text = "".join(draw.choice("0123456789 ▲") for _ in range(WIDTH))
            rows[y] = [(text[:cut], draw.choice(STYLES)), (text[cut:], draw.choice(STYLES))]
            spans.append((y, 0, WIDTH))
        painter.take_update(part(rows, spans))
        if draw.random() < 0.3:
            glass.feed(painter.next_piece())
    drain(painter, glass)
    assert glass.cells == expected(rows)


def test_only_the_digits_that_changed_are_sent():
    rows = plain()
    painter, glass = painted(rows)
    rows[12] = [("x" * 30 + "12" + "x" * 28, STYLES[1])]
    painter.take_update(part(rows, [(12, 0, WIDTH)]))
    assert drain(painter, glass) == ["\x1b[13;31H\x1b[38;2;63;185;80;48;2;19;20;23m12\x1b[m"]


def test_a_frame_like_the_one_before_costs_nothing():
    rows = plain()
    painter, _glass = painted(rows)
    painter.take_update(whole(rows))
    assert painter.next_piece() == ""
    assert not painter.has_due_rows


def test_a_span_changes_nothing_outside_of_its_widget():
    rows = plain()
    painter, glass = painted(rows)
    update = ChopsUpdate(
        [{0: None, 10: strip([("y" * 5, STYLES[2])]), 15: None} for _ in rows],
        [(3, 10, 15)],
        [[10, 15, WIDTH] for _ in rows],
    )
    painter.take_update(update)
    drain(painter, glass)
    assert glass.lines()[3] == "x" * 10 + "y" * 5 + "x" * 45


def test_wide_characters_keep_their_columns_and_are_never_written_by_half():
    row = [("価格 " + "a" * (WIDTH - 5), STYLES[1])]
    rows = [row, *plain()[1:]]
    painter, glass = painted(rows)
    rows[0] = [("  格 " + "a" * (WIDTH - 5), STYLES[1])]
    painter.take_update(part(rows, [(0, 0, WIDTH)]))
    drain(painter, glass)
    assert glass.lines()[0] == "  格 " + "a" * (WIDTH - 5)
    rows[0] = [("ab格 " + "a" * (WIDTH - 5), STYLES[1])]
    painter.take_update(part(rows, [(0, 0, WIDTH)]))
    drain(painter, glass)
    assert glass.lines()[0] == "ab格 " + "a" * (WIDTH - 5)


def test_after_a_change_of_size_everything_is_sent_anew():
    painter, _glass = painted(plain())
    small = LayoutUpdate(
        [[strip([("y" * 40, STYLES[1])])] for _ in range(10)], Region(0, 0, 40, 10)
    )
    painter.take_update(small)
    glass = Glass(40, 10)
    drain(painter, glass)
    assert glass.lines() == ["y" * 40] * 10


def restless(seed):
    """Return rows in which every cell has a style of its own: the dearest frame there is."""
    draw = random.Random(seed)
    return [
        [(draw.choice("abc"), draw.choice(STYLES[1:])) for _ in range(WIDTH)] for _ in range(HEIGHT)
    ]


def test_a_piece_is_bounded_and_the_top_rows_always_go_first():
    rows = restless(1)
    painter, glass = painted(rows)
    rows = restless(2)
    painter.take_update(whole(rows))
    piece = painter.next_piece()
    assert len(piece.encode()) < PIECE + WIDTH * 60
    glass.feed(piece)
    top = [("KILL".ljust(WIDTH), STYLES[2])]
    rows[1] = top
    painter.take_update(part(rows, [(1, 0, WIDTH)]))
    glass.feed(painter.next_piece())
    assert glass.lines()[1].startswith("KILL")


def test_rows_at_the_bottom_are_not_starved_by_those_above():
    rows = restless(1)
    painter, glass = painted(rows)
    for seed in range(2, 12):
        changed = restless(seed)
        rows = [*rows[:FIRST], *changed[FIRST:]]
        painter.take_update(part(rows, [(y, 0, WIDTH) for y in range(FIRST, HEIGHT)]))
        glass.feed(painter.next_piece())
    seen = expected(rows)
    assert any(glass.cells[y] == seen[y] for y in range(FIRST, HEIGHT))
    stale = expected(restless(1))
    assert not any(glass.cells[y] == stale[y] for y in range(FIRST, HEIGHT))


def test_sixteen_and_256_colours_are_told_in_their_own_codes():
    for system, code in ((ColorSystem.EIGHT_BIT, "38;5;"), (ColorSystem.STANDARD, "\x1b[")):
        painter = ScreenPainter(system)
        painter.take_update(whole(plain()))
        piece = painter.next_piece()
        assert code in piece
        assert "38;2" not in piece


def test_a_terminal_without_utf_8_is_sent_ascii_of_the_same_width():
    painter, glass = ScreenPainter(None, in_ascii=True), Glass(WIDTH, HEIGHT)
    text = "▲ ₹1,387.60 × 2 · é 日本 ▁█ ⣿ ✓ \u2800|".ljust(WIDTH - 2)
    update = whole([[(text, None)]] + [[(" " * WIDTH, None)] for _ in range(HEIGHT - 1)])
    painter.take_update(update)
    sent = "".join(drain(painter, glass))
    assert sent.isascii()
    assert "^ R1,387.60 x 2 . e ???? _# : +  |" in sent
