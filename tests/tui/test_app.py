"""The app on a stepped fake desk: no threads, no clock of its own."""

import contextlib

import pytest
from textual.events import MouseScrollUp
from textual.widgets import Button, Input

from engine.board_rows import Board, FormingBar, PositionRow
from engine.errors import OperatorError
from engine.numbers import log_time
from engine.operator_requests import CancelRequest, ExitRequest, refused
from tests.tui.fake import FakeDesk
from tui.app.app import PatangApp
from tui.app.guide.key_help import KeyHelp
from tui.app.positions.act_dialog import ActDialog
from tui.app.screens.action_palette import ActionPalette
from tui.app.screens.chart_screen import ChartScreen
from tui.app.screens.desk_layouts import ALL, PRESETS
from tui.app.screens.desk_screen import DeskScreen
from tui.app.screens.modal_dialogs import QuestionDialog
from tui.app.widgets.chart_canvas import ChartCanvas
from tui.app.widgets.pane_grid import pane_rows
from tui.app.widgets.status_bands import KillBand, ModeBand
from tui.key_actions import ACTIONS, key_caps

SECOND = 1_000_000_000


class Clock:
    def __init__(self):
        self.now = 100 * SECOND

    def __call__(self):
        return self.now


class Bench(PatangApp):
    """The app with its bell counted."""

    bells = 0

    def bell(self):
        self.bells += 1


@contextlib.asynccontextmanager
async def running(face=None, size=(120, 40), clock=None, **options):
    app = Bench(face or FakeDesk(), clock=clock or Clock(), fps=0, tune_gc=False, **options)
    async with app.run_test(size=size, notifications=True) as pilot:
        app.frame()
        await pilot.pause()
        yield app, pilot


def screen_text(app):
    """Return what the terminal shows, line by line."""
    return [
        "".join(segment.text for segment in strip)
        for strip in app.screen._compositor.render_strips()
    ]


async def settle(app, pilot):
    app.frame()
    await pilot.pause()


async def test_a_desk_that_opens_says_how_far_it_is_and_claims_nothing_that_it_does_not_know():
    face = FakeDesk()
    face.board = Board("LIVE")
    async with running(face) as (app, pilot):
        text = "\n".join(screen_text(app))
        assert text.count("the desk is opening") == 6
        face.board.opening = "reading history 8/20"
        await settle(app, pilot)
        text = "\n".join(screen_text(app))
        assert text.count("reading history 8/20") == 1
        assert "flat" not in text
        face.board.header = face.board.header._replace(state="running")
        await settle(app, pilot)
        text = "\n".join(screen_text(app))
        assert ("opening" in text, "no instrument under watch" in text) == (False, True)


@pytest.mark.parametrize("key", ["ctrl+k", "f12"])
async def test_the_kill_key_halts_at_once_without_asking(key):
    async with running() as (app, pilot):
        await pilot.press(key)
        assert app.face.kills == [(False, "operator")]
        await settle(app, pilot)
        assert "KILL SWITCH · HALTED · operator" in "\n".join(screen_text(app)[:4])


@pytest.mark.parametrize("key", ["ctrl+k", "f12"])
async def test_the_kill_key_works_while_a_filter_is_typed(key):
    async with running() as (app, pilot):
        await pilot.press("slash", "r", "e", "l", "left")
        assert isinstance(app.focused, Input)
        await pilot.press(key)
        assert app.face.kills == [(False, "operator")]
        assert app.focused.value == "rel"


@pytest.mark.parametrize(
    ("opening", "kind"),
    [
        ("x", ActDialog),
        ("ctrl+p", ActionPalette),
        ("f1", KeyHelp),
        ("ctrl+q", QuestionDialog),
    ],
)
async def test_the_kill_key_works_over_a_modal_and_the_modal_makes_way(opening, kind):
    async with running() as (app, pilot):
        await pilot.press(opening)
        await pilot.pause()
        assert isinstance(app.screen, kind)
        await pilot.press("ctrl+k")
        await settle(app, pilot)
        assert app.face.kills == [(False, "operator")]
        assert isinstance(app.screen, DeskScreen)
        assert app.face.commands == []


async def test_a_second_press_within_three_seconds_flattens():
    clock = Clock()
    async with running(clock=clock) as (app, pilot):
        await pilot.press("ctrl+k")
        clock.now += 3 * SECOND
        await pilot.press("f12")
        assert app.face.kills == [(False, "operator"), (True, "operator")]
        await settle(app, pilot)
        assert app.screen.query_one(KillBand).has_class("-flatten")


async def test_a_second_press_after_three_seconds_only_halts_again():
    clock = Clock()
    async with running(clock=clock) as (app, pilot):
        await pilot.press("ctrl+k")
        clock.now += 3 * SECOND + 1
        await pilot.press("ctrl+k")
        assert app.face.kills == [(False, "operator"), (False, "operator")]


async def test_the_band_says_so_while_the_engine_has_not_confirmed_the_kill():
    class Hung(FakeDesk):
        def kill(self, flatten, reason):
            self.kills.append((flatten, reason))

    async with running(Hung()) as (app, pilot):
        await pilot.press("ctrl+k")
        await settle(app, pilot)
        assert "HALTING · operator · latched, engine yet to confirm" in screen_text(app)[2]
        app.face.board.header = app.face.board.header._replace(kill="halt", kill_reason="operator")
        await settle(app, pilot)
        assert "HALTED · operator ▚" in screen_text(app)[2]


async def test_the_band_goes_when_the_switch_is_unlatched():
    async with running() as (app, pilot):
        await pilot.press("ctrl+k")
        await settle(app, pilot)
        assert app.screen.query_one(KillBand).display
        app.face.board.header = app.face.board.header._replace(kill="", kill_reason="")
        await settle(app, pilot)
        assert not app.screen.query_one(KillBand).display


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError("disk full"), "OSError('disk full')"),
        (OperatorError("the disk does not take it"), "the disk does not take it"),
    ],
)
async def test_a_kill_that_raises_is_said_and_the_app_goes_on(error, told):
    class Broken(FakeDesk):
        def kill(self, flatten, reason):
            raise error

    async with running(Broken()) as (app, pilot):
        await pilot.press("ctrl+k")
        await settle(app, pilot)
        assert f"KILL FAILED: {told}" in screen_text(app)[-1]
        assert app.bells == 1
        assert not app.screen.query_one(KillBand).display


async def test_the_kill_band_stays_in_sight_over_every_modal():
    async with running() as (app, pilot):
        await pilot.press("ctrl+k")
        for opening in ("x", "ctrl+p", "f1", "ctrl+q"):
            await pilot.press(opening)
            await settle(app, pilot)
            assert app.screen.is_modal
            lines = screen_text(app)
            assert "S A N D B O X" in lines[0]
            assert "KILL SWITCH · HALTED" in lines[2]
            await pilot.press("escape")
            await pilot.pause()


async def test_a_kill_thaws_a_frozen_display():
    async with running() as (app, pilot):
        await pilot.press("space")
        assert "FROZEN" in screen_text(app)[0]
        await pilot.press("ctrl+k")
        await settle(app, pilot)
        assert "FROZEN" not in screen_text(app)[0]


@pytest.mark.parametrize("mode", ["SANDBOX", "REPLAY", "DRY-RUN", "PAPER", "SHADOW", "LIVE"])
async def test_every_mode_spans_the_full_width_in_a_colour_of_its_own(mode):
    seen = set()
    async with running(FakeDesk(mode)) as (app, _pilot):
        band = app.screen.query_one(ModeBand)
        assert band.region == (0, 0, 120, 1)
        assert " ".join(mode) in screen_text(app)[0]
        seen.add(band.styles.background.hex)
    async with running(FakeDesk("LIVE" if mode != "LIVE" else "SANDBOX")) as (app, _pilot):
        seen.add(app.screen.query_one(ModeBand).styles.background.hex)
    assert len(seen) == 2


async def test_quitting_with_open_positions_asks_with_the_focus_on_cancel():
    async with running() as (app, pilot):
        await pilot.press("ctrl+q")
        await pilot.pause()
        assert isinstance(app.screen, QuestionDialog)
        assert app.focused.id == "cancel"
        assert "8 positions open" in "\n".join(screen_text(app))
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, DeskScreen)
        assert not app.face.stopped


async def test_quitting_goes_through_only_by_the_second_button():
    async with running() as (app, pilot):
        await pilot.press("ctrl+q")
        await pilot.pause()
        await pilot.press("right", "enter")
        await pilot.pause()
        assert app.face.stopped
        assert app._exit


async def test_quitting_flat_stops_the_desk_without_a_question():
    face = FakeDesk()
    face.board.positions.keep(set())
    async with running(face) as (app, pilot):
        await pilot.press("ctrl+q")
        await pilot.pause()
        assert face.stopped
        assert app._exit


async def test_exiting_a_position_shows_symbol_quantity_and_price_and_submits_once_confirmed():
    async with running() as (app, pilot):
        await pilot.press("j", "j", "j", "x")
        await pilot.pause()
        text = "\n".join(screen_text(app))
        assert "SELL 100 INFY at about 1,624.55" in text
        # enter by mistake goes to the button, and no further
        await pilot.press("enter")
        await pilot.pause()
        assert (app.focused.id, app.face.commands) == ("yes", [])
        await pilot.press("enter", "enter")
        await pilot.pause()
        assert app.face.commands == [ExitRequest(1_002, "INFY")]


async def test_a_command_is_pending_until_the_engine_answers():
    async with running() as (app, pilot):
        app.screen.turn_to("orders")
        await pilot.press("G", "k", "k", "x")
        await pilot.pause()
        await pilot.press("right", "enter")
        await settle(app, pilot)
        assert "#1 cancel BUY INFY: pending" in screen_text(app)[-1]
        app.face.outcomes[1] = refused("market closed")
        await settle(app, pilot)
        assert "cancel BUY INFY: refused: market closed" in screen_text(app)[-1]


async def test_cancelling_a_question_submits_nothing():
    async with running() as (app, pilot):
        for answer in ("tab", "escape"):
            await pilot.press("x")
            await pilot.pause()
            await pilot.press(answer)
            await pilot.pause()
        assert app.face.commands == []


async def test_a_position_that_is_not_under_watch_is_left_by_its_own_token():
    face = FakeDesk()
    row = face.board.positions.rows[0]._replace(symbol="GONE", token=77)
    face.board.positions.put(row.key, row)
    async with running(face) as (_, pilot):
        await pilot.press("x", "enter", "enter")
        assert face.commands == [ExitRequest(77, "GONE")]


async def test_cancelling_names_the_order_under_the_cursor():
    async with running() as (app, pilot):
        app.screen.turn_to("orders")
        await pilot.pause()
        await pilot.press("G", "k", "k", "x")
        await pilot.pause()
        assert "BUY 20 INFY at 1,622.00, 5 filled" in "\n".join(screen_text(app))
        await pilot.press("right", "enter")
        await pilot.pause()
        assert app.face.commands == [CancelRequest("7")]


async def test_an_ended_order_cannot_be_cancelled():
    async with running() as (app, pilot):
        app.screen.turn_to("orders")
        await pilot.pause()
        await pilot.press("g", "x")
        await pilot.pause()
        assert isinstance(app.screen, DeskScreen)


async def test_a_filter_shows_only_the_rows_that_contain_its_text():
    async with running() as (app, pilot):
        await pilot.press("slash", *"INFY")
        await pilot.pause()
        table = app.screen.panes["positions"].table
        assert [row.symbol for row in table.rows] == ["INFY", "INFY"]
        await pilot.press("enter")
        assert app.focused is table
        assert len(table.rows) == 2
        await pilot.press("escape")
        assert len(table.rows) == 8


async def test_number_and_letter_keys_are_text_inside_a_filter():
    async with running() as (app, pilot):
        await pilot.press("slash", "2", "z", "space", "x")
        assert isinstance(app.screen, DeskScreen)
        assert app.focused.value == "2z x"


async def test_space_holds_the_display_while_data_flows_on():
    async with running() as (app, pilot):
        await pilot.press("space")
        await pilot.pause()
        before = screen_text(app)
        for _ in range(30):
            app.face.step(SECOND, share=1.0)
            app.frame()
        await pilot.pause()
        frozen = screen_text(app)
        assert frozen[5:-1] == before[5:-1]
        assert "14:32:37" in frozen[2]
        await pilot.press("space")
        await settle(app, pilot)
        assert screen_text(app)[5:-1] != before[5:-1]


async def test_a_frozen_list_can_still_be_scrolled_and_filtered():
    async with running() as (app, pilot):
        app.screen.turn_to("watch")
        await pilot.press("space", "G")
        await pilot.pause()
        text = "\n".join(screen_text(app))
        assert "M&M" in text
        await pilot.press("slash", *"titan")
        await pilot.pause()
        assert [row.symbol for row in app.screen.panes["watch"].table.rows] == ["TITAN"]


async def test_zoom_leaves_one_pane_and_escape_brings_the_others_back():
    async with running() as (app, pilot):
        await pilot.press("z")
        await pilot.pause()
        assert [name for name, pane in app.screen.panes.items() if pane.display] == ["positions"]
        assert "target" in "\n".join(screen_text(app))
        await pilot.press("escape")
        await pilot.pause()
        assert all(pane.display for pane in app.screen.panes.values())


async def test_tab_reaches_every_pane_even_those_out_of_sight():
    async with running(size=(80, 24)) as (app, pilot):
        seen = []
        for _ in range(6):
            await pilot.press("tab")
            await pilot.pause()
            seen.append(app.focused.id)
            assert app.focused.region.height > 3
            assert app.screen.panes["positions"].display
        assert sorted(seen) == ["events", "ladders", "orders", "positions", "risk", "watch"]


async def test_the_movement_keys_move_in_a_list():
    async with running() as (app, pilot):
        table = app.screen.panes["positions"].table
        for key, row in (
            ("j", 1),
            ("j", 2),
            ("k", 1),
            ("G", 7),
            ("g", 0),
            ("down", 1),
            ("end", 7),
            ("home", 0),
        ):
            await pilot.press(key)
            assert table.cursor == row, key


async def test_n_goes_to_the_rows_that_need_an_eye_and_round():
    face = FakeDesk()
    for i in (2, 6):
        row = face.board.positions.rows[i]._replace(protected=0)
        face.board.positions.put(row.key, row)
    async with running(face) as (app, pilot):
        table = app.screen.panes["positions"].table
        seen = []
        for _ in range(3):
            await pilot.press("n")
            seen.append(table.cursor)
        assert seen == [2, 6, 2]


async def test_the_cursor_stays_on_its_row_when_another_goes():
    async with running() as (app, pilot):
        await pilot.press("j", "j", "j")
        table = app.screen.panes["positions"].table
        assert table.chosen.key == "INFY/P1"
        app.face.board.positions.keep(
            {row.key for row in app.face.board.positions.rows if row.symbol != "RELIANCE"}
        )
        await settle(app, pilot)
        assert table.chosen.key == "INFY/P1"
        assert table.cursor == 0


async def test_the_log_stays_at_its_end_until_the_cursor_leaves_it():
    async with running() as (app, pilot):
        for i in range(40):
            app.face.event("info", f"number {i}")
        await settle(app, pilot)
        assert "number 39" in "\n".join(screen_text(app))
        app.screen.turn_to("events")
        await pilot.pause()
        await pilot.press("g")
        app.face.event("info", "number 40")
        await settle(app, pilot)
        text = "\n".join(screen_text(app))
        assert "number 40" not in text
        assert "reconciled" in text


async def test_an_alarm_rings_the_bell_once_and_stands_in_a_line_of_its_own():
    async with running() as (app, pilot):
        app.face.event("alarm", "[b]naked[/b] INFY")
        await settle(app, pilot)
        await settle(app, pilot)
        assert app.bells == 1
        lines = screen_text(app)
        assert lines[-2].startswith(" ■ [b]naked[/b] INFY")
        assert lines[-1].startswith(" ^k kill")
        await pilot.press("escape")
        await settle(app, pilot)
        assert "■" not in screen_text(app)[-2][:3]


async def test_the_notice_of_a_halt_goes_with_it_and_no_other_does():
    async with running() as (app, pilot):
        await pilot.press("ctrl+k")
        app.face.event("alarm", "halt: operator (screen)")
        app.face.event("alarm", "INFY naked")
        await settle(app, pilot)
        await settle(app, pilot)
        assert [line.strip() for line in screen_text(app)[-3:-1]] == [
            "■ halt: operator (screen)",
            "■ INFY naked",
        ]
        app.face.board.header = app.face.board.header._replace(kill="", kill_reason="")
        await settle(app, pilot)
        assert "halt: operator" not in screen_text(app)[-3]
        assert screen_text(app)[-2].strip() == "■ INFY naked"


async def test_an_alarm_that_is_told_again_is_counted():
    async with running() as (app, pilot):
        for _ in range(3):
            app.face.event("alarm", "INFY naked")
            await settle(app, pilot)
        assert screen_text(app)[-2].strip() == "■ INFY naked ×3"
        assert screen_text(app)[-3].strip()[:1] != "■"


async def test_many_alarms_ring_once_and_never_cover_header_kill_state_or_a_dialog():
    clock = Clock()
    async with running(size=(80, 24), clock=clock) as (app, pilot):
        await pilot.press("ctrl+k")
        await pilot.press("x")
        before = app.bells
        for i in range(50):
            app.face.event("alarm", f"alarm {i} " + "long " * 40)
        await settle(app, pilot)
        lines = screen_text(app)
        assert app.bells == before + 1
        assert [line[:11] for line in lines if "■" in line] == [
            " ■ alarm 47",
            " ■ alarm 48",
            " ■ alarm 49",
        ]
        assert "S A N D B O X" in lines[0]
        assert "KILL SWITCH" in lines[2]
        assert "naked 0" in lines[4]
        assert isinstance(app.screen, ActDialog)
        box = app.screen.query_one("#box").region
        assert all("alarm" not in line[box.x : box.right] for line in lines[box.y : box.bottom])
        clock.now += 16 * SECOND
        await settle(app, pilot)
        assert not any("■" in line for line in screen_text(app))


async def test_help_names_the_focused_pane_and_every_action():
    async with running(size=(130, 240)) as (app, pilot):
        await pilot.press("f1")
        await pilot.pause()
        text = "\n".join(screen_text(app))
        assert "Positions" in text
        for action in ACTIONS:
            assert action.help.split(":")[0][:30] in text, action.id
            assert key_caps(action.keys) in text, action.id


async def test_the_palette_offers_what_can_be_done_here_and_does_it():
    async with running() as (app, pilot):
        offered = {choice.words for choice in app.palette_choices() if not choice.place}
        assert {"kill", "exit", "zoom", "filter", "freeze", "TITAN"} <= offered
        assert "cancel" not in offered
        assert "span" not in offered
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.press(*"zoom")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await pilot.pause(0.2)
        assert isinstance(app.screen, DeskScreen)
        assert app.screen.panes["positions"].display
        assert not app.screen.panes["watch"].display


async def test_the_chart_opens_for_the_symbol_under_the_cursor_and_cycles():
    async with running() as (app, pilot):
        await pilot.press("j", "j", "j", "enter")
        await pilot.pause()
        await settle(app, pilot)
        assert isinstance(app.screen, ChartScreen)
        assert "INFY  1m" in screen_text(app)[4]
        await pilot.press("right_square_bracket")
        await settle(app, pilot)
        assert "TCS  1m" in screen_text(app)[4]
        await pilot.press("left_square_bracket", "left_square_bracket", "t")
        await settle(app, pilot)
        assert "HDFCBANK  5m" in screen_text(app)[4]
        await pilot.press("1")
        await pilot.pause()
        assert isinstance(app.screen, DeskScreen)


async def test_the_chart_is_drawn_at_most_once_in_ten_frames():
    async with running() as (app, pilot):
        await pilot.press("2")
        await settle(app, pilot)
        drawn = []
        screen = app.screen
        show = screen._canvas.show_strips
        screen._canvas.show_strips = lambda strips: (drawn.append(1), show(strips))
        bars = app.face.board.bars[1_000, 60]
        for i in range(20):
            app.face.board.bars[1_000, 60] = (*bars[:-1], bars[-1]._replace(volume=i))
            app.frame()
        assert len(drawn) == 2


def chart_bars(app, screen):
    """Return what the screen charts."""
    return app.face.board.bars[screen._charted_bars().row.token, screen._span]


async def test_the_chart_shows_the_bar_that_forms():
    async with running() as (app, pilot):
        await pilot.press("2")
        await settle(app, pilot)
        board = app.face.board
        token, span = board.focus.token, board.focus.span
        assert (token, span) == (board.watch.rows[0].token, 60)
        last = board.bars[token, span][-1]
        board.focus.forming = FormingBar(
            token, span, last._replace(start=last.start + 60 * SECOND, close=1_234.5)
        )
        await pilot.press("v")
        await settle(app, pilot)
        assert "C 1,234.50" in screen_text(app)[4]
        # It has closed meanwhile, and stands among the others: it is not there twice.
        board.focus.forming = FormingBar(token, span, last)
        assert len(app.screen._charted_bars().bars) == len(board.bars[token, span])


async def test_the_cross_hair_says_when_and_how_much_and_escape_drops_it():
    async with running() as (app, pilot):
        await pilot.press("2", "left", "h", "h")
        await settle(app, pilot)
        bar = chart_bars(app, app.screen)[-3]
        lines = screen_text(app)
        assert f"C {bar.close:,.2f}" in lines[4]
        assert f"{log_time(bar.start)} {bar.close:,.2f}" in lines[5]
        await pilot.press("k", "k")
        await settle(app, pilot)
        assert f" {bar.close:,.2f} " not in screen_text(app)[5]
        await pilot.press("escape")
        await settle(app, pilot)
        assert log_time(bar.start) not in screen_text(app)[5]
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, DeskScreen)


async def test_the_chart_zooms_pans_and_comes_back():
    async with running() as (app, pilot):
        await pilot.press("2")
        await settle(app, pilot)

        def seen():
            screen = app.screen
            return screen._window.seen(chart_bars(app, screen), screen._candle_columns)

        wide = seen()
        await pilot.press("plus")
        await settle(app, pilot)
        assert seen().last == wide.last
        assert seen().last - seen().first < wide.last - wide.first
        await pilot.press("minus", "H")
        await settle(app, pilot)
        assert seen().last < wide.last
        assert "earlier bars" in screen_text(app)[5]
        await pilot.press("g")
        assert seen().first == 0
        await pilot.press("G")
        await settle(app, pilot)
        assert seen() == wide
        assert "earlier bars" not in screen_text(app)[5]


async def test_a_click_puts_the_cross_hair_and_the_wheel_goes_back():
    async with running() as (app, pilot):
        await pilot.press("2")
        await settle(app, pilot)
        await pilot.click(ChartCanvas, offset=(20, 4))
        await settle(app, pilot)
        screen = app.screen
        seen = screen._window.seen(chart_bars(app, screen), screen._candle_columns)
        assert seen.cursor == seen.first + 10
        assert screen._drawing.cursor_row == 4
        screen._canvas.on_mouse_scroll_up(
            MouseScrollUp(screen._canvas, 1, 1, 0, -1, 0, *[False] * 3)
        )
        await settle(app, pilot)
        assert not screen._window.follows


async def test_indicators_volume_and_another_symbol_come_by_keys():
    async with running() as (app, pilot):
        await pilot.press("2", "b", "i", "w")
        await settle(app, pilot)
        legend = screen_text(app)[5]
        names = [row.symbol for row in app.face.board.watch.rows]
        for words in ("EMA 50", "EMA 200", "RSI 14", f"{names[1]} "):
            assert words in legend
        assert "vol " in "\n".join(screen_text(app)[6:])
        await pilot.press("W", "v")
        await settle(app, pilot)
        assert names[1] not in screen_text(app)[5]
        assert "vol " not in "\n".join(screen_text(app)[6:])
        # Their row of the footer keeps its place while other keys do their work.
        assert "indicator" in screen_text(app)[-1]


async def test_levels_of_the_position_and_its_orders_stand_on_the_axis():
    async with running() as (app, pilot):
        await pilot.press("2")
        await settle(app, pilot)
        row = app.screen._charted_bars().row
        app.face.board.positions.put(
            "p",
            PositionRow(
                "p",
                row.symbol,
                "hand",
                "P1",
                5,
                row.ltp,
                row.ltp,
                0,
                0.0,
                row.ltp * 0.9,
                row.ltp * 1.2,
                5,
                0,
            ),
        )
        await pilot.press("v")
        await settle(app, pilot)
        text = "\n".join(screen_text(app)[6:])
        assert "avg " in text
        assert "stop" in text
        assert "▴goal" in text


async def test_a_hanging_engine_is_named_in_the_header():
    clock = Clock()
    face = FakeDesk()
    face.board.heartbeat = clock.now
    async with running(face, clock=clock) as (app, pilot):
        assert "running" in screen_text(app)[2]
        clock.now += 7 * SECOND
        await settle(app, pilot)
        assert "STALLED 7 s" in screen_text(app)[2]


async def test_hidden_panes_are_not_pulled():
    async with running(size=(80, 24)) as (app, _pilot):
        pulled = []
        for name, pane in app.screen.panes.items():
            pane.pull = lambda *args, name=name, **kw: pulled.append(name)
        app.frame()
        assert sorted(pulled) == ["positions", "watch"]


async def test_a_remapped_key_moves_the_action_and_its_name_in_the_footer():
    async with running(keymap={"freeze": "Q"}, size=(170, 40)) as (app, pilot):
        assert "Q freeze" in screen_text(app)[-1]
        await pilot.press("space")
        assert "FROZEN" not in screen_text(app)[0]
        await pilot.press("Q")
        await settle(app, pilot)
        assert "FROZEN" in screen_text(app)[0]


@pytest.mark.parametrize(
    "size", [(80, 24), (100, 30), (120, 40), (169, 50), (170, 40), (200, 60), (60, 15), (20, 6)]
)
async def test_every_size_shows_mode_and_footer(size):
    async with running(size=size) as (app, pilot):
        lines = screen_text(app)
        assert "SANDBOX" in lines[0].replace(" ", "")
        assert "^k" in lines[-1]
        await pilot.press("ctrl+k")
        await settle(app, pilot)
        assert "KILL" in screen_text(app)[2]


async def test_buttons_of_a_question_are_reached_with_the_arrow_keys():
    async with running() as (app, pilot):
        await pilot.press("ctrl+q")
        await pilot.pause()
        await pilot.press("right")
        assert isinstance(app.focused, Button)
        assert app.focused.id == "yes"
        await pilot.press("left")
        assert app.focused.id == "cancel"


async def test_the_question_about_an_exit_follows_the_price_and_names_every_strategy():
    face = FakeDesk()
    other = face.board.positions.rows[1]
    face.board.positions.put(other.key, other._replace(strategy="moving_average_cross"))
    async with running(face) as (app, pilot):
        await pilot.press("x")
        await settle(app, pilot)
        text = "\n".join(screen_text(app))
        assert "SELL 150 RELIANCE at about 1,412.35" in text
        assert "150 CNC at 1,412.35" in text
        assert "momentum_ladder P3: 25 from 1,409.10" in text
        assert "moving_average_cross P2: 50 from 1,404.60" in text
        for row in face.board.positions.rows[:3]:
            face.board.positions.put(row.key, row._replace(ltp=1500.0, pnl=1_000_00, leaving=12_34))
        await settle(app, pilot)
        text = "\n".join(screen_text(app))
        assert "SELL 150 RELIANCE at about 1,500.00" in text
        assert "P&L ▲ 3,000.00" in text
        assert "charges of the exit about 37.02, not in that P&L yet" in text
        face.board.positions.keep(
            {row.key for row in face.board.positions.rows if row.symbol != "RELIANCE"}
        )
        await settle(app, pilot)
        assert "It is flat already" in "\n".join(screen_text(app))


async def test_the_buttons_say_what_they_do():
    async with running() as (app, pilot):
        app.screen.turn_to("orders")
        await pilot.pause()
        await pilot.press("G", "k", "k", "x")
        await pilot.pause()
        shown = [button for button in app.screen.query(Button) if button.display]
        assert [str(button.label) for button in shown] == ["Keep it", "Cancel the order"]
        await pilot.press("escape", "ctrl+q")
        await pilot.pause()
        shown = [button for button in app.screen.query(Button) if button.display]
        assert [str(button.label) for button in shown] == ["Stay", "Quit"]


async def test_a_stopped_desk_goes_on_with_a_reason_and_only_with_one():
    async with running() as (app, pilot):
        await pilot.press("ctrl+r")
        await settle(app, pilot)
        assert not app.screen.is_modal
        assert "nothing to resume" in screen_text(app)[-2]
        await pilot.press("ctrl+k", "ctrl+r", "enter")
        await settle(app, pilot)
        assert app.screen.is_modal
        assert "a reason is needed" in "\n".join(screen_text(app))
        await pilot.press(*"fine", "enter")
        await settle(app, pilot)
        assert app.face.resumed == ["fine"]
        assert not app.screen.query_one(KillBand).display


async def test_a_release_that_the_disk_does_not_take_is_told_and_the_screen_goes_on():
    def refuse(_):
        raise OperatorError("not released: KILL.log: no space left on device")

    async with running() as (app, pilot):
        app.face.resume = refuse
        await pilot.press("ctrl+k", "ctrl+r", *"fine", "enter")
        await settle(app, pilot)
        assert "not released: KILL.log: no space left on device" in "\n".join(screen_text(app))
        assert app.screen.query_one(KillBand).display


async def test_a_flattened_desk_is_flat_once_nothing_is_held_and_nothing_works():
    async with running() as (app, pilot):
        await pilot.press("ctrl+k", "ctrl+k")
        await settle(app, pilot)
        assert "FLATTENING" in screen_text(app)[2]
        app.face.board.positions.keep(set())
        await settle(app, pilot)
        assert "FLATTENING" in screen_text(app)[2], "an order still works"
        app.face.board.orders.keep({"0"})
        await settle(app, pilot)
        assert "FLAT ·" in screen_text(app)[2]


async def test_dialogs_are_made_once_and_begin_anew_each_time():
    async with running() as (app, pilot):
        seen = set()
        for _ in range(3):
            for opening in ("f1", "x", "ctrl+p"):
                await pilot.press(opening)
                await settle(app, pilot)
                seen.add(app.screen)
                await pilot.press(
                    *(["z"] if opening == "ctrl+p" else ["right"] if opening == "x" else ["j"])
                )
                await pilot.press("escape")
                await pilot.pause()
        assert len(seen) == 3
        await pilot.press("x")
        await pilot.pause()
        assert app.focused.id == "field-0"
        await pilot.press("escape", "ctrl+p")
        await pilot.pause()
        assert app.screen.query_one(Input).value == ""


@pytest.mark.parametrize("key", ["f1", "question_mark"])
async def test_help_shows_a_dozen_keys_at_once_on_a_small_terminal_the_panes_own_first(key):
    async with running(size=(80, 24)) as (app, pilot):
        await pilot.press(key)
        await settle(app, pilot)
        lines = screen_text(app)
        shown = [
            action.id
            for action in ACTIONS
            if any(f" {key_caps(action.keys)} " in line and action.verb in line for line in lines)
        ]
        assert len(shown) >= 12
        first = next(i for i, line in enumerate(lines) if "In positions" in line)
        assert first < next(i for i, line in enumerate(lines) if "Anywhere" in line)


async def test_the_footer_of_a_small_terminal_keeps_kill_help_quit_and_pane():
    async with running(size=(80, 24)) as (app, pilot):
        for screen in ("1", "6"):
            await pilot.press(screen)
            await settle(app, pilot)
            assert screen_text(app)[-1].startswith(" ^k kill  f1 help  ^q quit  tab pane")
            assert "adopt" not in screen_text(app)[-1], "there is no difference to decide"


async def test_ctrl_z_says_why_nothing_is_suspended():
    async with running() as (app, pilot):
        await pilot.press("ctrl+z")
        await settle(app, pilot)
        assert "would stop the engine" in screen_text(app)[-2]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_what_is_over_is_named_in_sight_at_every_size_and_both_screens_agree(size):
    face = FakeDesk()
    row = face.board.risk.rows[-1]
    face.board.risk.put(row.name, row._replace(text="1", bad=True))
    async with running(face, size=size) as (app, pilot):
        desk = "\n".join(screen_text(app))
        assert "Naked positions 1" in desk
        await pilot.press("6")
        await settle(app, pilot)
        assert any("LIMITS" in line and "Naked positions 1" in line for line in screen_text(app))


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_every_pane_of_the_desk_has_its_place_at_every_size_even_one_that_is_new(
    size, monkeypatch
):
    few = pane_rows((1, [("watch", 75)]), (1, [("positions", 43)]))
    for kind in ("middle", "wide"):
        monkeypatch.setitem(PRESETS[kind], ALL, few)
    async with running(size=size) as (app, pilot):
        assert len({pane.region for pane in app.screen.panes.values() if pane.display}) in {2, 6}
        for name in app.screen.panes:
            app.screen.turn_to(name)
            await pilot.pause()
            assert app.screen.panes[name].region.area > 0


async def test_chart_opens_at_the_row_under_the_cursor():
    async with running() as (app, pilot):
        await pilot.press("j", "j", "j", "2")
        await settle(app, pilot)
        assert "INFY  1m" in screen_text(app)[4]


async def test_the_kill_key_waits_for_no_field_that_is_busy():
    async with running() as (app, pilot):
        await pilot.press("slash")
        await pilot.pause()
        assert isinstance(app.focused, Input)

        async def never(_):
            raise AssertionError("the kill switch has waited")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tui.app.app._settle_field", never)
            await pilot.press("ctrl+k")
        assert app.face.kills == [(False, "operator")]
