"""Arrangements of the desk: presets, sizes moved by keys, panes out of sight."""

import pytest
from textual.geometry import Size

from tests.tui.test_app import running, screen_text, settle
from tui.app.screen_memory import ScreenMemory
from tui.app.screens.desk_layouts import ALL, PRESETS, next_layout, size_class, usual_layout
from tui.app.widgets.pane_grid import (
    LEAST_HEIGHT,
    LEAST_WIDTH,
    grown_rows,
    names_of,
    pane_rows,
    placed_panes,
    shared_out,
    without_panes,
)

TWO = pane_rows((3, [("a", 1), ("b", 1)]), (1, [("c", 1)]))


def test_shares_use_every_cell_once():
    assert shared_out(10, [1, 1, 1]) == [3, 3, 4]
    assert shared_out(35, [13, 11, 11]) == [13, 11, 11]


def test_panes_stand_side_by_side_with_a_blank_column_and_fill_the_room():
    places = placed_panes(TWO, Size(21, 8), 0)
    assert {name: tuple(place) for name, place in places.items()} == {
        "a": (0, 0, 10, 6),
        "b": (11, 0, 10, 6),
        "c": (0, 6, 21, 2),
    }
    assert placed_panes(TWO, Size(21, 9), 1)["c"].y == 7


def test_a_hidden_pane_leaves_its_room_to_its_neighbours():
    assert placed_panes(without_panes(TWO, {"a"}), Size(21, 8), 0)["b"].width == 21
    assert placed_panes(without_panes(TWO, {"c"}), Size(21, 8), 0)["a"].height == 8


def test_a_pane_grows_by_a_cell_at_its_neighbours_cost_and_no_further_than_can_be_read():
    size = Size(61, 24)
    grown = placed_panes(grown_rows(TWO, "a", size, down=1, right=2), size, 0)
    assert (grown["a"].width, grown["b"].width) == (32, 28)
    assert (grown["a"].height, grown["c"].height) == (19, 5)
    rows = TWO
    for _ in range(30):
        rows = grown_rows(rows, "c", size, down=1, right=0)
        rows = grown_rows(rows, "b", size, down=0, right=2)
    end = placed_panes(rows, size, 0)
    assert end["a"].height == LEAST_HEIGHT
    assert end["a"].width == LEAST_WIDTH
    assert grown_rows(rows, "nobody", size, down=1, right=1) == rows


@pytest.mark.parametrize("kind", PRESETS)
def test_the_presets_come_round(kind):
    layout = usual_layout(kind)
    names = []
    for _ in PRESETS[kind]:
        names.append(layout.preset)
        layout = next_layout(kind, layout)
    assert names == list(PRESETS[kind])
    assert layout == usual_layout(kind)
    for rows in PRESETS[kind].values():
        assert len(set(names_of(rows))) == len(names_of(rows))


@pytest.mark.parametrize(
    ("size", "kind"),
    [((80, 24), "small"), ((99, 60), "small"), ((120, 40), "middle"), ((200, 60), "wide")],
)
def test_each_size_has_presets_of_its_own(size, kind):
    assert size_class(Size(*size)) == kind


def shown(app):
    return [name for name, pane in app.screen.panes.items() if pane.display]


async def test_a_key_takes_the_next_arrangement_and_another_moves_its_borders():
    async with running() as (app, pilot):
        height = app.screen.panes["positions"].size.height
        await pilot.press("plus")
        await settle(app, pilot)
        assert app.screen.panes["positions"].size.height == height + 1
        width = app.screen.panes["positions"].size.width
        await pilot.press("shift+right", "shift+right", "shift+left")
        await settle(app, pilot)
        assert app.screen.panes["positions"].size.width == width + 2
        await pilot.press("L")
        await settle(app, pilot)
        assert shown(app) == ["positions", "ladders", "orders", "events"]
        assert "watch  risk  positions" in screen_text(app)[4]
        await pilot.press("L", "L", "L")
        await settle(app, pilot)
        assert len(shown(app)) == 6
        # a preset that is come back to is as it was made
        assert app.screen.panes["positions"].size.height == height


async def test_a_pane_is_hidden_looked_at_for_a_moment_and_shown_again():
    async with running() as (app, pilot):
        await pilot.press("H")
        await settle(app, pilot)
        assert "positions" not in shown(app)
        other = app.focused.view.name
        assert other != "positions"
        # tab comes to it all the same, and it is in sight for as long
        app.screen.turn_to("positions")
        await settle(app, pilot)
        assert "positions" in shown(app)
        app.screen.turn_to(other)
        await settle(app, pilot)
        assert "positions" not in shown(app)
        app.screen.turn_to("positions")
        await pilot.press("H")
        app.screen.turn_to(other)
        await settle(app, pilot)
        assert "positions" in shown(app)


async def test_all_but_the_last_pane_can_be_hidden_and_one_key_brings_them_back():
    async with running() as (app, pilot):
        for _ in range(9):
            await pilot.press("H")
            await settle(app, pilot)
        assert len(shown(app)) == 1
        await pilot.press("U")
        await settle(app, pilot)
        assert len(shown(app)) == 6


async def test_arrangements_are_remembered_for_each_size():
    memory = ScreenMemory()
    async with running(memory=memory) as (app, pilot):
        await pilot.press("L", "plus", "H")
        await settle(app, pilot)
        before = {name: app.screen.panes[name].region for name in shown(app)}
    async with running(memory=memory) as (app, pilot):
        await settle(app, pilot)
        assert {name: app.screen.panes[name].region for name in shown(app)} == before
        await pilot.resize_terminal(200, 60)
        await settle(app, pilot)
        assert len(shown(app)) == 6
        await pilot.resize_terminal(120, 40)
        await settle(app, pilot)
        assert set(shown(app)) == set(before)


async def test_a_small_terminal_shows_the_focused_pane_in_every_preset():
    async with running(size=(80, 24)) as (app, pilot):
        for preset in PRESETS["small"]:
            for name in app.screen.panes:
                app.screen.turn_to(name)
                await settle(app, pilot)
                assert name in shown(app), (preset, name)
                assert len(shown(app)) <= 2
            await pilot.press("L")
            await settle(app, pilot)


async def test_room_between_the_rows_is_there_on_a_high_screen_unless_it_is_compact():
    async with running(size=(200, 60)) as (app, pilot):
        tall = app.screen.panes["ladders"].region.y - app.screen.panes["watch"].region.bottom
        assert tall == 1
        await pilot.press("D")
        await settle(app, pilot)
        assert app.screen.panes["ladders"].region.y == app.screen.panes["watch"].region.bottom
    assert ALL in PRESETS["wide"]
