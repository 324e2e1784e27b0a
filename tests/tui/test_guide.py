"""Help, palette, jump mode: what leads about the screen."""

import pytest
from textual.widgets import Input

from tests.tui.test_app import running, screen_text, settle
from tui.app.guide.help_text import matching_actions
from tui.app.guide.jump_mode import LETTERS, jump_targets
from tui.app.guide.key_help import KeyHelp
from tui.app.guide.palette_choices import palette_choices
from tui.app.screens.chart_screen import ChartScreen
from tui.app.screens.orders_screen import OrdersScreen
from tui.app.widgets.key_footer import KeyFooter
from tui.commands.run_commands import wanted_screen
from tui.key_actions import ACTIONS, BY_ID, key_caps


@pytest.mark.parametrize(
    ("typed", "ids"),
    [
        ("f12", {"kill"}),
        ("^q", {"quit"}),
        ("patang attach nowhere", set()),
        ("FLATTENS position", {"kill"}),
        ("order sell SYMBOL", {"sell"}),
    ],
)
def test_help_finds_a_key_by_its_name_and_the_rest_by_words(typed, ids):
    assert {action.id for action in matching_actions(typed, {})} == ids


def test_help_tells_a_capital_from_a_small_letter_and_knows_changed_keys():
    assert {action.id for action in matching_actions("P", {})} == {"preflight"}
    assert "preflight" not in {action.id for action in matching_actions("p", {})}
    assert {action.id for action in matching_actions("f4", {"preflight": "f4"})} == {"preflight"}


async def test_help_is_read_at_80_by_24_and_filters_as_one_types():
    async with running(size=(80, 24)) as (app, pilot):
        await pilot.press("question_mark")
        await settle(app, pilot)
        assert isinstance(app.screen, KeyHelp)
        lines = screen_text(app)
        first = next(n for n, line in enumerate(lines) if "In positions, ladders" in line)
        # the keys of the pane with the focus come first, a line each, on the first page
        assert first <= 4
        assert sum(line.strip() != "" for line in lines[first:]) >= 18
        await pilot.press(*"cancelled protection")
        await settle(app, pilot)
        text = "\n".join(screen_text(app))
        assert "^k f12" in text
        assert "$ patang kill [--flatten]" in text
        assert "In positions, ladders" not in text
        app.screen.query_one(Input).value = "zzz[red]"
        await settle(app, pilot)
        assert "nothing matches zzz[red]" in "\n".join(screen_text(app))
        await pilot.press("escape")
        await settle(app, pilot)
        assert not app.screen.is_modal
        await pilot.press("f1")
        await settle(app, pilot)
        # it begins anew
        assert app.screen.query_one(Input).value == ""


async def test_a_click_on_a_footer_key_runs_it_and_a_double_click_never_flattens():
    async with running(size=(200, 40)) as (app, pilot):
        footer = app.screen.query_one(KeyFooter)
        spots = {action.id: left for left, action in footer.spots()}
        text = screen_text(app)[footer.region.y]
        for action in (BY_ID["kill"], BY_ID["zoom"]):
            assert text[spots[action.id] :].startswith(f"{key_caps(action.keys.split(',')[0])} ")
        await pilot.click(footer, offset=(spots["zoom"], 0))
        await settle(app, pilot)
        assert not app.screen.panes["watch"].display
        await pilot.click(footer, offset=(spots["kill"], 0), times=2)
        await settle(app, pilot)
        assert app.face.kills == [(False, "operator")]
        # between two keys there is nothing to run
        await pilot.click(footer, offset=(0, 0))


def test_every_action_but_those_of_a_past_day_is_in_the_palette():
    found = {(each.words, each.keys) for each in palette_choices({"anywhere"}, {}, ())}
    for action in ACTIONS:
        if action.scope != "replay" and action.id not in {"palette", "down", "up"}:
            assert (action.verb, key_caps(action.keys)) in found, action.id


async def test_the_palette_says_what_matches_nothing_and_builds_nothing_when_opened_again():
    async with running(size=(80, 24)) as (app, pilot):
        await pilot.press("ctrl+p")
        await settle(app, pilot)
        made = [id(widget) for widget in app.screen.query("*")]
        await pilot.press(*"zzqq")
        await settle(app, pilot)
        assert "nothing matches zzqq" in "\n".join(screen_text(app))
        await pilot.press("escape")
        await settle(app, pilot)
        await pilot.press("ctrl+p")
        await settle(app, pilot)
        assert [id(widget) for widget in app.screen.query("*")] == made
        assert "nothing matches" not in "\n".join(screen_text(app))


async def test_the_palette_goes_to_the_screen_of_an_action_and_runs_it_there():
    async with running() as (app, pilot):
        app.action_run_at_home("span")
        for _ in range(3):
            await settle(app, pilot)
        assert isinstance(app.screen, ChartScreen)
        # what changes the desk waits for its key: the row was not in sight
        app.action_run_at_home("cancel")
        for _ in range(3):
            await settle(app, pilot)
        assert isinstance(app.screen, OrdersScreen)
        assert app.screen.current.table.view.name == "blotter"
        assert "cancel:" in "\n".join(screen_text(app))
        assert app.face.commands == []


def test_a_dumb_terminal_is_told_that_there_is_no_screen(monkeypatch, capsys):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert wanted_screen(no_ui=False) is None
    assert "no screen on a dumb terminal" in capsys.readouterr().err
    assert wanted_screen(no_ui=True) is None
    assert capsys.readouterr().err == ""


async def test_a_letter_of_jump_mode_goes_to_a_pane_or_runs_a_key_and_escape_leaves():
    async with running() as (app, pilot):
        await pilot.press("ctrl+o")
        await settle(app, pilot)
        shown = [mark for mark in app.screen.query(".letter") if mark.display]
        panes = [name for name, pane in app.screen_stack[0].panes.items() if pane.display]
        # one a pane at least, and each at its own place
        assert len(shown) > len(panes) > 1
        assert len({mark.region.offset for mark in shown}) == len(shown)
        await pilot.press("escape")
        await settle(app, pilot)
        assert not app.screen.is_modal
        before = app.focused
        found = jump_targets(app.screen, str)
        chain = [widget for widget in app.screen.focus_chain if widget.region]
        number = next(n for n, widget in enumerate(chain) if widget is not before)
        await pilot.press("ctrl+o")
        await pilot.pause()
        await pilot.press(LETTERS[number])
        await settle(app, pilot)
        assert app.focused is chain[number]
        help_at = len(chain) + next(
            n for n, target in enumerate(found[len(chain) :]) if target.go() == "app.help"
        )
        await pilot.press("ctrl+o")
        await pilot.pause()
        await pilot.press(LETTERS[help_at])
        await settle(app, pilot)
        await settle(app, pilot)
        assert isinstance(app.screen, KeyHelp)
