"""Watch lists, the search for a symbol, the symbol link, and price alerts, by their keys."""

import asyncio

import pytest

from engine.board_rows import AlertRow, EventRow
from engine.config.watch_lists import change_watch_lists, read_watch_lists
from engine.operator_requests import (
    AlertRequest,
    DropAlertRequest,
    UnwatchRequest,
    WatchRequest,
    done,
    refused,
)
from tests.tui.fake import FakeDesk
from tests.tui.test_table import tick
from tests.waiting import until
from tui.app.app import PatangApp
from tui.app.panes.watch.watch_table import heat_level, heat_text
from tui.app.panes.watchlist_pane import day_range
from tui.app.screens.pickers.alert_dialog import read_alert
from tui.app.screens.pickers.pick_dialog import PickDialog
from tui.app.screens.pickers.symbol_search import SymbolSearch
from tui.app.widgets.pane_view import fit_text

LISTED = (
    ("NSE", "ZOMATO", 0.05, 1, "EQ", "ETERNAL LIMITED"),
    ("NFO", "NIFTY26JUL25600CE", 0.05, 75, "CE", "NIFTY"),
    ("NFO", "NIFTY26JUL25600PE", 0.05, 75, "PE", "NIFTY"),
)


class Screen:
    """The app on a fake desk, and what it was asked for."""

    def __init__(self, app, pilot, face):
        self.app, self.pilot, self.face = app, pilot, face

    async def press(self, *keys):
        await self.pilot.press(*keys)
        self.app.frame()
        await self.pilot.pause()

    async def search(self, key, text):
        """Open a search, type, and wait until it has looked through everything."""
        await self.press(key)
        await self.press(*text)
        search = self.app.screen
        assert isinstance(search, SymbolSearch)
        await until(lambda: not search._searching)
        return search

    @property
    def table(self):
        return self.app.screen.panes["watch"].table

    @property
    def asked(self):
        return [each for each in self.face.commands if not isinstance(each, WatchRequest)]

    def symbols(self):
        return [row.symbol for row in self.table.rows]

    def frames(self, count=1):
        for _ in range(count):
            self.app.frame()


@pytest.fixture
async def screen(tmp_path):
    face = FakeDesk(symbols=8)
    face.listed = LISTED
    face.watch_lists_file = tmp_path / "patang" / "watchlists.toml"
    change_watch_lists(
        face.watch_lists_file,
        lambda lists: lists.create("tech").add("tech", ["TCS", "INFY", "ZOMATO"]),
    )
    face.board.header = face.board.header._replace(state="running")
    app = PatangApp(face, clock=lambda: face.board.heartbeat, fps=0, tune_gc=False)
    async with app.run_test(size=(120, 40)) as pilot:
        app.frame()
        await until(lambda: app.watching.book.lists.lists)
        app.screen.turn_to("watch")
        app.frame()
        await pilot.pause()
        yield Screen(app, pilot, face)


async def saved(screen):
    await until(lambda: not screen.app.watching._unsaved)
    return [
        (each.name, each.symbols) for each in read_watch_lists(screen.face.watch_lists_file).lists
    ]


async def test_a_list_shows_its_own_symbols_and_asks_for_what_it_lacks_once(screen):
    await screen.press("right_curly_bracket")
    assert screen.symbols() == ["TCS", "INFY", "ZOMATO"]
    screen.frames(3)
    assert screen.face.commands == [WatchRequest("ZOMATO")]
    screen.face.outcomes[1] = refused("ZOMATO is listed nowhere that this desk trades")
    screen.frames(3)
    assert len(screen.face.commands) == 1
    assert "listed nowhere" in screen.app._notices.shown[-1].text
    await screen.press("left_curly_bracket")
    assert len(screen.symbols()) == 8


async def test_eight_keys_put_a_symbol_under_watch(screen):
    keys = ["a", *"zoma", "enter"]
    assert len(keys) <= 8
    await screen.search("a", "zoma")
    await screen.press("enter")
    assert screen.face.commands == [WatchRequest("ZOMATO")]


async def test_what_is_typed_faster_than_it_is_looked_for_is_chosen_all_the_same(screen):
    await screen.pilot.press("a", *"eternal", "enter")
    await until(lambda: screen.face.commands)
    assert screen.face.commands == [WatchRequest("ZOMATO")]


async def test_a_search_counts_and_names_options_by_strike_and_side(screen):
    search = await screen.search("a", "nifty 25600")
    shown = search._list.render().plain
    assert "NIFTY26JUL25600CE" in shown
    assert "25600 PE" in shown
    assert str(search.query_one("#count").visual).strip() == "2 · ● under watch"


async def test_a_symbol_of_a_list_is_added_moved_and_removed_and_kept(screen):
    await screen.press("right_curly_bracket")
    await screen.search("a", "sbin")
    await screen.press("enter")
    assert screen.symbols() == ["TCS", "INFY", "ZOMATO", "SBIN"]
    await screen.press("J")
    assert screen.symbols()[:2] == ["INFY", "TCS"]
    assert screen.table.chosen.symbol == "TCS"
    await screen.press("K")
    await screen.press("x")
    assert screen.symbols() == ["INFY", "ZOMATO", "SBIN"]
    assert await saved(screen) == [("tech", ("INFY", "ZOMATO", "SBIN"))]
    assert UnwatchRequest("TCS") not in screen.face.commands


async def test_off_the_watch_it_asks_first(screen):
    await screen.press("x")
    assert screen.face.commands == []
    await screen.press("tab", "enter")
    assert screen.face.commands == [UnwatchRequest("RELIANCE")]


async def test_lists_are_made_renamed_ordered_and_deleted(screen):
    await screen.press("l", "a")
    await screen.press(*"banks", "enter")
    assert screen.app.watching.book.name == "banks"
    assert not screen.app.screen.is_modal
    await screen.press("l", "K")
    await screen.press("m")
    await screen.press(*"lenders", "enter")
    assert await saved(screen) == [("lenders", ()), ("tech", ("TCS", "INFY", "ZOMATO"))]
    await screen.press("l")
    assert isinstance(screen.app.screen, PickDialog)
    await screen.press("x", "tab", "enter")
    assert await saved(screen) == [("tech", ("TCS", "INFY", "ZOMATO"))]
    assert screen.app.watching.book.name == "all"


async def test_a_name_that_is_taken_keeps_the_entry_open(screen):
    await screen.press("l", "a")
    await screen.press(*"tech", "enter")
    assert str(screen.app.screen.query_one("#error").visual) == "there is a watch list tech already"


async def test_a_list_changed_elsewhere_is_read_again(screen):
    change_watch_lists(screen.face.watch_lists_file, lambda lists: lists.add("tech", ["WIPRO"]))
    screen.frames(60)
    await until(lambda: "WIPRO" in screen.app.watching.book.lists.named("tech").symbols)


async def test_a_file_that_cannot_be_read_is_told_once_and_left_alone(screen):
    file = screen.face.watch_lists_file
    file.write_text("nonsense")
    for _ in range(3):
        screen.frames(50)
        await asyncio.sleep(0)
    await until(lambda: screen.app._notices.shown)
    assert [each.text for each in screen.app._notices.shown if "mend it" in each.text]
    assert file.read_text() == "nonsense"


async def test_headings_of_groups_count_as_no_rows(screen):
    await screen.press("b")
    lines = [screen.table.render_line(y).text.rstrip() for y in range(1, 12)]
    assert lines[0] == " ── NSE shares"
    assert screen.table.total == 8
    await screen.press("b")
    held = {row.symbol for row in screen.face.board.positions.rows}
    mine = [symbol for symbol in screen.symbols() if symbol in held]
    assert screen.symbols()[: len(mine)] == mine
    await screen.press("g")
    assert (screen.table.cursor, screen.table.scroll_offset.y) == (0, 0)
    await screen.press("j", "j", "j", "j")
    assert screen.table.chosen.symbol == screen.symbols()[4]
    row = screen.table._line_of[4] + 1
    assert screen.symbols()[4] in screen.table.render_line(row).text


async def test_the_heat_map_reads_without_colours_and_keeps_the_cursor(screen):
    await screen.press("j")
    await screen.press("v")
    screen.frames(6)
    symbols, changes = (screen.table.render_line(y).text for y in (0, 1))
    assert "▸HDFCBANK" in symbols
    assert symbols.index("RELIANCE") < symbols.index("HDFCBANK")
    assert "%" in changes
    await screen.press("right")
    assert screen.table.chosen.symbol == "INFY"
    await screen.press("v")
    assert "INFY" in screen.table.render_line(3).text


@pytest.mark.parametrize(
    ("change", "level", "text"),
    [
        (0.0, 0, "0.00%"),
        (0.3, 1, "▲ 0.30%"),
        (-0.5, -2, "▼ 0.50%"),
        (2.0, 3, "▲▲ 2.00%"),
        (-7.5, -4, "▼▼▼ 7.50%"),
    ],
)
def test_a_tile_has_as_many_arrows_as_its_colour_has_strength(change, level, text):
    assert (heat_level(change), heat_text(change)) == (level, text)


async def test_columns_are_chosen_and_kept(screen):
    assert "VWAP" not in screen.table.render_line(0).text
    await screen.press("C")
    await screen.press(*["j"] * 6, "enter", "escape")
    screen.frames(2)
    assert "VWAP" in [column.title for column in screen.table.view.columns]
    await until(lambda: not screen.app.watching._unsaved)
    kept = read_watch_lists(screen.face.watch_lists_file).columns
    assert kept == ("LTP", "change", "spark", "bid", "ask", "volume", "VWAP", "age")


def test_where_the_price_stands_in_the_days_range():
    assert day_range(100.0, 200.0, 100.0, 5) == "●┈┈┈┈"
    assert day_range(100.0, 200.0, 150.0, 5) == "┈┈●┈┈"
    assert day_range(100.0, 200.0, 200.0, 5) == "┈┈┈┈●"
    assert day_range(0.0, 0.0, 5.0, 5) == ""


def test_a_call_and_a_put_stay_apart_however_narrow_the_column():
    for width in (8, 10, 14):
        call, put = (
            fit_text(f"NIFTY26NOV24500{side}", width, right=False, names=True)
            for side in ("CE", "PE")
        )
        assert (
            (call[-7:], put[-7:]) == ("24500CE"[-7:], "24500PE"[-7:]) if width > 8 else call != put
        )
        assert len(call) == width


# the symbol link


async def test_a_symbol_is_gone_to_by_typing_it_on_every_screen(screen):
    await screen.search("semicolon", "tcs")
    await screen.press("enter")
    assert screen.table.chosen.symbol == "TCS"
    await screen.press("2")
    assert screen.app.screen.pointed_price()[0] == "TCS"
    await screen.search("semicolon", "sbin")
    await screen.press("enter")
    assert screen.app.screen.pointed_price()[0] == "SBIN"
    await screen.press("3")
    assert screen.app.screen.pointed_price()[0] == "SBIN"
    await screen.press("1")
    assert screen.table.chosen.symbol == "SBIN"


async def test_what_is_not_under_watch_is_put_there_and_gone_to(screen):
    await screen.search("semicolon", "zomato")
    await screen.press("enter")
    assert screen.face.commands == [WatchRequest("ZOMATO")]
    row = screen.face.board.watch.rows[0]
    screen.face.board.watch.put(5_000, row._replace(token=5_000, symbol="ZOMATO"))
    await screen.press()
    assert screen.table.chosen.symbol == "ZOMATO"


async def test_three_keys_show_all_orders_of_a_symbol(screen):
    await screen.press("j", "o")
    await screen.press()
    blotter = screen.app.screen.panes["blotter"].table
    assert blotter.wanted == "hdfcbank"


# price alerts


async def test_an_alert_is_set_on_the_row_under_the_cursor(screen):
    await screen.press("A")
    await screen.press(*"above 1500", "enter")
    assert screen.face.commands == [AlertRequest("RELIANCE", "above", 1500.0)]


async def test_an_alert_begins_at_the_price_of_the_cross_hair(screen):
    await screen.press("2", "h", "k", "k")
    symbol, price = screen.app.screen.pointed_price()
    await screen.press("A", "enter")
    wanted = screen.face.commands[-1]
    assert (wanted.symbol, wanted.level) == (symbol, pytest.approx(price, abs=0.005))


async def test_an_alert_is_removed_from_the_list(screen):
    screen.face.board.alerts.put(4, AlertRow(4, "TCS", "below", 3300.0, screen.face.now))
    await screen.press("A")
    await screen.press("tab", "x")
    assert screen.face.commands == [DropAlertRequest(4)]


async def test_an_alert_that_fires_rings_and_says_so_without_being_an_alarm(screen, monkeypatch):
    rung = []
    monkeypatch.setattr(screen.app, "bell", lambda: rung.append(1))
    screen.face.event("alert", "TCS is at 3,400.00 or above: last 3,400.00")
    screen.frames(2)
    assert rung == [1]
    notice = screen.app._notices.shown[-1]
    assert (notice.text, notice.tone) == ("TCS is at 3,400.00 or above: last 3,400.00", "notice")
    assert isinstance(screen.face.board.events[-1], EventRow)


@pytest.mark.parametrize(
    ("text", "way", "level"),
    [
        ("above 1,600.50", "above", 1600.5),
        (">1600", "above", 1600.0),
        ("below 1500", "below", 1500.0),
        ("1600", "above", 1600.0),
        ("1400", "below", 1400.0),
        ("+2%", "change", 2.0),
        ("-2.5 %", "change", -2.5),
    ],
)
def test_an_alert_is_read_as_it_is_typed(text, way, level):
    assert read_alert("INFY", text, 1500.0) == AlertRequest("INFY", way, level)


@pytest.mark.parametrize("text", ["", "soon", "above", "above 2%", "0", "-5", "0%", "+2000%"])
def test_what_is_no_alert_is_refused(text):
    with pytest.raises(ValueError, match=r"write|change|price"):
        read_alert("INFY", text, 1500.0)


async def test_five_hundred_moving_rows_paint_those_in_sight_alone(monkeypatch):
    face = FakeDesk(symbols=500)
    app = PatangApp(face, clock=lambda: face.board.heartbeat, fps=0, tune_gc=False)
    async with app.run_test(size=(120, 40)) as pilot:
        app.frame()
        await pilot.pause()
        table, made = app.screen.panes["watch"].table, []
        cells = table.view.cells
        monkeypatch.setattr(
            table.view, "cells", lambda row, *more: (made.append(row), cells(row, *more))[1]
        )
        for place in range(500):
            tick(app, place, 5.0 + place)
        app.frame()
        assert 0 < len(made) <= 20
        assert done().ok
