"""The live table: it repaints what changed, flashes it, and nothing else."""

import contextlib
from typing import ClassVar

import pytest

from engine.board_rows import WatchRow
from tests.tui.fake import FakeDesk
from tui.app.app import PatangApp
from tui.app.panes.watchlist_pane import WatchlistPaneView
from tui.app.widgets.live_table import FLASH, LiveTable

LTP = 1
"""The column of the last price."""


@contextlib.asynccontextmanager
async def watching(symbols=500, size=(120, 40)):
    face = FakeDesk(symbols=symbols)
    app = PatangApp(face, clock=lambda: face.board.heartbeat, fps=0, tune_gc=False)
    async with app.run_test(size=size) as pilot:
        app.frame()
        await pilot.pause()
        yield app, pilot, app.screen.panes["watch"].table


def tick(app, index, ltp):
    row = app.face.board.watch.rows[index]
    app.face.board.watch.put(row.token, row._replace(ltp=ltp))


def backdrop(table, index, column=LTP):
    line = table._lines[table.rows[index][0]]
    return line.backdrops.get(column, "")


@pytest.fixture
def spied(monkeypatch):
    """Collect the lines a table asks Textual to repaint."""

    def spy(table):
        asked = []
        refresh = table.refresh
        monkeypatch.setattr(
            table, "refresh", lambda *a, **kw: (asked.extend(a or ["all"]), refresh(*a, **kw))[1]
        )
        return asked

    return spy


async def test_only_the_changed_lines_are_repainted(spied):
    async with watching() as (app, _pilot, table):
        asked = spied(table)
        tick(app, 3, 100.05)
        tick(app, 7, 100.10)
        app.frame()
        assert [region.y for region in asked] == [4, 8]
        assert all(region.height == 1 for region in asked)


async def test_a_change_below_the_viewport_costs_no_repaint(spied):
    async with watching() as (app, _pilot, table):
        asked = spied(table)
        tick(app, 400, 1.05)
        app.frame()
        assert asked == []


async def test_nothing_is_repainted_when_nothing_changed(spied):
    async with watching() as (app, _pilot, table):
        asked = spied(table)
        app.frame()
        assert asked == []


async def test_a_changed_cell_flashes_in_its_direction_then_fades_then_rests():
    async with watching() as (app, _pilot, table):
        tick(app, 0, 1500.0)
        tick(app, 1, 1.0)
        seen = []
        for _ in range(2 * FLASH + 1):
            app.frame()
            seen.append((backdrop(table, 0), backdrop(table, 1)))
        bright, fading = ("flash-up", "flash-down"), ("flash-up-fading", "flash-down-fading")
        assert seen == [bright] * FLASH + [fading] * FLASH + [("", "")]


async def test_a_flash_is_in_the_painted_strip():
    async with watching() as (app, _pilot, table):
        tick(app, 0, 1500.0)
        app.frame()
        styles = {segment.text.strip(): segment.style for segment in table.render_line(1)}
        assert styles["1,500.00"].bgcolor.name == app.tones().style("", "flash-up").bgcolor.name
        assert styles["RELIANCE"].bgcolor.name == app.tones().style("").bgcolor.name


async def test_a_row_that_changed_out_of_sight_does_not_flash_when_it_comes_into_sight():
    async with watching() as (app, pilot, table):
        table.scroll_to(y=30, animate=False, immediate=True, force=True)
        app.frame()
        tick(app, 0, 1500.0)
        app.frame()
        table.scroll_to(y=0, animate=False, immediate=True, force=True)
        await pilot.pause()
        app.frame()
        assert backdrop(table, 0) == ""
        assert "1,500.00" in table.render_line(1).text


async def test_a_line_is_painted_once_however_often_it_is_rendered():
    async with watching() as (app, _pilot, table):
        app.screen.turn_to("positions")
        assert table.render_line(3) is table.render_line(3)


async def test_rows_are_shown_whole_while_the_engine_shortens_the_list():
    async with watching(symbols=40) as (app, pilot, table):
        table.scroll_end(animate=False, immediate=True)
        await pilot.pause()
        app.face.board.watch.keep({1_000, 1_001})
        app.frame()
        await pilot.pause()
        assert [row.symbol for row in table.rows] == ["RELIANCE", "HDFCBANK"]
        assert "RELIANCE" in table.render_line(1).text
        assert table.render_line(3).text.strip() == ""


async def test_forgotten_rows_do_not_pile_up():
    async with watching(symbols=5) as (app, _pilot, table):
        for n in range(40):
            for i in range(10):
                token = 10_000 + n * 10 + i
                app.face.board.watch.put(
                    token, WatchRow(token, f"S{token}", 1.0, 0.0, 1.0, 1.0, 1, 0, False, ())
                )
            app.face.board.watch.keep({row.token for row in app.face.board.watch.rows[-10:]})
            app.frame()
        assert len(table._lines) < 100


async def test_every_line_fills_the_width_exactly():
    async with watching(symbols=30) as (app, _pilot, _table):
        for pane in app.screen.panes.values():
            width, height = pane.table.size
            for y in range(height):
                strip = pane.table.render_line(y)
                assert strip.cell_length == width
                assert sum(segment.cell_length for segment in strip) == width


async def test_markup_and_escapes_from_outside_are_shown_as_text():
    async with watching(symbols=3) as (app, _pilot, table):
        row = app.face.board.watch.rows[0]
        app.face.board.watch.put(row.token, row._replace(symbol="[b]\x1b[2J\n"))
        app.frame()
        line = table.render_line(1).text
        assert "[b] [2J" in line
        assert "\x1b" not in line
        assert "\n" not in line


async def test_a_frame_that_comes_before_its_resize_event_is_drawn():
    async with watching(symbols=20) as (app, pilot, table):
        view = WatchlistPaneView()
        view.name = "late"
        fresh = LiveTable(view, app.tones)
        handled = []
        fresh.on_resize = handled.append
        table.display = False
        await app.screen.panes["watch"].mount(fresh)
        await pilot.pause()
        fresh.pull(app.face.board, 1)
        assert fresh.size.width > 0
        assert "RELIANCE" in fresh.render_line(1).text
        fresh.pull(app.face.board, 2)
        await pilot.pause()


class CountedRow(WatchRow):
    """An instrument that notes whoever looks at its names or its state."""

    looked: ClassVar[set[int]] = set()

    def _note(self):
        self.looked.add(tuple.__getitem__(self, 0))

    def __getitem__(self, at):
        self._note()
        return super().__getitem__(at)

    @property
    def symbol(self):
        self._note()
        return tuple.__getitem__(self, 1)

    @property
    def stale(self):
        self._note()
        return tuple.__getitem__(self, WatchRow._fields.index("stale"))


async def test_a_frame_looks_at_rows_in_sight_alone_however_many_there_are():
    async with watching(symbols=9_000) as (app, _pilot, table):
        rows = app.face.board.watch.rows
        for place in range(0, len(rows), 10):
            row = CountedRow(*rows[place])._replace(ltp=place + 1.0)
            app.face.board.watch.put(row.token, row)
        CountedRow.looked.clear()
        app.frame()
        in_sight = range(0, table.size.height - 1, 10)
        assert CountedRow.looked == {rows[place].token for place in in_sight}
        assert table.rows[8_990].ltp == 8_991.0


async def test_of_very_many_a_new_one_and_a_group_are_seen_at_once():
    async with watching(symbols=600) as (app, _pilot, table):
        row = app.face.board.watch.rows[0]
        app.face.board.watch.put(1, row._replace(token=1, symbol="A-NAME-OF-MANY"))
        app.frame()
        assert table.rows[-1].symbol == "A-NAME-OF-MANY"
        assert table._columns[0].width == len("A-NAME-OF-MANY")
        tick(app, 5, 77.0)
        app.frame()
        table._book.turn_group()
        app.frame()
        assert table._headings
