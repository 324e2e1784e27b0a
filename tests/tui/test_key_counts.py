"""The jobs of a day, and how many keys they take besides what has to be typed as a word."""

import pytest

from engine.operator_requests import LimitRequest, PlaceRequest
from tests.tui.fake import FakeDesk
from tests.tui.test_app import running, settle
from tests.tui.test_depth import steps
from tests.tui.test_limits import bounded


async def press_counted(app, pilot, keys):
    """Press keys one after another; a word in a list stands for its letters and counts as none."""
    for key in keys:
        await pilot.press(*(key if isinstance(key, list) else [key]))
        await settle(app, pilot)
    return sum(not isinstance(key, list) for key in keys)


async def test_a_limit_is_changed_in_six_keys():
    async with running(bounded(), size=(80, 24)) as (app, pilot):
        keys = ["6", "slash", [*"exposure"], "enter", "m", [*"200000"], "enter", [*"less"], "enter"]
        assert await press_counted(app, pilot, keys) <= 6
        assert app.face.commands == [
            LimitRequest("max_exposure", 200_000, "less", "screen", confirmed=True)
        ]


@pytest.mark.parametrize("differ", [False, True])
async def test_the_risk_screen_begins_where_there_is_something_to_do(differ):
    face = bounded()
    if differ:
        face.differ()
    async with running(face, size=(80, 24)) as (app, pilot):
        await press_counted(app, pilot, ["6"])
        assert app.focused.view.name == ("differences" if differ else "limits")


async def test_a_limit_order_is_placed_from_the_book_in_five_keys():
    async with running(FakeDesk(), size=(80, 24)) as (app, pilot):
        used = await press_counted(app, pilot, ["3"])
        await steps(app, pilot)
        level = app.screen.panes["depth"].table.chosen
        # how many, and the stop in percent, are the words of it
        used += await press_counted(app, pilot, ["B", [*"10"], "enter", [*"2"], "enter", "enter"])
        assert app.face.commands == [
            PlaceRequest(symbol="RELIANCE", side="BUY", quantity=10, stop=2.0, price=level.price)
        ]
        assert used <= 5
