"""The command line inside the screen: its words, its history, and the commands it runs."""

import asyncio
import os
from pathlib import Path

import pytest
from textual.events import Key
from textual.widgets import Input

from tests.tui.fake import FakeDesk
from tests.tui.test_app import running, screen_text, settle
from tui.app.command_words import (
    CommandFault,
    CommandHistory,
    HelpWords,
    command_words,
    completed_line,
    read_help,
)
from tui.app.screens.command_line import CommandLine, _shown_line
from tui.run.opening import given_configuration

HELP = """Usage: patang COMMAND

╭─ Commands ──────────────────╮
│ backtest     Run strategies │
│              on a history.  │
│ bars         Bring bars in. │
│ limits       Show limits.   │
╰─────────────────────────────╯
╭─ Parameters ────────────────╮
│ --mode CHOICE  As --config. │
│ *  SIDE --side  Which way.  │
╰─────────────────────────────╯
"""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("limits", ["limits"]),
        ("patang limits set max_orders 5", ["limits", "set", "max_orders", "5"]),
        ("why INFY", ["trace", "--why", "INFY"]),
        ("buy INFY 10 --stop 1", ["order", "buy", "INFY", "10", "--stop", "1"]),
        ("kill --reason 'too much'", ["kill", "--reason", "too much"]),
    ],
)
def test_a_line_is_a_command_of_the_shell(line, words):
    assert command_words(line) == words


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("", "a command"),
        ("patang", "a command"),
        ("run", "wants a terminal"),
        ("patang demo", "wants a terminal"),
        ("kill --reason 'x", "quotes"),
    ],
)
def test_what_is_no_command_is_told(line, fault):
    with pytest.raises(CommandFault, match=fault):
        command_words(line)


def test_a_help_text_tells_commands_and_options():
    assert read_help(HELP) == HelpWords(
        ("backtest", "bars", "limits"), ("--mode", "--config", "--side")
    )
    assert read_help("nothing of the kind") == HelpWords((), ())


@pytest.mark.parametrize(
    ("line", "grown", "found"),
    [
        ("lim", "limits ", ["limits"]),
        ("ba", "ba", ["backtest", "bars"]),
        ("bac", "backtest ", ["backtest"]),
        ("wh", "why ", ["why"]),
        ("zz", "zz", []),
        ("", "", ["backtest", "bars", "buy", "limits", "sell", "why"]),
        ("limits --m", "limits --mode ", ["--mode"]),
        ("why inf", "why INFY ", ["INFY"]),
        ("why t", "why T", ["TCS", "TITAN"]),
    ],
)
def test_tab_completes_as_far_as_is_sure(line, grown, found):
    assert completed_line(line, read_help(HELP), ["INFY", "TCS", "TITAN"]) == (grown, found)


def test_the_history_goes_back_and_gives_back_what_was_typed():
    history = CommandHistory(["a", "b"])
    assert [history.step(-1, "typed"), history.step(-1, ""), history.step(-1, "")] == [
        "b",
        "a",
        "a",
    ]
    assert [history.step(1, ""), history.step(1, ""), history.step(1, "typed")] == [
        "b",
        "typed",
        "typed",
    ]
    assert not history.add_line("b")
    assert history.add_line("c")
    assert history.step(-1, "") == "c"
    for n in range(CommandHistory.MOST + 3):
        history.add_line(str(n))
    assert history.step(-CommandHistory.MOST - 9, "") == "3"


def test_the_configuration_of_the_run_goes_with_its_commands():
    named = "--config", str(Path("my.toml").absolute())
    assert given_configuration(["patang", "run", "--config", "my.toml"]) == named
    assert given_configuration(["patang", "run", "--config=my.toml"]) == named
    assert given_configuration(["patang", "demo", "--config"]) == ()
    assert given_configuration(["patang"]) == ()


async def until(app, pilot, met, turns=600):
    for _ in range(turns):
        await settle(app, pilot)
        if met():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("\n".join(screen_text(app)))


def words(app):
    return "\n".join(screen_text(app))


async def test_a_command_runs_beside_the_screen_and_its_words_are_shown():
    face = FakeDesk()
    async with running(face) as (app, pilot):
        await pilot.press("colon")
        await settle(app, pilot)
        assert isinstance(app.screen, CommandLine)
        await pilot.press(*"config check", "enter")
        await until(app, pilot, lambda: "done" in words(app))
        # Lines are shown with the next frame, the outcome at once.
        await until(app, pilot, lambda: "right" in words(app))
        assert "> config check" in words(app)
        assert face.kept == ["config check"]
        await pilot.press(*"nonsense", "enter")
        await until(app, pilot, lambda: "code 2" in words(app))
        await until(app, pilot, lambda: "There is no command nonsense" in words(app))
        await pilot.press("up", "up")
        assert app.screen.query_one("#line", Input).value == "config check"
        await pilot.press("escape")
        await settle(app, pilot)
        assert not isinstance(app.screen, CommandLine)


async def test_the_line_is_in_sight_below_all_that_was_said():
    for size in ((40, 12), (80, 24)):
        async with running(FakeDesk(), size=size) as (app, pilot):
            await pilot.press("colon")
            for number in range(60):
                app.screen._add_line(f"said {number}")
            await pilot.press(*"limits")
            await settle(app, pilot)
            await settle(app, pilot)
            assert "limits" in words(app)
            assert "said 59" in words(app)


async def test_tab_asks_the_help_of_what_was_typed():
    async with running(FakeDesk()) as (app, pilot):
        await pilot.press("colon", *"limi", "tab")
        field = app.screen.query_one("#line", Input)
        await until(app, pilot, lambda: field.value == "limits ")
        await pilot.press("s", "tab")
        await until(app, pilot, lambda: field.value.startswith("limits s"))
        await pilot.press(*"et --rea", "tab")
        await until(app, pilot, lambda: field.value.endswith("--reason "))


async def test_escape_ends_a_command_that_runs_and_the_kill_key_works_over_it():
    face = FakeDesk()
    async with running(face) as (app, pilot):
        await pilot.press("colon")
        await settle(app, pilot)
        line = app.screen

        async def sleeper(_):
            return await asyncio.create_subprocess_exec(
                "sleep", "600", stdout=asyncio.subprocess.PIPE, start_new_session=True
            )

        line._start_process = sleeper
        await pilot.press(*"status", "enter")
        await until(app, pilot, lambda: line._process is not None)
        first = line._process
        await pilot.press(*"limits", "enter")
        await settle(app, pilot)
        assert "running still" in words(app)
        await pilot.press("escape")
        await until(app, pilot, lambda: line._process is None)
        assert first.returncode is not None
        assert isinstance(app.screen, CommandLine)
        await pilot.press("enter")
        await until(app, pilot, lambda: line._process is not None)
        second = line._process
        await pilot.press("ctrl+k")
        await settle(app, pilot)
        assert face.kills == [(False, "operator")]
        assert not isinstance(app.screen, CommandLine)
        # Nobody sees it any more: it is ended, too.
        await until(app, pilot, lambda: second.returncode is not None)
    with pytest.raises(ProcessLookupError):
        os.kill(second.pid, 0)


async def test_long_lines_and_many_are_cut_and_shown_once_a_frame():
    async with running(FakeDesk()) as (app, pilot):
        await pilot.press("colon")
        await settle(app, pilot)
        line, drawn = app.screen, []

        async def talker(_):
            return await asyncio.create_subprocess_exec(
                "sh",
                "-c",
                "head -c 300000 /dev/zero | tr '\\0' x; echo; seq 30000; printf 'old\\rnew'",
                stdout=asyncio.subprocess.PIPE,
            )

        show = line._show_said
        line._start_process, line._show_said = talker, lambda: (drawn.append(1), show())
        line._begin_task(line._run_command("export bars", ["export", "bars"]))
        await until(app, pilot, lambda: "new" in words(app))
        assert "30000" in words(app)
        assert "old" not in words(app)
        assert len(line._said) == 2_000
        assert len(drawn) < 100
    assert [len(text) for text in [_shown_line(b"x" * 300_000)]] == [
        4_000 + len(" ... 300,000 letters")
    ]


async def test_a_second_command_and_escape_are_met_before_the_first_has_begun():
    async with running(FakeDesk()) as (app, pilot):
        await pilot.press("colon")
        await settle(app, pilot)
        line, asked, started = app.screen, asyncio.Event(), []

        async def slow_help(given):
            asked.set()
            await asyncio.sleep(600)
            return [*given]

        line._placed_words, line._start_process = slow_help, started.append
        await pilot.press(*"limits", "enter")
        await asked.wait()
        await pilot.press(*"status", "enter")
        await settle(app, pilot)
        assert "running still" in words(app)
        await pilot.press("escape")
        await until(app, pilot, lambda: line._command is None)
        assert app.screen is line
        assert "ended" in words(app)
        assert started == []


async def test_what_is_typed_behind_the_key_that_opens_it_is_for_the_line():
    async with running(FakeDesk()) as (app, pilot):
        for _ in range(2):
            for key in ("colon", *"limits"):
                app.post_message(Key(key, ":" if key == "colon" else key))
            await pilot.pause()
            await settle(app, pilot)
            assert app.screen.query_one("#line", Input).value == "limits"
            await pilot.press("escape")
            await pilot.pause()


async def test_a_command_that_runs_when_the_app_ends_leaves_no_trace():
    async with running(FakeDesk()) as (app, pilot):
        await pilot.press("colon")
        await settle(app, pilot)
        line = app.screen

        async def sleeper(_):
            return await asyncio.create_subprocess_exec(
                "sleep", "600", stdout=asyncio.subprocess.PIPE
            )

        line._start_process = sleeper
        await pilot.press(*"stop", "enter")
        await until(app, pilot, lambda: line._process is not None)
        command, process = line._command, line._process
    process.kill()
    await asyncio.gather(command)
    assert line._command is None
