"""Each pane as a pure function of a board: text in, text out."""

import os
from pathlib import Path

import pytest

from engine.board_rows import (
    Board,
    DifferenceRow,
    EventRow,
    LadderRow,
    OrderRow,
    PositionRow,
    QueueRow,
    RiskRow,
    WatchRow,
)
from tests.tui.fake import FakeDesk
from tui.app.panes.differences_pane import DifferencesPaneView
from tui.app.panes.events_pane import EventsPaneView
from tui.app.panes.ladders_pane import LaddersPaneView
from tui.app.panes.orders_pane import OrdersPaneView
from tui.app.panes.positions_pane import PositionsPaneView
from tui.app.panes.queue_pane import QueuePaneView
from tui.app.panes.risk_pane import RiskPaneView
from tui.app.panes.watchlist_pane import WatchlistPaneView
from tui.app.widgets.pane_view import fit_columns, fit_text, view_text, widths_of

SECOND = 1_000_000_000
NOON = 1_784_010_600 * SECOND
"""Tue 14 July 2026, 12:00:00 IST."""

GOLDENS = Path(__file__).parent / "goldens"


@pytest.fixture
def board():
    board = Board("SANDBOX")
    board.header = board.header._replace(now=NOON)
    return board


def cells(view, row, now=NOON):
    return view.cells(row, now, widths_of(fit_columns(view.columns, 400), view.columns))


def test_the_watchlist_shows_price_change_shape_quotes_volume_and_age(board):
    spark = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
    board.watch.put(
        1, WatchRow(1, "INFY", 1624.55, -0.28, 1624.5, 1624.6, 1_234_567, NOON, False, spark * 2)
    )
    board.watch.put(
        2, WatchRow(2, "SBIN", 812.4, 1.5, 812.35, 812.45, 900, NOON - 75 * SECOND, True, spark)
    )
    assert view_text(WatchlistPaneView(), board, 74) == [
        "WATCHLIST 2 1 stale",
        " symbol            LTP   change                bid       ask   volume age",
        " INFY         1,624.55  ▼ 0.28% ⣀⠤⠒⠉⣆⠤⠒⠉  1,624.50  1,624.60  12.35 L  0s",
        " SBIN           812.40  ▲ 1.50% ⣀⠤⠒⠉        812.35    812.45      900  1m",
    ]


def test_a_stale_instrument_is_dim_and_its_age_is_not(board):
    row = WatchRow(2, "SBIN", 812.4, 1.5, 812.35, 812.45, 900, NOON - 75 * SECOND, True, ())
    tones = [cell.tone for cell in cells(WatchlistPaneView(), row)]
    assert set(tones[:-1]) == {"faint"}
    assert tones[-1] == "notice"


def test_a_watchlist_line_is_made_anew_when_its_age_turns(board):
    row = WatchRow(2, "SBIN", 812.4, 1.5, 812.35, 812.45, 900, NOON, False, ())
    view = WatchlistPaneView()
    assert view.stamp(row, NOON + 999_999_999) == view.stamp(row, NOON)
    assert view.stamp(row, NOON + SECOND) != view.stamp(row, NOON)


def test_positions_show_every_rung_with_its_cover(board):
    for row in (
        PositionRow(
            "1",
            "INFY",
            "ladder",
            "P1",
            75,
            1600.0,
            1624.55,
            184_125,
            1.53,
            1577.2,
            1650.0,
            75,
            NOON,
        ),
        PositionRow(
            "2", "INFY", "ladder", "P2", -50, 1600.0, 1624.55, -122_750, -1.53, 0.0, 0.0, 20, NOON
        ),
        PositionRow("3", "SBIN", "ladder", "-", 10, 800.0, 800.0, 0, 0.0, 790.0, 0.0, 0, NOON),
    ):
        board.positions.put(row.key, row)
    assert view_text(PositionsPaneView(), board, 85) == [
        "POSITIONS 3 ▲ 613.75 2 NAKED",
        " symbol           qty   average       LTP       P&L ₹        %      stop    target",
        " INFY       P1     75  1,600.00  1,624.55  ▲ 1,841.25  ▲ 1.53%  1,577.20  1,650.00 ●",
        " INFY       P2    -50  1,600.00  1,624.55 ▼ -1,227.50  ▼ 1.53%      none         - ◐",
        " SBIN       -      10    800.00    800.00        0.00    0.00%    790.00         - ○",
    ]


def test_a_narrow_terminal_drops_the_target_before_the_last_price(board):
    row = PositionRow(
        "1", "INFY", "ladder", "P1", 75, 1600.0, 1624.55, 184_125, 1.53, 1577.2, 1650.0, 75, NOON
    )
    board.positions.put("1", row)
    heads = {
        width: view_text(PositionsPaneView(), board, width)[1].split() for width in (87, 76, 66)
    }
    assert "target" in heads[87]
    assert "target" not in heads[76]
    assert "LTP" in heads[76]
    assert "LTP" not in heads[66]
    assert {"average", "stop"} < set(heads[66])


def test_a_ladder_shows_its_rungs_and_the_way_to_its_stop(board):
    for row in (
        LadderRow("1", "INFY", "ladder", ("armed", "entering", "-"), 1600.0, 2.5, 1640.0, 1, 3),
        LadderRow(
            "2", "SBIN", "ladder", ("triggered", "closed", "closed"), 800.0, 0.2, 820.0, 0, 1
        ),
        LadderRow("3", "ITC", "ladder", ("closed", "closed", "closed"), 0.0, 0.0, 0.0, 0, 0),
    ):
        board.ladders.put(row.key, row)
    assert view_text(LaddersPaneView(), board, 43) == [
        "LADDERS 3 1 triggered",
        " symbol     P123 to stop              stop",
        " INFY       ●◔·  ━━━━┈┈┈┈  2.50%  1,600.00",
        " SBIN       ▲✓✓  ╸┈┈┈┈┈┈┈  0.20%    800.00",
        " ITC        ✓✓✓",
    ]


def test_a_near_stop_is_red_and_a_ladder_without_one_is_not(board):
    near = LadderRow("1", "INFY", "ladder", ("armed",), 1600.0, 0.49, 1640.0, 1, 3)
    bare = LadderRow("2", "INFY", "ladder", ("entering",), 0.0, 0.0, 0.0, 0, 0)
    assert cells(LaddersPaneView(), near)[3] == ("0.49%", "danger", 0.0, True)
    assert cells(LaddersPaneView(), bare)[3].text == ""
    assert LaddersPaneView().attention(near)
    assert not LaddersPaneView().attention(bare)


def test_limits_show_their_use_in_figures_and_as_a_bar(board):
    for row in (
        RiskRow("Daily loss", "12500.40", "25000", 0.5, False),
        RiskRow("Orders today", "4800", "4800", 1.0, True),
        RiskRow("Unknown", "0", "", -1.0, False),
    ):
        board.risk.put(row.name, row)
    assert view_text(RiskPaneView(), board, 42) == [
        "RISK Orders today 4,800",
        " limit                used             of",
        " Orders today        4,800 ━━━━━    4,800",
        " Daily loss         12,500 ━━╸┈┈   25,000",
        " Unknown                 0",
    ]


@pytest.mark.parametrize(("used", "tone"), [(0.74, "title"), (0.75, "notice"), (0.9, "danger")])
def test_a_limit_turns_amber_at_three_quarters_and_red_at_nine_tenths(used, tone):
    assert cells(RiskPaneView(), RiskRow("x", "1", "2", used, False))[2].tone == tone


def order(key, status, strategy="ladder", reason=""):
    return OrderRow(
        key,
        NOON,
        "INFY",
        "BUY",
        75,
        25,
        1600.0,
        0.0,
        "LIMIT",
        "ENTRY",
        status,
        strategy,
        "1",
        reason,
    )


def test_orders_show_what_is_filled_and_where_they_stand(board):
    board.orders.put("1", order("1", "TRIGGER PENDING"))
    board.orders.put("2", order("2", "REJECTED", reason="RISK: exposure"))
    board.orders.put("x3", order("x3", "OPEN", "external")._replace(side="SELL", price=0.0))
    assert view_text(OrdersPaneView(), board, 59) == [
        "ORDERS 3 2 working 1 refused",
        "  no time     symbol     side   filled     price status",
        "   1 12:00:00 INFY       BUY     25/75  1,600.00 trigger …",
        "   2 12:00:00 INFY       BUY     25/75  1,600.00 rejected",
        "   - 12:00:00 INFY       SELL    25/75    market open",
    ]
    assert view_text(OrdersPaneView(), board, 50)[1].split() == [
        "no",
        "symbol",
        "side",
        "filled",
        "price",
        "status",
    ]


def test_an_order_nobody_knows_of_asks_for_an_eye():
    assert [
        OrdersPaneView().attention(order("1", s))
        for s in ("UNKNOWN", "LOST", "REJECTED", "OPEN", "COMPLETE")
    ] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_the_log_shows_time_level_and_text(board):
    board.events.append(EventRow(1, NOON, "fill", "SELL 40 [ITC]"))
    board.events.append(EventRow(2, NOON + SECOND, "alarm", "naked\x1b[31m"))
    assert view_text(EventsPaneView(), board, 30) == [
        "EVENTS",
        " time       event",
        " 12:00:00 ◆ SELL 40 [ITC]",
        " 12:00:01 ■ naked [31m",
    ]


def test_a_number_that_does_not_fit_loses_commas_then_decimals_and_is_never_cut():
    assert fit_text("1,31,245.00", 9, right=True) == "131245.00"
    assert fit_text("1,31,245.00", 8, right=True) == "  131245"
    assert fit_text("▲ 1,12,345.60", 11, right=True) == "▲ 112345.60"
    assert fit_text("▲ 1,12,345.60", 10, right=True) == "▲112345.60"
    assert fit_text("1,31,245.00", 5, right=True) == "#####"
    assert fit_text("1,412.35", 10, right=True) == "  1,412.35"


OPTIONS = (
    "NIFTY26NOV24500CE",
    "NIFTY26NOV24500PE",
    "NIFTY26DEC24500CE",
    "BANKNIFTY26NOV52000CE",
    "MIDCPNIFTY26NOV12500PE",
)


@pytest.mark.parametrize("width", [38, 58, 78, 118, 198])
def test_no_row_about_money_leaves_open_which_option_it_is(width):
    board = Board("LIVE")
    for i, name in enumerate(OPTIONS):
        board.watch.put(i, WatchRow(i, name, 130.0, 1.0, 129.9, 130.1, 900, NOON, False, ()))
        board.positions.put(
            i, PositionRow(str(i), name, "s", "-", 75, 130.0, 131.0, 100, 1.0, 120.0, 0.0, 75, NOON)
        )
        board.ladders.put(i, LadderRow(str(i), name, "s", ("armed",), 120.0, 2.5, 131.0, 1, 0))
        board.orders.put(i, order(str(i), "OPEN")._replace(symbol=name))
        board.queue.put(i, QueueRow(i, "exit", "PlaceOrder", name, NOON, NOON))
        row = DifferenceRow(
            f"{name}:NRML", "unmanaged", name, "75 at 130.00", "none", NOON, ("ignore",)
        )
        board.differences.put(i, row)
    for view in (
        WatchlistPaneView(),
        PositionsPaneView(),
        LaddersPaneView(),
        OrdersPaneView(),
        QueuePaneView(),
        DifferencesPaneView(),
    ):
        lines = view_text(view, board, width)[2:]
        for name, line in zip(OPTIONS, lines, strict=True):
            assert name in line, (view.name, line)


def test_a_name_in_a_pane_narrower_than_itself_keeps_its_end():
    assert fit_text("NIFTY26NOV24500CE", 12, right=False, names=True) == "NIFT…24500CE"
    assert fit_text("NIFTY26NOV24500PE", 12, right=False, names=True) == "NIFT…24500PE"
    assert fit_text("INFY", 12, right=False, names=True) == "INFY        "


def test_a_text_that_does_not_fit_ends_in_an_ellipsis():
    assert fit_text("NIFTY26JULFUT", 10, right=False) == "NIFTY26JU…"
    assert fit_text("日本株式", 5, right=False) == "日本…"
    assert fit_text("abc", 0, right=False) == ""


@pytest.mark.parametrize(
    "view",
    [
        WatchlistPaneView(),
        PositionsPaneView(),
        LaddersPaneView(),
        RiskPaneView(),
        OrdersPaneView(),
        EventsPaneView(),
    ],
    ids=lambda v: v.name,
)
def test_columns_never_exceed_the_width_they_are_given(view):
    for width in range(20, 240):
        slots = fit_columns(view.columns, width)
        assert sum(slot.gap + slot.width for slot in slots) + 1 <= width or len(slots) == 1


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_panes_of_the_fake_board_look_as_they_did(width):
    face = FakeDesk()
    for _ in range(5):
        face.step()
    views = (
        WatchlistPaneView(),
        PositionsPaneView(),
        LaddersPaneView(),
        RiskPaneView(),
        OrdersPaneView(),
        EventsPaneView(),
    )
    text = "\n\n".join("\n".join(view_text(view, face.board, width)) for view in views) + "\n"
    file = GOLDENS / f"panes-{width}.txt"
    if os.environ.get("PATANG_UPDATE"):
        GOLDENS.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()
