"""Screen 7: the list, the tabs by keys, maps, trades of days, forms, what stops and removes."""

import asyncio

import pytest
from textual.widgets import Input

from engine.errors import OperatorError
from tests.tui.fake import START, FakeDesk
from tests.tui.test_app import running, screen_text
from tui.app.panes.result_picture import ResultPictureView
from tui.app.panes.results_pane import ResultsPaneView
from tui.app.research_port import (
    ChartBar,
    CurveLine,
    FormOffer,
    ResultCandles,
    ResultCurves,
    ResultMap,
    ResultRow,
    ResultTable,
    TableColumn,
    TabRow,
    TradeMark,
)
from tui.app.screens.research_form import ResearchForm, completed_field
from tui.app.screens.research_screen import ResearchScreen
from tui.app.widgets.pane_view import view_text

DAY = 86_400_000_000_000
TODAY = START
ROWS = [
    ResultRow("desk", "desk", "", "this paper desk", state="its days"),
    ResultRow(
        "job 7",
        "job",
        "2026-07-14T08:00:00+00:00",
        "ladder",
        state="backtest: 40 %, 9 bars a second, 3 s left",
        tone="focus",
        share=0.4,
        job="7",
    ),
    ResultRow(
        "backtest 20260714-01",
        "backtest",
        "2026-07-14T07:00:00+00:00",
        "moving_average_cross",
        "INFY",
        "2026-01-01",
        "2026-06-30",
        122,
        -1_833.53,
        -2.77,
        0.09,
        -0.31,
        192,
        "fail",
        "danger",
        note="first try",
    ),
    ResultRow(
        "backtest 20260713-01",
        "backtest",
        "2026-07-13T07:00:00+00:00",
        "momentum_ladder",
        "SBIN",
        "2026-01-01",
        "2026-06-30",
        122,
        12_345.0,
        1.5,
        0.97,
        -4.2,
        40,
        "pass",
        "up",
    ),
    ResultRow(
        "sweep cross-1",
        "sweep",
        "2026-07-12T07:00:00+00:00",
        "moving_average_cross",
        "2 symbols",
        days=73,
        state="236 trials",
    ),
]


def trade_row(key, day, net):
    ts = TODAY - day * DAY
    return TabRow(key, ["INFY", f"{net:.2f}"], ["", ""], [0.0, net], "INFY", ts)


TRADES = ResultTable(
    "4 closed trades, the worst of each day first",
    [TableColumn("symbol", 8, right=False), TableColumn("net", 10)],
    [
        trade_row("1", 0, -5.0),
        trade_row("2", 1, -90.0),
        trade_row("3", 1, 20.0),
        trade_row("4", 2, -500.0),
    ],
)


class FakeResearch:
    """A `ResearchPort` that answers at once and records what it was asked."""

    def __init__(self, rows=ROWS):
        self.listed = rows
        self.asked = []
        self.acts = []
        self.checked = []
        self.started = []
        self.fault = self.fault_of_tabs = ""
        self.held = None
        """An event that tabs wait for; None: they come at once."""
        self.closed = False

    async def close(self):
        self.closed = True

    async def rows(self):
        if self.fault:
            raise OperatorError(self.fault)
        return list(self.listed)

    async def tab(self, request):
        self.asked.append(request)
        if self.held is not None:
            await self.held.wait()
        if self.fault_of_tabs:
            raise OperatorError(self.fault_of_tabs)
        if request.trade:
            bars = [ChartBar(TODAY + k * 60 * 10**9, 10, 11, 9, 10, 5) for k in range(9)]
            return ResultCandles("the trade", 60, bars, [TradeMark(bars[3].start, 10.0, "BUY")])
        if request.tab == "trades":
            return TRADES
        if request.tab == "map":
            metric, across = request.metric or "sharpe", request.across or "fast"
            down = request.down or "slow"
            cells = [[1.0, 2.0], [3.0, -4.0]]
            return ResultMap(
                "4 trials",
                metric,
                across,
                ["5", "7"],
                down,
                ["20", "40"],
                cells,
                ["fast", "slow", "symbol"],
                ["sharpe", "net"],
            )
        if request.tab == "equity":
            lines = [CurveLine("net", "strong", [100.0, 90.0, 120.0])]
            return ResultCurves(
                "account", [TODAY - 2 * DAY, TODAY - DAY, TODAY], lines, [0.0, -10.0, 0.0]
            )
        rows = [TabRow(f"{k}", [f"{request.tab} fast={k} slow=20"], [""], [0.0]) for k in (5, 7)]
        return ResultTable(request.tab, [TableColumn("what", 20, right=False)], rows)

    async def offer(self, kind):
        return FormOffer(
            ["momentum_ladder", "moving_average_cross"],
            {"moving_average_cross": ["fast", "slow"]},
            ["INFY", "ITC", "SBIN"],
            {"symbols": "SBIN", "from": "2026-01-01"},
        )

    async def check(self, request):
        self.checked.append(request)
        if request.fields.get("symbols") == "ITCX":
            raise OperatorError("no bars of ITCX of 60 s")
        return "cross on 1 symbol"

    async def start(self, request):
        self.started.append(request)
        return "8"

    async def act(self, verb, key, text=""):
        self.acts.append((verb, key, text))
        return "done so"


async def turn(app, pilot, frames=4):
    """Let so many frames pass, and what they have begun."""
    for _ in range(frames):
        app.frame()
        await pilot.pause()


def opened(port, size=(120, 40)):
    face = FakeDesk("PAPER")
    context = running(face, size=size)
    return context, port


async def begin(app, pilot, port):
    app.research = port
    await pilot.press("7")
    await turn(app, pilot, 6)
    assert isinstance(app.screen, ResearchScreen)


def words(app):
    return "\n".join(screen_text(app))


def test_the_list_as_text():
    view, board = ResultsPaneView(), FakeDesk().board
    view.show_rows(ROWS)
    view.mark("backtest 20260713-01")
    lines = view_text(view, board, 200)
    assert lines[0].startswith("RESEARCH 3 kept 1 running: backtest: 40 %, 9 bars a second")
    heads = "what made strategy symbols from to days net ₹ sharpe luck dd % trades state note"
    assert " ".join(lines[1].split()) == heads
    assert "━━╸┈┈┈ 40% backtest: 40 %" in lines[3]
    assert lines[4].split()[:4] == ["backtest", "14", "Jul", "12:30"]
    assert "-1,833.53" in lines[4]
    assert "first try" in lines[4]
    assert lines[5].startswith(" ◆backtest ")
    narrow = view_text(view, board, 80)
    assert all(len(line) <= 80 for line in narrow)
    assert "12,345.00" in narrow[5]
    shown = []
    for _ in range(5):
        shown.append([row.kind for row in view.rows(board)])
        view.turn_which()
    assert shown[1:] == [["backtest"] * 2, ["sweep"], [], ["job"]]
    assert view.which == "all"


async def test_the_result_under_the_cursor_is_shown_tab_by_tab():
    port = FakeResearch()
    async with running(FakeDesk("PAPER")) as (app, pilot):
        await begin(app, pilot, port)
        assert "[equity]  trades  parity  promoted  promotions" in words(app)
        await pilot.press("j", "j")
        await turn(app, pilot, 5)
        assert "[equity]  figures  months  groups  trades  checks" in words(app)
        # Nobody is compared with: there is no such tab.
        assert "compare" not in words(app)
        await pilot.press("right_curly_bracket")
        await turn(app, pilot)
        assert "figures fast=5" in words(app)
        assert "[figures]" in words(app)
        await pilot.press("left_curly_bracket", "left_curly_bracket")
        await turn(app, pilot)
        assert "[checks]" in words(app)
        # Each kind of row has its own tab open, and keeps it.
        await pilot.press("j")
        await turn(app, pilot, 5)
        assert "[checks]" in words(app)
        await pilot.press("j")
        await turn(app, pilot, 5)
        assert "[map]  trials  luck  equity" in words(app)


async def test_no_figures_stand_for_long_under_the_name_of_another_result():
    port = FakeResearch()
    async with running(FakeDesk("PAPER")) as (app, pilot):
        await begin(app, pilot, port)
        port.held = asyncio.Event()
        await pilot.press("right_curly_bracket")
        await turn(app, pilot, 8)
        assert "[trades]" in words(app)
        assert "reading ..." in words(app)
        port.held.set()
        await turn(app, pilot)
        assert "4 closed trades" in words(app)
        assert "reading ..." not in words(app)


async def test_a_tab_that_could_not_be_read_is_read_again_when_it_is_looked_at_again():
    port = FakeResearch()
    async with running(FakeDesk("PAPER")) as (app, pilot):
        await begin(app, pilot, port)
        await pilot.press("j", "j")
        await turn(app, pilot, 5)
        port.fault_of_tabs = "the process that reads results has ended"
        await pilot.press("right_curly_bracket")
        await turn(app, pilot)
        assert "has ended" in words(app)
        port.fault_of_tabs = ""
        await pilot.press("left_curly_bracket")
        await turn(app, pilot)
        await pilot.press("right_curly_bracket")
        await turn(app, pilot)
        assert "figures fast=5" in words(app)


@pytest.mark.parametrize("held", [False, True])
async def test_leaving_says_what_research_ends_with_the_screen(held):
    port, face = FakeResearch([ROWS[0], ROWS[1]._replace(ends=True)]), FakeDesk("PAPER")
    if not held:
        face.board.positions.rows[:] = []
    async with running(face) as (app, pilot):
        await begin(app, pilot, port)
        await pilot.press("ctrl+q")
        await turn(app, pilot)
        told = words(app)
        assert "It ends with the screen, what is done is kept: ladder 40 %." in told
        assert ("Quit with open positions?" in told) == held
        assert ("Quit while research runs?" in told) != held
        await pilot.press("escape")
        assert not face.stopped
        # over meanwhile: there is nothing to say about it any more
        port.listed = [ROWS[0], ROWS[1]]
        await pilot.press("ctrl+q")
        await turn(app, pilot)
        assert "ends with the screen" not in words(app)
        assert face.stopped == (not held)


async def test_the_worst_trade_of_yesterday_takes_five_keys_and_is_charted():
    port, face = FakeResearch(), FakeDesk("PAPER")
    async with running(face) as (app, pilot):
        app.research = port
        keys = ["7", "right_curly_bracket", "tab", "f", "enter"]
        assert len(keys) <= 6
        for key in keys:
            await pilot.press(key)
            await turn(app, pilot, 6)
        assert port.asked[-1].trade == "2"
        assert "the trade" in words(app)
        # Escape goes back to the trades, and its days stay chosen.
        await pilot.press("escape")
        await turn(app, pilot, 5)
        assert "2 of the last day before today" in words(app)
        await pilot.press("f")
        await turn(app, pilot)
        assert "1 of today" in words(app)


async def test_a_map_turns_by_keys_and_a_cell_lists_its_trials():
    port = FakeResearch()
    async with running(FakeDesk("PAPER")) as (app, pilot):
        await begin(app, pilot, port)
        await pilot.press("G")
        await turn(app, pilot, 5)
        assert "sharpe  fast 5  slow 20  1.000" in words(app)
        await pilot.press("tab", "l", "j")
        await turn(app, pilot)
        assert "fast 7  slow 40  -4.000" in words(app)
        # What is drawn goes into a file as figures.
        await pilot.press("e")
        await turn(app, pilot)
        name, rows = app.face.exported
        assert (name, rows[0]) == ("picture", ["slow \\ fast", "5", "7"])
        assert rows[1:] == [["20", "1.0", "2.0"], ["40", "3.0", "-4.0"]]
        await pilot.press("i")
        await turn(app, pilot, 5)
        assert (port.asked[-1].metric, port.asked[-1].across) == ("net", "")
        await pilot.press("right_square_bracket")
        await turn(app, pilot, 5)
        # The next one for the columns is that of the rows: the two change places.
        assert (port.asked[-1].across, port.asked[-1].down) == ("slow", "fast")
        await pilot.press("right_square_bracket")
        await turn(app, pilot, 5)
        assert (port.asked[-1].across, port.asked[-1].down) == ("symbol", "fast")
        await pilot.press("left_square_bracket")
        await turn(app, pilot, 5)
        assert (port.asked[-1].across, port.asked[-1].down) == ("symbol", "slow")
        await pilot.press("right_square_bracket")
        await turn(app, pilot, 5)
        await pilot.press("l", "enter")
        await turn(app, pilot, 6)
        assert "[trials]" in words(app)
        assert app.screen.panes["result"].table.wanted == "fast=7 slow=20"
        assert [row.key for row in app.screen.panes["result"].table.rows] == ["7"]


async def test_two_backtests_are_compared_by_a_mark():
    port = FakeResearch()
    async with running(FakeDesk("PAPER")) as (app, pilot):
        await begin(app, pilot, port)
        await pilot.press("j", "j", "v")
        await turn(app, pilot, 5)
        assert "◆backtest" in words(app)
        await pilot.press("j", "v")
        await turn(app, pilot, 6)
        asked = port.asked[-1]
        assert (asked.key, asked.tab, asked.other) == (
            "backtest 20260713-01",
            "compare",
            "backtest 20260714-01",
        )
        await pilot.press("k", "v")
        await turn(app, pilot, 5)
        assert "◆" not in words(app)


async def test_what_runs_is_stopped_and_what_does_not_is_removed_after_a_question():
    port = FakeResearch()
    async with running(FakeDesk("PAPER")) as (app, pilot):
        await begin(app, pilot, port)
        await pilot.press("x")
        await pilot.pause()
        # The desk itself is nothing that could be removed.
        assert isinstance(app.screen, ResearchScreen)
        await pilot.press("j", "x")
        await pilot.pause()
        assert "Let it run" in words(app)
        await pilot.press("enter")
        await turn(app, pilot)
        assert not port.acts
        await pilot.press("x", "tab", "enter")
        await turn(app, pilot)
        await pilot.press("j", "x", "tab", "enter")
        await turn(app, pilot)
        assert port.acts == [("stop", "job 7", "7"), ("remove", "backtest 20260714-01", "")]
        await pilot.press("m", *"good", "enter")
        await turn(app, pilot)
        await pilot.press("w", "b")
        await turn(app, pilot)
        assert port.acts[2:] == [
            ("note", "backtest 20260714-01", "good"),
            ("report", "backtest 20260714-01", ""),
            ("check", "backtest 20260714-01", ""),
        ]
        await pilot.press("y")
        assert app.clipboard == "20260714-01"


async def test_a_sweep_of_a_shell_is_not_stopped_from_here():
    running_sweep = ROWS[4]._replace(share=0.5, state="118/236, running")
    port = FakeResearch([ROWS[0], running_sweep])
    async with running(FakeDesk("PAPER")) as (app, pilot):
        await begin(app, pilot, port)
        await pilot.press("G", "x")
        await turn(app, pilot)
        assert "ctrl-c there stops it" in words(app)
        assert not port.acts


async def form_open(app, pilot, key):
    await pilot.press(key)
    for _ in range(50):
        await turn(app, pilot, 1)
        if isinstance(app.screen, ResearchForm):
            return app.screen
    raise AssertionError("there is no form")


async def test_a_form_is_checked_before_it_starts_and_stays_open_where_it_is_wrong():
    port = FakeResearch()
    async with running(FakeDesk("PAPER"), size=(80, 24)) as (app, pilot):
        await begin(app, pilot, port)
        await pilot.press("j", "j")
        await turn(app, pilot, 5)
        form = await form_open(app, pilot, "s")
        await turn(app, pilot)
        # What was given last stands there, and the strategy of the row.
        assert form.texts | {"strategy": "moving_average_cross"} == form.texts
        assert (form.texts["symbols"], form.texts["from"]) == ("SBIN", "2026-01-01")
        form.query_one("#symbols", Input).value = "ITCX"
        await pilot.press("enter")
        await turn(app, pilot, 5)
        assert "no bars of ITCX" in words(app)
        assert not port.started
        form.query_one("#symbols", Input).value = "ITC"
        await pilot.press("enter")
        await turn(app, pilot, 5)
        assert isinstance(app.screen, ResearchScreen)
        [started] = port.started
        assert (started.kind, started.tied) == ("backtest", False)
        assert started.fields == {
            "strategy": "moving_average_cross",
            "symbols": "ITC",
            "from": "2026-01-01",
        }
        assert "begun: cross on 1 symbol" in words(app)


async def test_what_is_left_while_it_is_checked_does_not_start():
    port = FakeResearch()
    gate = asyncio.Event()

    async def check(request):
        await gate.wait()
        return "late"

    port.check = check
    async with running(FakeDesk("PAPER")) as (app, pilot):
        await begin(app, pilot, port)
        await form_open(app, pilot, "a")
        assert not port.closed
        await pilot.press("enter")
        await turn(app, pilot, 2)
        assert "checking ..." in words(app)
        await pilot.press("escape")
        gate.set()
        await turn(app, pilot, 5)
        assert isinstance(app.screen, ResearchScreen)
        assert not port.started
    # With the app its process ends, in order.
    assert port.closed


async def test_what_is_typed_before_the_choices_are_read_stays():
    port = FakeResearch()
    gate, offer = asyncio.Event(), port.offer

    async def late(kind):
        await gate.wait()
        return await offer(kind)

    port.offer = late
    async with running(FakeDesk("PAPER")) as (app, pilot):
        await begin(app, pilot, port)
        form = await form_open(app, pilot, "a")
        await pilot.press(*"mom")
        gate.set()
        await turn(app, pilot, 4)
        assert (form.texts["strategy"], form.texts["symbols"]) == ("mom", "")
        assert form.offer.symbols == ["INFY", "ITC", "SBIN"]
        await pilot.press("escape")


def test_fields_are_completed_by_what_there_is():
    offer = FormOffer(
        ["momentum_ladder", "moving_average_cross"],
        {"moving_average_cross": ["fast", "slow"]},
        ["INFY", "ITC"],
    )
    cross = "moving_average_cross"
    found = [
        completed_field("strategy", "mov", "", offer),
        completed_field("symbols", "SBIN,it", "", offer),
        completed_field("settings", "fast=5 sl", cross, offer),
        completed_field("axes", "fast=5:25:5", cross, offer),
        completed_field("axes", "f", "another", offer),
        completed_field("sampler", "t", "", offer),
        completed_field("from", "2026", "", offer),
        completed_field("strategy", "", "", offer),
    ]
    assert found == [cross, "SBIN,ITC", "fast=5 slow=", None, None, "tpe", None, None]


async def test_without_a_result_it_says_which_key_makes_the_first():
    port = FakeResearch([ROWS[0]])
    async with running(FakeDesk("PAPER"), size=(80, 24)) as (app, pilot):
        await begin(app, pilot, port)
        assert "0 kept  s begins a backtest, a a sweep; or :backtest NAME" in words(app)


async def test_what_cannot_be_read_is_a_row_that_says_why():
    port = FakeResearch()
    port.fault = "results.db is no database"
    async with running(FakeDesk("PAPER")) as (app, pilot):
        await begin(app, pilot, port)
        assert "results.db is no database" in words(app)


async def test_two_thousand_results_are_one_list_of_which_the_seen_lines_are_painted():
    rows = [ROWS[2]._replace(key=f"backtest {k}", net=float(k)) for k in range(2_000)]
    port = FakeResearch([ROWS[0], *rows])
    async with running(FakeDesk("PAPER")) as (app, pilot):
        await begin(app, pilot, port)
        table = app.screen.panes["results"].table
        assert len(table.rows) == 2_001
        assert len(table._lines) < 100
        await pilot.press("G")
        await turn(app, pilot, 5)
        assert port.asked[-1].key == "backtest 1999"


def test_what_is_drawn_can_be_exported():
    view = ResultPictureView()
    view.show_content(
        ResultCurves("t", [TODAY, TODAY + DAY], [CurveLine("net", "", [1.0, 2.0])], [0.0, 0.0])
    )
    assert view.figures() == (
        ["time", "net", "drawdown %"],
        [["2026-07-14", "1.00", "0.00"], ["2026-07-15", "2.00", "0.00"]],
    )
    view.show_content(ResultMap("t", "net", "a", ["1"], "b", ["2"], [[None]]))
    assert view.figures() == (["b \\ a", "1"], [["2", ""]])
