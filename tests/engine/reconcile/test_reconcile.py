"""The broker's books against ours.

What counts as a difference, when it counts, and when it is gone.
"""

from typing import get_args

import pytest

from compiled.model.events import BrokerTrade, GttUpdate, OrderUpdate, PlaceGtt, RequestOutcome
from compiled.model.values import SECOND, GttLeg, GttStatus, OrderStatus, Product, Side
from engine.books.book_difference import DifferenceChoice, DifferenceKind
from engine.errors import OperatorError, RetryableError
from engine.operator_requests import DecisionChoice
from engine.ports import BrokerHolding, BrokerPosition
from engine.reconcile.reconciler import AGAIN, SOON
from tests.compiled.trading.books import BOUND, CASH, Desk
from tests.compiled.trading.scripted import BEL, CANBK, STRANGER, no_charges, only


@pytest.fixture
def desk():
    return Desk()


def test_an_operator_may_choose_whatever_a_difference_offers():
    assert get_args(DecisionChoice) == tuple(map(str, DifferenceChoice))


# agreement


def test_books_that_agree_leave_the_desk_clean(desk):
    desk.hold()
    assert desk.look(3) == []
    assert desk.reconciler.open_differences == ()


def test_a_position_carried_over_night_is_found_in_the_holdings(desk):
    desk.hold()
    desk.books.at |= {"positions": [], "holdings": [BrokerHolding(CANBK, "CANBK", 100, 100.0)]}
    assert desk.look(2) == []


def test_shares_sold_from_a_holding_count_once(desk):
    desk.hold()
    desk.books.at |= {
        "positions": [BrokerPosition(CANBK, "CANBK", "CNC", -30, 101.0)],
        "holdings": [BrokerHolding(CANBK, "CANBK", 130, 100.0)],
    }
    assert desk.look(2) == []


# the same share by another name

ELSEWHERE = 128_004
"""CANBK's token at BSE."""
ISIN = "INE476A01022"


def held_elsewhere(quantity, symbol="CANBK", isin=ISIN, exchange="BSE", token=ELSEWHERE):
    return BrokerHolding(token, symbol, quantity, 100.0, "CNC", exchange, isin)


def test_a_holding_listed_under_the_other_exchange_is_no_difference(desk):
    desk.hold()
    desk.books.at |= {"positions": [], "holdings": [held_elsewhere(100)]}
    assert desk.look(3) == []
    assert desk.reconciler.open_differences == ()
    assert len(desk.books.at["gtts"]) == 1
    assert desk.scene.kernel.view.naked() == 0


def test_a_holding_under_another_symbol_is_known_by_its_isin_over_a_restart(desk):
    desk.hold()
    desk.books.at |= {
        "positions": [],
        "holdings": [BrokerHolding(CANBK, "CANBK", 100, 100.0, isin=ISIN)],
    }
    assert desk.look(2) == []
    again = Desk(desk.journal)
    again.hold()
    again.books.at |= {"positions": [], "holdings": [held_elsewhere(100, "CANARABANK")]}
    assert again.look(2) == []


@pytest.mark.parametrize("rows", [(60, 40), (0, 100)])
def test_settled_and_unsettled_shares_under_two_exchanges_are_one_holding(desk, rows):
    desk.hold()
    here, there = rows
    at = BrokerHolding(CANBK, "CANBK", here, 100.0, isin=ISIN)
    desk.books.at |= {"positions": [], "holdings": [at, held_elsewhere(there)]}
    assert desk.look(2) == []


@pytest.mark.parametrize("exchange", ["NSE", "BSE"])
def test_what_is_sold_of_it_at_either_exchange_is_missing_once(desk, exchange):
    desk.hold()
    sold = BrokerPosition(
        {"NSE": CANBK, "BSE": ELSEWHERE}[exchange], "CANBK", "CNC", -30, 101.0, exchange
    )
    desk.books.at |= {"positions": [sold], "holdings": [held_elsewhere(100)]}
    assert desk.look(2) == [("CANBK:CNC", DifferenceKind.QUANTITY, -30)]


def test_what_is_bought_today_at_the_other_exchange_is_not_there_to_be_sold_at_ours(desk):
    desk.hold()
    desk.books.at["positions"].append(BrokerPosition(ELSEWHERE, "CANBK", "CNC", 5, 100.0, "BSE"))
    assert desk.look(2) == [(f"CANBK@{ELSEWHERE}:CNC", DifferenceKind.UNMANAGED, 5)]
    assert desk.only().choices == (DifferenceChoice.IGNORE,)


def test_a_strangers_gtt_at_the_other_exchange_would_sell_the_same_shares(desk):
    desk.hold()
    leg = GttLeg(90.0, 89.0, Side.SELL, 100)
    other = GttUpdate(desk.scene.now, 8, ELSEWHERE, GttStatus.ACTIVE, [leg], [], "", "BSE", "CANBK")
    desk.books.at["gtts"].append(other)
    assert desk.look(2) == [("gtt:8", DifferenceKind.GTT, 100)]
    assert (desk.only().symbol, desk.only().theirs) == ("CANBK", "SELL 100 at 90.00 on BSE")


def test_what_may_stand_under_a_name_nobody_knows_is_never_written_off(desk):
    desk.hold()
    desk.books.at |= {"positions": [], "holdings": [held_elsewhere(100, "RENAMED")]}
    found = {key: kind for key, kind, _ in desk.look(2)}
    assert found == {
        "CANBK:CNC": DifferenceKind.MISSING,
        f"RENAMED@{ELSEWHERE}:CNC": DifferenceKind.UNMANAGED,
    }
    assert [each.difference.choices for each in desk.reconciler.standing.values()] == [
        (DifferenceChoice.IGNORE,)
    ] * 2


def test_shares_bought_on_margin_are_a_holding_of_their_own(desk):
    desk.books.at["holdings"] = [
        BrokerHolding(BEL, "BEL", 12, 250.0),
        BrokerHolding(BEL, "BEL", 4, 260.0, "MTF"),
    ]
    assert desk.look(2) == [
        ("BEL:CNC", DifferenceKind.UNMANAGED, 12),
        ("BEL:MTF", DifferenceKind.UNMANAGED, 4),
    ]
    assert [each.difference.choices for each in desk.reconciler.standing.values()] == [
        tuple(DifferenceChoice)
    ] * 2


# positions


def test_shares_that_only_the_broker_holds_are_unmanaged(desk):
    desk.books.at["holdings"] = [BrokerHolding(BEL, "BEL", 12, 250.0)]
    assert desk.look(2) == [("BEL:CNC", DifferenceKind.UNMANAGED, 12)]
    found = desk.only()
    assert (found.theirs, found.ours, found.average) == ("12 at 250.00", "none", 250.0)
    assert found.choices == (
        DifferenceChoice.ADOPT,
        DifferenceChoice.ASSIGN,
        DifferenceChoice.IGNORE,
        DifferenceChoice.FLATTEN,
    )


def test_shares_that_only_we_hold_are_missing(desk):
    desk.hold()
    desk.books.at["positions"] = [BrokerPosition(CANBK, "CANBK", "CNC", 0, 0.0)]
    assert desk.look(2) == [("CANBK:CNC", DifferenceKind.MISSING, -100)]
    assert desk.only().choices == (DifferenceChoice.ADOPT, DifferenceChoice.IGNORE)


def test_a_gtt_that_has_fired_and_is_not_taken_in_yet_says_nothing_about_the_position(desk):
    desk.hold(100)
    gtt = desk.scene.rung.gtt
    desk.books.at["positions"] = []
    desk.books.at["gtts"] = [
        GttUpdate(desk.scene.now, 7, CANBK, GttStatus.TRIGGERED, list(gtt.legs), ["B2"])
    ]
    assert [kind for _, kind, _ in desk.look(3)] == []
    assert desk.soon == SOON, "it is looked again as soon as it can be told"
    desk.books.at["gtts"] = [
        GttUpdate(desk.scene.now, 7, CANBK, GttStatus.ACTIVE, list(gtt.legs), [])
    ]
    assert [kind for _, kind, _ in desk.look(2)] == ["missing"]


def test_a_share_under_two_tokens_hides_neither_row(desk):
    desk.hold()
    desk.scene.kernel.state.markets[BEL].instrument.symbol = "CANBK"
    desk.books.at["positions"] = []
    desk.books.at["holdings"] = [BrokerHolding(BEL, "CANBK", 100, 100.0)]
    desk.look(2)
    found = {
        (each.difference.token, each.difference.figure): key
        for key, each in desk.reconciler.standing.items()
    }
    assert sorted(found) == sorted([(CANBK, -100), (BEL, 100)])
    assert len(set(found.values())) == 2


@pytest.mark.parametrize(
    ("theirs", "figure", "choices"),
    [
        (140, 40, tuple(DifferenceChoice)),
        (60, -40, (DifferenceChoice.ADOPT, DifferenceChoice.IGNORE)),
        (-5, -105, (DifferenceChoice.ADOPT, DifferenceChoice.IGNORE)),
    ],
)
def test_another_quantity_is_a_difference_of_what_is_missing_or_too_many(
    desk, theirs, figure, choices
):
    desk.hold()
    desk.books.at["positions"] = [BrokerPosition(CANBK, "CANBK", "CNC", theirs, 100.0)]
    assert desk.look(2) == [("CANBK:CNC", DifferenceKind.QUANTITY, figure)]
    assert desk.only().choices == choices


def test_the_same_shares_under_another_product_are_two_differences(desk):
    desk.hold()
    desk.books.at["positions"] = [BrokerPosition(CANBK, "CANBK", "MIS", 100, 100.0)]
    assert desk.look(2) == [
        ("CANBK:CNC", DifferenceKind.MISSING, -100),
        ("CANBK:MIS", DifferenceKind.UNMANAGED, 100),
    ]


def test_what_the_desk_does_not_watch_can_only_be_ignored(desk):
    desk.books.at["positions"] = [BrokerPosition(STRANGER, "OLDCO", "CNC", 5, 10.0)]
    assert desk.look(2) == [(f"OLDCO@{STRANGER}:CNC", DifferenceKind.UNMANAGED, 5)]
    assert desk.only().choices == (DifferenceChoice.IGNORE,)


@pytest.mark.parametrize("product", ["CNC", "MTF"])
def test_a_short_position_can_be_bought_back_or_ignored(desk, product):
    desk.books.at["positions"] = [BrokerPosition(BEL, "BEL", product, -5, 10.0)]
    assert desk.look(2) == [(f"BEL:{product}", DifferenceKind.UNMANAGED, -5)]
    assert desk.only().choices == (DifferenceChoice.IGNORE, DifferenceChoice.FLATTEN)


def test_the_average_of_holdings_and_purchases_is_that_of_all_shares(desk):
    desk.books.at |= {
        "positions": [BrokerPosition(BEL, "BEL", "CNC", 10, 130.0)],
        "holdings": [BrokerHolding(BEL, "BEL", 30, 90.0)],
    }
    desk.look(2)
    assert (desk.only().figure, desk.only().average) == (40, 100.0)


def test_what_is_left_of_a_holding_keeps_its_average(desk):
    desk.books.at |= {
        "positions": [BrokerPosition(BEL, "BEL", "CNC", -10, 130.0)],
        "holdings": [BrokerHolding(BEL, "BEL", 30, 90.0)],
    }
    desk.look(2)
    assert (desk.only().figure, desk.only().average) == (20, 90.0)


# orders and trades


def test_a_working_order_with_our_tag_that_nobody_here_sent_is_a_difference(desk):
    desk.books.at["orders"] = [
        OrderUpdate(desk.scene.now, "X9", "T77", BEL, Side.BUY, OrderStatus.OPEN, 10, 0)
    ]
    assert desk.look(2) == [("order:X9", DifferenceKind.ORDER, 10)]
    assert desk.only().choices == (DifferenceChoice.IGNORE, DifferenceChoice.FLATTEN)


@pytest.mark.parametrize("tag", ["", "mine"])
def test_an_order_of_somebody_else_is_no_difference(desk, tag):
    desk.books.at["orders"] = [
        OrderUpdate(desk.scene.now, "X9", tag, BEL, Side.BUY, OrderStatus.OPEN, 10, 0)
    ]
    assert desk.look(2) == []


def test_a_second_order_under_the_same_tag_is_a_difference(desk):
    desk.hold()
    desk.books.at["orders"].append(
        OrderUpdate(desk.scene.now, "B2", "T1", CANBK, Side.BUY, OrderStatus.OPEN, 100, 0)
    )
    assert desk.look(2) == [("order:B2", DifferenceKind.ORDER, 100)]


def test_an_order_of_ours_that_the_broker_does_not_list_is_a_difference(desk):
    desk.scene.accept(desk.scene.enter(10), "B1")
    assert desk.look(18) == [("order:B1", DifferenceKind.ORDER, -10)]
    assert desk.only().choices == (DifferenceChoice.ADOPT, DifferenceChoice.IGNORE)


def test_a_trade_we_have_not_booked_comes_before_the_position_it_made(desk):
    desk.hold()
    at = desk.books.at
    at["trades"].append(BrokerTrade(desk.scene.now, "t2", "B1", CANBK, Side.BUY, 5, 100.0))
    at["positions"] = [BrokerPosition(CANBK, "CANBK", "CNC", 105, 100.0)]
    assert desk.look(2) == [("trade:B1", DifferenceKind.TRADE, 5)]
    assert desk.only().choices == (DifferenceChoice.ADOPT, DifferenceChoice.IGNORE)


def test_a_trade_the_broker_has_taken_back_is_a_difference(desk):
    desk.hold()
    desk.books.at["trades"] = []
    assert desk.look(2) == [("trade:B1", DifferenceKind.TRADE, -100)]
    assert desk.only().choices == (DifferenceChoice.IGNORE,)


# GTTs


def test_a_gtt_of_somebody_else_on_what_we_hold_is_a_difference(desk):
    desk.hold()
    legs = [GttLeg(90.0, 89.5, Side.SELL, 100)]
    desk.books.at["gtts"].append(GttUpdate(desk.scene.now, 55, CANBK, GttStatus.ACTIVE, legs, []))
    assert desk.look(2) == [("gtt:55", DifferenceKind.GTT, 100)]
    assert desk.only().choices == (DifferenceChoice.IGNORE, DifferenceChoice.FLATTEN)


def test_a_gtt_that_stands_on_what_was_sold_today_is_a_difference(desk):
    desk.hold()
    exit_order = desk.scene.leave()
    desk.scene.fill(exit_order, "B2", 101.0)
    at, now = desk.books.at, desk.scene.now
    assert desk.scene.kernel.state.ladders.values() == []
    at["positions"] = [BrokerPosition(CANBK, "CANBK", "CNC", 0, 0.0)]
    at["orders"].append(
        OrderUpdate(now, "B2", exit_order.tag, CANBK, Side.SELL, OrderStatus.COMPLETE, 100, 100)
    )
    at["trades"].append(BrokerTrade(now, "tB2", "B2", CANBK, Side.SELL, 100, 101.0))
    at["gtts"] = [
        GttUpdate(now, 55, CANBK, GttStatus.ACTIVE, [GttLeg(90.0, 89.5, Side.SELL, 100)], [])
    ]
    desk.books.cash = CASH + 100 * 100
    assert desk.look(2) == [("gtt:55", DifferenceKind.GTT, 100)]


@pytest.mark.parametrize(
    ("token", "status"), [(STRANGER, GttStatus.ACTIVE), (CANBK, GttStatus.DELETED)]
)
def test_a_gtt_on_what_is_not_watched_and_one_that_is_over_are_none(desk, token, status):
    desk.hold()
    legs = [GttLeg(90.0, 89.5, Side.SELL, 100)]
    desk.books.at["gtts"].append(GttUpdate(desk.scene.now, 55, token, status, legs, []))
    assert desk.look(2) == []


def test_a_gtt_of_ours_that_is_not_listed_is_a_difference(desk):
    desk.hold()
    desk.books.at["gtts"] = []
    assert desk.look(18) == [("gtt:7", DifferenceKind.GTT, -100)]
    assert desk.only().choices == (DifferenceChoice.ADOPT,)


# funds


@pytest.mark.parametrize(
    ("cash", "figure"), [(-BOUND - 1, -BOUND - 1), (BOUND + 1, BOUND + 1), (BOUND, 0), (-BOUND, 0)]
)
def test_cash_beyond_the_bound_is_a_difference(desk, cash, figure):
    desk.books.cash = CASH + cash
    assert desk.look(2) == ([("funds", DifferenceKind.FUNDS, figure)] if figure else [])


def test_the_loan_that_a_sale_of_financed_shares_pays_back_is_no_difference(desk):
    scene = desk.scene
    scene.kernel.state.rates[8 * CANBK + int(Product.MTF)] = no_charges()
    gtt = only(scene.fill(scene.enter(100, product=Product.MTF)), PlaceGtt).gtt
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7")
    scene.fill(scene.leave(), "S1")
    desk.books.cash = CASH - 7_500_00  # of the 10,000 they were sold for
    assert desk.look(2) == []
    desk.books.cash = CASH - 10_000_00 - BOUND - 1
    assert desk.look(2) == [("funds", DifferenceKind.FUNDS, -BOUND - 1)]


def test_cash_is_not_compared_while_an_order_blocks_some(desk):
    desk.books.cash = 0
    desk.books.at["orders"] = [
        OrderUpdate(desk.scene.now, "X9", "", BEL, Side.BUY, OrderStatus.OPEN, 10, 0)
    ]
    assert desk.look(2) == []


# when it counts


def test_what_is_seen_once_does_not_count_yet(desk):
    desk.books.at["holdings"] = [BrokerHolding(BEL, "BEL", 12, 250.0)]
    assert desk.look() == []
    assert desk.soon == SECOND
    assert len(desk.look()) == 1
    assert desk.soon == 0


def test_figures_that_change_between_two_comparisons_do_not_count_yet(desk):
    for quantity in (12, 13):
        desk.books.at["holdings"] = [BrokerHolding(BEL, "BEL", quantity, 250.0)]
        assert desk.look() == []


def test_what_agrees_again_is_gone_at_once(desk):
    desk.books.at["holdings"] = [BrokerHolding(BEL, "BEL", 12, 250.0)]
    desk.look(2)
    desk.books.at["holdings"] = []
    assert desk.look() == []
    assert desk.board.differences.rows == []


def test_a_difference_keeps_the_time_when_it_was_first_seen(desk):
    desk.books.at["holdings"] = [BrokerHolding(BEL, "BEL", 12, 250.0)]
    first = desk.clock.now() + SECOND
    desk.look(5)
    [row] = desk.board.differences.rows
    assert (row.since, row.kind, row.choices) == (
        first,
        "unmanaged",
        ("adopt", "assign", "ignore", "flatten"),
    )


def test_a_position_that_moves_during_the_comparison_is_left_for_the_next(desk):
    desk.hold()
    order = desk.scene.leave()
    desk.books.during = lambda: desk.scene.account and desk.scene.fill(order, "S1", 100.0)
    assert "CANBK:CNC" not in [key for key, _, _ in desk.look(at_once=True)]
    assert desk.scene.account == 0


def test_a_fill_on_its_way_never_becomes_a_position_difference(desk):
    order = desk.scene.enter(10)
    desk.scene.accept(order, "B1")
    at = desk.books.at
    at["orders"] = [
        OrderUpdate(desk.scene.now, "B1", "T1", CANBK, Side.BUY, OrderStatus.COMPLETE, 10, 10)
    ]
    at["trades"] = [BrokerTrade(desk.scene.now, "t1", "B1", CANBK, Side.BUY, 10, 100.0)]
    at["positions"] = [BrokerPosition(CANBK, "CANBK", "CNC", 10, 100.0)]
    assert desk.look(2) == [("trade:B1", DifferenceKind.TRADE, 10)]
    desk.scene.trade("t1", "B1", 10, 100.0)
    desk.books.cash = CASH - 10 * 10_000
    assert desk.look() == []


# what cannot be read


@pytest.mark.parametrize("name", ["positions", "holdings", "gtts", "orders", "trades"])
@pytest.mark.parametrize("error", [RetryableError("not JSON"), OperatorError("no permission")])
def test_books_that_cannot_be_read_twice_hold_the_desk_and_change_nothing_else(desk, name, error):
    desk.hold()
    desk.books.at["holdings"] = [BrokerHolding(BEL, "BEL", 12, 250.0)]
    stood = desk.look(2)
    desk.books.error = name, error
    assert desk.look() == stood
    assert desk.reconciler.unreadable == ""
    assert desk.look() == stood
    assert "cannot be read" in desk.reconciler.open_differences[0]
    assert len(desk.reconciler.open_differences) == 2
    desk.books.error = None
    desk.books.at["holdings"].append(BrokerHolding(CANBK, "CANBK", 5, 100.0))
    assert desk.look() == stood
    assert desk.reconciler.open_differences[0] == AGAIN, (
        "what is new after the silence is looked at twice, and the desk stays held"
    )
    desk.books.at["holdings"].pop()
    assert desk.look() == stood
    assert len(desk.reconciler.open_differences) == 1


def test_books_that_cannot_be_read_when_the_day_is_over_rest_with_it_and_say_so(desk):
    desk.hold()
    desk.books.error = "positions", RetryableError("gone")
    desk.look(2)
    rows = desk.board.differences.rows
    assert [(row.kind, row.choices, row.ignored) for row in rows] == [("unreadable", (), False)]
    desk.reconciler.rest_until_opening()
    desk.look()
    [row] = desk.board.differences.rows
    assert (row.kind, row.choices, row.ignored) == ("unreadable", (), True)
    assert row.theirs.startswith("the day is over, and nothing waits for this")
    desk.books.error = None
    desk.look()
    assert list(desk.board.differences.rows) == []


def test_while_nothing_reaches_the_broker_that_stands_beside_what_stood_and_goes_with_it(desk):
    desk.books.at["holdings"] = [BrokerHolding(BEL, "BEL", 12, 250.0)]
    stood = desk.look(2)
    desk.reconciler.show_unreached("the broker does not answer (HTTP 502)")
    assert [(row.kind, row.theirs) for row in desk.board.differences.rows][-1] == (
        "unreadable",
        "the broker does not answer (HTTP 502)",
    )
    desk.reconciler.show_unreached("")
    assert [row.key for row in desk.board.differences.rows] == [key for key, *_ in stood] != []
