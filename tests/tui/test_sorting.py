"""Every list sorts for the moment, by key and by mouse, and gives its own order back."""

import pytest
from textual.geometry import Offset

from tests.tui.test_table import tick, watching
from tui.app.widgets.live_table import SORTED_EVERY
from tui.app.widgets.pane_view import PaneCell
from tui.app.widgets.row_order import SortOrder, cell_rank, next_order, sorted_places

LTP = 1


def symbols(table, count=3):
    return [row.symbol for row in table.rows[:count]]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12,34,567.80", 1_234_567.8),
        ("▼ 1.23%", -1.23),
        ("▲ 0.05%", 0.05),
        ("▼ -12,345.00", -12_345.0),
        ("3.40 L", 340_000.0),
        ("1.20 Cr", 12_000_000.0),
        ("12m", 720.0),
        ("59s", 59.0),
        ("14:32:07", 52_327.0),
    ],
)
def test_a_number_counts_as_the_screen_writes_it(text, number):
    assert cell_rank(PaneCell(text), right=True).number == pytest.approx(number)


def test_numbers_begin_with_the_highest_and_texts_with_a_and_nothing_is_last_either_way():
    numbers = [cell_rank(PaneCell(text), right=True) for text in ("5", "", "12", "7")]
    assert sorted_places(numbers, SortOrder(0)) == [2, 3, 0, 1]
    assert sorted_places(numbers, SortOrder(0, turned=True)) == [0, 3, 2, 1]
    texts = [cell_rank(PaneCell(text), right=False) for text in ("b", "A", "", "c")]
    assert sorted_places(texts, SortOrder(0)) == [1, 0, 3, 2]


def test_equals_stay_in_their_order_either_way():
    ranks = [cell_rank(PaneCell(text), right=True) for text in ("1", "2", "1", "2")]
    assert sorted_places(ranks, SortOrder(0)) == [1, 3, 0, 2]
    assert sorted_places(ranks, SortOrder(0, turned=True)) == [0, 2, 1, 3]


def test_each_column_is_met_both_ways_and_then_the_lists_own_order():
    order, seen = None, []
    for _ in range(5):
        order = next_order(order, [0, 2], 1)
        seen.append(order)
    assert seen == [
        SortOrder(0),
        SortOrder(0, turned=True),
        SortOrder(2),
        SortOrder(2, turned=True),
        None,
    ]
    assert next_order(None, [0, 2], -1) == SortOrder(2)
    assert next_order(SortOrder(2, turned=True), [0, 2], -1) == SortOrder(0)


async def test_a_key_sorts_by_the_next_column_and_escape_gives_the_order_back():
    async with watching(symbols=20) as (app, pilot, table):
        own = symbols(table, 20)
        app.screen.turn_to("watch")
        await pilot.press("full_stop", "full_stop", "full_stop")
        assert table.order == SortOrder(LTP)
        prices = [row.ltp for row in table.rows]
        assert prices == sorted(prices, reverse=True)
        assert "▾LTP" in table.render_line(0).text
        await pilot.press("full_stop")
        assert [row.ltp for row in table.rows] == prices[::-1]
        assert "▴LTP" in table.render_line(0).text
        await pilot.press("escape")
        assert (symbols(table, 20), table.order) == (own, None)


async def test_a_click_on_a_head_sorts_turns_round_and_ends_it():
    async with watching(symbols=20) as (_app, pilot, table):
        own, at = symbols(table, 20), table.render_line(0).text.index("LTP")
        orders = []
        for _ in range(3):
            await pilot.click(table, offset=Offset(at, 0))
            orders.append(table.order)
        assert orders == [SortOrder(LTP), SortOrder(LTP, turned=True), None]
        assert symbols(table, 20) == own


async def test_the_cursor_stays_with_its_row_and_rows_jump_once_a_second_at_most():
    async with watching(symbols=20) as (app, _pilot, table):
        app.screen.turn_to("watch")
        table.point_at(table.rows[4][0])
        under = table.chosen.symbol
        table.sort_by(SortOrder(LTP))
        assert table.chosen.symbol == under
        last = table.rows[-1]
        place = next(i for i, row in enumerate(app.face.board.watch.rows) if row[0] == last[0])
        tick(app, place, 99_999.0)
        app.frame()
        assert table.rows[-1].symbol == last.symbol, "it keeps its place for the moment"
        for _ in range(SORTED_EVERY):
            app.frame()
        assert table.rows[0].symbol == last.symbol
        assert table.chosen.symbol == under


async def test_the_title_says_which_row_of_how_many_and_what_the_filter_leaves():
    async with watching(symbols=20) as (app, pilot, table):
        app.screen.turn_to("watch")
        await pilot.press("j", "j")
        app.frame()
        title = app.screen.panes["watch"]._title
        assert "row 3 of 20" in title.render().plain
        table.filter("ba")
        app.frame()
        assert "/ba 5 of 20  row" in title.render().plain


async def test_a_hit_of_the_filter_is_marked_where_there_is_no_colour_too():
    async with watching(symbols=20) as (app, _pilot, table):
        table.filter("bank !axis")
        app.frame()
        marked = [segment.text for segment in table.render_line(1) if segment.style.underline]
        assert marked == ["BANK"]
        table.filter("")
        assert not any(segment.style.underline for segment in table.render_line(1))
