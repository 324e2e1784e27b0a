"""Screen 6: the differences under the cursor, and what each key asks and submits."""

import pytest
from textual.widgets import Input

from tests.asking import decision
from tests.tui.fake import FakeDesk
from tests.tui.test_app import running, screen_text, settle
from tui.app.screens.desk_screen import DeskScreen
from tui.app.screens.modal_dialogs import EntryDialog, QuestionDialog
from tui.app.screens.risk_screen import RiskScreen

KEYS = [
    "HDFCBANK:CNC",
    "ITC:CNC",
    "TITAN:CNC",
    "SBIN:CNC",
    "order:260714000042",
    "gtt:214499",
    "trade:260714000007",
    "funds",
]


async def at(pilot, app, key):
    """Go to screen 6 and put the cursor on a difference."""
    await pilot.press("6")
    await settle(app, pilot)
    await pilot.press("g", *["j"] * KEYS.index(key))
    await settle(app, pilot)


def differing():
    face = FakeDesk()
    face.differ()
    return face


async def test_the_screen_shows_both_sides_and_the_choices():
    async with running(differing(), size=(140, 40)) as (app, pilot):
        await at(pilot, app, "SBIN:CNC")
        assert isinstance(app.screen, RiskScreen)
        line = next(line for line in screen_text(app) if "SBIN:CNC" in line)
        for word in ("quantity", "150 at 803.35", "140", "adopt assign ignore flatten"):
            assert word in line
        assert any(
            "7 to decide: read-only" in line and "1 ignored" in line for line in screen_text(app)
        )


async def test_ignoring_is_done_at_once():
    async with running(differing()) as (app, pilot):
        await at(pilot, app, "ITC:CNC")
        await pilot.press("i")
        assert app.face.commands == [decision("ITC:CNC ignore")]


@pytest.mark.parametrize(
    ("answer", "commands"), [("enter", []), ("right", [decision("gtt:214499 flatten")])]
)
async def test_flattening_asks_first_with_the_focus_on_cancel(answer, commands):
    async with running(differing()) as (app, pilot):
        await at(pilot, app, "gtt:214499")
        await pilot.press("f")
        assert isinstance(app.screen, QuestionDialog)
        await pilot.press(answer, "enter") if answer == "right" else await pilot.press(answer)
        await pilot.pause()
        assert app.face.commands == commands


@pytest.mark.parametrize(
    ("key", "typed", "commands"),
    [
        ("a", "", [decision("ITC:CNC adopt")]),
        ("a", "7.5%", [decision("ITC:CNC adopt stop=7.5")]),
        ("s", "momentum_ladder", [decision("ITC:CNC assign momentum_ladder")]),
        ("s", "", []),
    ],
)
async def test_what_is_missing_is_asked_for(key, typed, commands):
    async with running(differing()) as (app, pilot):
        await at(pilot, app, "ITC:CNC")
        await pilot.press(key)
        assert isinstance(app.screen, EntryDialog)
        app.screen.query_one(Input).value = typed
        await pilot.press("enter")
        await pilot.pause()
        assert app.face.commands == commands


@pytest.mark.parametrize(
    ("key", "typed", "told"),
    [
        ("a", "7.5%", "ITC:CNC adopt, stop 7.5 %"),
        ("a", "", "ITC:CNC adopt"),
        ("s", "momentum_ladder", "ITC:CNC assign momentum_ladder"),
    ],
)
async def test_the_footer_names_a_decision_with_its_strategy_and_stop(key, typed, told):
    async with running(differing()) as (app, pilot):
        await at(pilot, app, "ITC:CNC")
        await pilot.press(key)
        app.screen.query_one(Input).value = typed
        await pilot.press("enter")
        await pilot.pause()
        assert app._commands.cell(app._clock()).text == f"#1 {told}: pending"


async def test_escape_decides_nothing():
    async with running(differing()) as (app, pilot):
        await at(pilot, app, "ITC:CNC")
        await pilot.press("a", "escape")
        await pilot.pause()
        assert isinstance(app.screen, RiskScreen)
        assert app.face.commands == []


async def test_a_choice_the_kind_does_not_have_is_explained():
    async with running(differing()) as (app, pilot):
        await at(pilot, app, "funds")
        await pilot.press("f")
        await settle(app, pilot)
        assert isinstance(app.screen, RiskScreen)
        assert app.face.commands == []
        assert any("takes adopt, ignore" in note.text for note in app._notices.shown)


async def test_everything_is_ignored_after_asking():
    async with running(differing()) as (app, pilot):
        await at(pilot, app, "ITC:CNC")
        await pilot.press("I")
        assert isinstance(app.screen, QuestionDialog)
        await pilot.press("right", "enter")
        await pilot.pause()
        assert app.face.commands == [decision("all ignore")]


async def test_tab_and_zoom_go_through_the_panes_and_escape_goes_back_to_the_desk():
    async with running(differing()) as (app, pilot):
        await pilot.press("6", *["tab"] * 4)
        await settle(app, pilot)
        assert app.screen.current.table.view.name == "externals"
        await pilot.press("z")
        await settle(app, pilot)
        assert [name for name, pane in app.screen.panes.items() if pane.display] == ["externals"]
        await pilot.press("escape", "escape")
        await settle(app, pilot)
        assert isinstance(app.screen, DeskScreen)


async def test_an_order_of_somebody_else_cannot_be_cancelled():
    async with running(differing()) as (app, pilot):
        app.screen.turn_to("orders")
        await settle(app, pilot)
        await pilot.press("G", "x")
        await settle(app, pilot)
        assert isinstance(app.screen, DeskScreen)
        assert any("never touched" in note.text for note in app._notices.shown)
