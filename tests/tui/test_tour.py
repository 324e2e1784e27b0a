"""The welcome and the guided minute: what they say, when they go on, and when they are over."""

import pytest

from tests.tui.test_app import running, screen_text, settle
from tui.app.guided_tour import MARKETS, STEPS, GuidedTour
from tui.key_actions import BY_ID


def shown(app):
    return "\n".join(screen_text(app))


def texts(tour, mode="SANDBOX"):
    return [notice.text for notice in tour.lines(mode)]


@pytest.mark.parametrize("mode", MARKETS)
def test_every_line_fits_80_columns_and_names_the_keys_of_now(mode):
    tour = GuidedTour(lambda: {"tour": "ctrl+o"}, lambda: None)
    told = texts(tour, mode)
    for _ in range(len(STEPS) + 1):
        tour.advance()
        told += texts(tour, mode)
    # a notice has a mark before it and a blank at either end
    assert [text for text in told if len(text) > 76 or "{" in text] == []
    assert [text.split("  ")[0] for text in told[3:-1]] == [
        f"{place}/{len(STEPS)}" for place in range(1, len(STEPS) + 1)
    ]
    assert "^o guided minute" in told[1]
    tour.advance()
    assert texts(tour, mode) == []


def test_a_step_is_over_when_it_has_been_done():
    tour = GuidedTour(dict, None)
    assert texts(tour) == []
    tour.advance()
    for number, step in enumerate(STEPS):
        tour.note_action(BY_ID["redraw"].run)
        assert texts(tour)[0].startswith(f"{number + 1}/")
        tour.note_action(BY_ID[step.ids[-1]].run)
    assert texts(tour)[0].startswith("That is all.")


async def test_it_goes_on_by_keys_and_is_read_once():
    read = []
    async with running(size=(80, 24), on_welcome=lambda: read.append(1)) as (app, pilot):
        assert "no rupee is at risk" in shown(app)
        await pilot.press("ctrl+t")
        await settle(app, pilot)
        assert "1/10  tab goes from pane to pane" in shown(app)
        for number, key in enumerate(("tab", "j", "z", "2", "1", "4"), 2):
            await pilot.press(key)
            await settle(app, pilot)
            assert f"{number}/10  " in shown(app), key
        await pilot.press("1", "escape", "escape")
        await settle(app, pilot)
        assert "/10  " not in shown(app)
        assert read == [1]


async def test_escape_closes_the_welcome_for_good_and_leaves_a_zoomed_pane_first():
    read = []
    async with running(size=(80, 24), on_welcome=lambda: read.append(1)) as (app, pilot):
        await pilot.press("z", "escape")
        await settle(app, pilot)
        assert "guided minute" in shown(app)
        await pilot.press("escape")
        await settle(app, pilot)
        assert "guided minute" not in shown(app)
        assert read == [1]


async def test_somebody_who_has_read_it_is_not_welcomed():
    async with running(size=(80, 24)) as (app, pilot):
        await settle(app, pilot)
        assert "guided minute" not in shown(app)
