"""The screen's memory: what was chosen stands the next time, and no file of it ends anything."""

import json

import pytest

from engine.errors import OperatorError
from tests.tui.test_app import running, screen_text, settle
from tui.app.guide.screen_looks import ScreenLooks, recalled_looks, remember_looks
from tui.app.screen_memory import ScreenMemory, keep_quietly
from tui.app.screens.chart_screen import ChartScreen
from tui.app.screens.desk_layouts import recalled_layout, usual_layout


def remembering(tmp_path, **options):
    memory = ScreenMemory(tmp_path / "screen.json")
    return running(memory=memory, **options), memory


def test_what_is_remembered_is_read_by_the_next_run(tmp_path):
    file = tmp_path / "deep" / "screen.json"
    memory = ScreenMemory(file)
    assert not memory.is_changed
    memory.remember("span", 300)
    assert memory.is_changed
    memory.write()
    assert not memory.is_changed
    assert json.loads(file.read_text()) == {"span": 300}
    assert ScreenMemory(file).recall("span", 60) == 300


def test_a_value_of_another_type_counts_as_none(tmp_path):
    (tmp_path / "screen.json").write_text('{"span": "five", "zoomed": 1}')
    memory = ScreenMemory(tmp_path / "screen.json")
    assert memory.recall("span", 60) == 60
    # a truth is a number to Python, and no truth here
    assert memory.recall("zoomed", False) is False


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"\xff\xfe", b'{"looks": }'])
def test_an_unreadable_file_is_set_aside_with_a_line(tmp_path, text):
    file = tmp_path / "screen.json"
    file.write_bytes(text)
    memory = ScreenMemory(file)
    assert "set aside as screen.unreadable" in memory.note
    assert (tmp_path / "screen.unreadable").read_bytes() == text
    memory.remember("span", 60)
    memory.write()
    assert ScreenMemory(file).note == ""


def test_a_folder_in_its_place_is_told_and_the_write_too(tmp_path):
    file = tmp_path / "screen.json"
    file.mkdir()
    memory = ScreenMemory(file)
    assert "cannot be read" in memory.note
    memory.remember("span", 60)
    with pytest.raises(OperatorError):
        memory.write()
    memory.remember("span", 300)
    assert str(file) in keep_quietly(memory)


@pytest.mark.parametrize(
    "kept",
    [
        {},
        {"looks": {"theme": ["pink", "auto"]}},
        {"looks": {"theme": "light"}},
        {"looks": {"theme": [["light"], "auto"]}},
        {"looks": {"theme": ["light", "dark"]}},
    ],
)
def test_looks_that_cannot_be_or_were_chosen_against_another_configuration_do_not_hold(kept):
    memory = ScreenMemory()
    for name, value in kept.items():
        memory.remember(name, value)
    configured = ScreenLooks("auto", "red-up", "compact")
    assert recalled_looks(memory, configured) == configured


def test_chosen_looks_hold_until_the_configuration_says_something_else():
    memory, configured = ScreenMemory(), ScreenLooks()
    remember_looks(memory, ScreenLooks("light", "blue-up", "compact"), configured)
    assert recalled_looks(memory, configured) == ScreenLooks("light", "blue-up", "compact")
    edited = configured._replace(theme="dark")
    assert recalled_looks(memory, edited) == ScreenLooks("dark", "blue-up", "compact")


async def test_looks_are_shown_while_they_are_chosen_and_go_back_with_escape(tmp_path):
    app_of, memory = remembering(tmp_path)
    async with app_of as (app, pilot):
        before = app.theme
        await pilot.press("c")
        await pilot.pause()
        await pilot.press("down")
        assert app.theme == "light green-up"
        assert app.tones().style("strong").color.name == "#0b0d10"
        await pilot.press("escape")
        await pilot.pause()
        assert app.theme == before
        await pilot.press("c")
        await pilot.pause()
        await pilot.press("down", "tab", "down", "enter")
        await settle(app, pilot)
        assert app.theme == "light red-up"
        await pilot.press("D")
        await settle(app, pilot)
        assert app.has_class("-compact")
        # one line of header: the panes begin two lines higher
        assert "WATCHLIST" in screen_text(app)[2]
    memory.write()
    async with remembering(tmp_path)[0] as (app, pilot):
        assert app.theme == "light red-up"
        assert "WATCHLIST" in screen_text(app)[2]


async def test_the_frames_write_what_is_new_by_themselves(tmp_path):
    app_of, memory = remembering(tmp_path)
    async with app_of as (app, pilot):
        await pilot.press("D")
        for _ in range(12):
            app.frame()
        await app.workers.wait_for_complete()
        assert not memory.is_changed
        await pilot.pause()
    assert "looks" in json.loads((tmp_path / "screen.json").read_text())


async def test_an_unreadable_memory_is_told_on_the_screen(tmp_path):
    (tmp_path / "screen.json").write_text("not so")
    async with remembering(tmp_path)[0] as (app, pilot):
        await settle(app, pilot)
        assert any("set aside" in line for line in screen_text(app))


async def test_the_chart_begins_as_it_was_left(tmp_path):
    app_of, memory = remembering(tmp_path)
    async with app_of as (app, pilot):
        await pilot.press("j", "2")
        await settle(app, pilot)
        await pilot.press("right_square_bracket", "t", "i", "b", "v", "w")
        await settle(app, pilot)
        caption = screen_text(app)[4:6]
    memory.write()
    kept = json.loads((tmp_path / "screen.json").read_text())["chart"]
    assert kept["span"] == 300
    assert not kept["volume"]
    async with remembering(tmp_path)[0] as (app, pilot):
        app.action_show("chart")
        await settle(app, pilot)
        assert isinstance(app.screen, ChartScreen)
        assert screen_text(app)[4:6] == caption


async def test_pane_and_zoom_are_as_they_were_left(tmp_path):
    app_of, memory = remembering(tmp_path)
    async with app_of as (app, pilot):
        app.screen.turn_to("orders")
        await pilot.pause()
        await pilot.press("z")
        await settle(app, pilot)
    memory.write()
    async with remembering(tmp_path)[0] as (app, pilot):
        await settle(app, pilot)
        assert app.focused.view.name == "orders"
        assert [name for name, pane in app.screen.panes.items() if pane.display] == ["orders"]
        await pilot.press("escape")
        await pilot.pause()
        assert all(pane.display for pane in app.screen.panes.values())


async def test_a_filter_is_kept_only_when_asked_for(tmp_path):
    app_of, memory = remembering(tmp_path)
    async with app_of as (app, pilot):
        app.screen.turn_to("watch")
        await pilot.pause()
        await pilot.press("slash", *"tcs", "enter")
        assert memory.recall("filters", {}) == {}
        await pilot.press("F")
        await settle(app, pilot)
        assert "kept for the next time: /tcs" in screen_text(app)[-1]
    memory.write()
    async with remembering(tmp_path)[0] as (app, pilot):
        await settle(app, pilot)
        assert [row.symbol for row in app.screen.panes["watch"].table.rows] == ["TCS"]
        app.screen.turn_to("watch")
        await pilot.pause()
        await pilot.press("escape", "F")
        await pilot.pause()
        assert app.memory.recall("filters", {"x": 1}) == {}


@pytest.mark.parametrize(
    "kept",
    [
        {"preset": "orders"},
        {"preset": "orders", "rows": "all", "hidden": []},
        {"preset": "orders", "rows": [[0, [["watch", 1]]]], "hidden": []},
        {"preset": "orders", "rows": [[1, [["watch", 1], ["watch", 1]]]], "hidden": []},
        {"preset": "orders", "rows": [[1, [["watch", 1]]]], "hidden": ["watch"]},
        {"preset": "orders", "rows": [[1, []]], "hidden": []},
        {"preset": "orders", "rows": [[1, [["watch", 1.5]]]], "hidden": []},
    ],
)
def test_an_arrangement_that_cannot_be_is_the_usual_one_of_its_preset(kept):
    memory = ScreenMemory()
    memory.remember("layout-middle", kept)
    assert recalled_layout(memory, "middle") == usual_layout("middle", "orders")
