"""Nothing is sold or protected beyond the shares that the broker's books hold for the desk."""

from types import SimpleNamespace

import pytest

from compiled.model.events import (
    CancelOrder,
    DeleteGtt,
    GttUpdate,
    ModifyGtt,
    ModifyOrder,
    OperatorAct,
    OrderUpdate,
    PlaceGtt,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
    ShareAdoption,
    ShareShortfall,
    WriteOff,
)
from compiled.model.order_terms import OrderTerms, Variety
from compiled.model.values import GttStatus, OrderStatus, Product, Side
from engine.day.day_loop import DayLoop
from engine.errors import RetryableError
from engine.ports import BrokerHolding, BrokerPosition
from tests.compiled.trading.books import Desk
from tests.compiled.trading.scripted import CANBK, Scene, only, some
from tests.compiled.trading.test_order_types import buy


@pytest.fixture
def scene():
    return Scene()


def lack(scene, quantity, product=Product.CNC, side=Side.BUY):
    return scene.tell(ShareShortfall(scene.now, CANBK, product, side, quantity))


def test_the_stop_is_for_what_is_there_and_for_nothing_where_nothing_is(scene):
    gtt = scene.hold(100)
    scene.seconds(2)
    assert [
        leg.quantity for leg in only([*lack(scene, 40), *scene.seconds(2)], ModifyGtt).gtt.pending
    ] == [60]
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7", RequestVerb.MODIFY)
    assert scene.kernel.view.naked() == 0
    assert only(lack(scene, 100), DeleteGtt).gtt is gtt
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7", RequestVerb.CANCEL)
    scene.asked.clear()
    scene.tick(90.0)  # far beyond the stop
    scene.seconds(60)
    assert (
        some(scene.asked, PlaceGtt),
        scene.exits(),
        scene.kernel.view.naked(),
        scene.account,
    ) == (
        [],
        [],
        0,
        100,
    )


def test_what_is_there_again_is_protected_again(scene):
    gtt = scene.hold(100)
    lack(scene, 100)
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7", RequestVerb.CANCEL)
    assert only(lack(scene, 0), PlaceGtt).gtt.legs[0].quantity == 100


def test_of_what_is_there_again_a_part_is_protected(scene):
    gtt = scene.hold(100)
    lack(scene, 100)
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7", RequestVerb.CANCEL)
    assert [leg.quantity for leg in only(lack(scene, 40), PlaceGtt).gtt.legs] == [60]


def test_an_exit_sells_what_is_there(scene):
    scene.hold(100)
    lack(scene, 70)
    assert scene.leave().quantity == 30


def test_an_exit_under_way_for_more_than_is_there_is_taken_back_and_sent_for_less(scene):
    scene.hold(100)
    order = scene.leave()
    scene.accept(order, "S1")
    scene.book("S1", OrderStatus.OPEN, 0, side=Side.SELL, quantity=100)
    assert only(lack(scene, 30), CancelOrder).order is order
    scene.book("S1", OrderStatus.CANCELLED, 0, side=Side.SELL, quantity=100)
    scene.seconds(3)
    assert [each.quantity for each in scene.exits()] == [100, 70]


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_an_intraday_position_that_somebody_has_closed_has_no_stop_and_is_not_squared_off(side):
    scene = Scene()
    stop = scene.hold_intraday(side=side)
    assert only(lack(scene, 100, Product.MIS, side), CancelOrder).order is stop
    scene.book(
        "G1",
        OrderStatus.CANCELLED,
        side=scene.rung.stop_order.side if scene.rung.stop_order else side,
    )
    scene.asked.clear()
    scene.operate(OperatorAct.FLATTEN)
    scene.seconds(30)
    assert some(scene.asked, PlaceOrder) == []


def test_an_intraday_stop_is_made_smaller_with_its_position(scene):
    scene.hold_intraday()
    scene.seconds(2)
    assert (
        only([*lack(scene, 25, Product.MIS), *scene.seconds(2)], ModifyOrder).change.quantity == 75
    )


def test_until_the_books_have_been_compared_nothing_leaves_but_by_flatten(scene):
    scene.hold(100)
    scene.kernel.state.is_blind = True
    found = scene.tell(GttUpdate(scene.now, 7, CANBK, GttStatus.DELETED, [], []))
    assert some([*found, *scene.seconds(10)], PlaceGtt) == []
    assert only(scene.operate(OperatorAct.COMPARED), PlaceGtt).gtt.legs[0].quantity == 100


@pytest.mark.parametrize("second", ["fails", "is another figure"])
def test_what_was_seen_once_is_not_compared(second):
    desk = Desk()
    desk.scene.hold(10)
    desk.scene.kernel.state.is_blind = True
    loop = SimpleNamespace(
        kernel=desk.scene.kernel, reconciler=desk.reconciler, clock=desk.clock, inbox=[]
    )
    desk.look()
    DayLoop.post_lacking(loop)
    if second == "fails":
        desk.books.error = "positions", RetryableError("busy")
    else:
        desk.books.at["positions"] = [BrokerPosition(CANBK, "CANBK", "CNC", 4, 100.0)]
    desk.look()
    DayLoop.post_lacking(loop)
    assert loop.inbox == []
    desk.books.error = None
    desk.look(1)
    DayLoop.post_lacking(loop)
    lacking, compared = loop.inbox
    assert (lacking.quantity, compared.act) == (
        10 if second == "fails" else 6,
        OperatorAct.COMPARED,
    )


def test_shares_that_are_there_again_are_believed_when_the_books_stand_still():
    desk = Desk()
    desk.scene.hold(10)
    lack(desk.scene, 10)
    loop = SimpleNamespace(
        kernel=desk.scene.kernel, reconciler=desk.reconciler, clock=desk.clock, inbox=[]
    )
    # 13 where ours are 10: seen once, it may be on its way to any figure
    desk.books.at["positions"] = [BrokerPosition(CANBK, "CANBK", "CNC", 13, 100.0)]
    desk.look()
    DayLoop.post_lacking(loop)
    assert loop.inbox == []
    desk.look()
    DayLoop.post_lacking(loop)
    assert [(each.token, each.quantity) for each in loop.inbox] == [(CANBK, 0)]


def test_flatten_does_not_wait_for_books_that_cannot_be_read(scene):
    gtt = scene.hold(100)
    scene.kernel.state.is_blind = True
    assert only(scene.operate(OperatorAct.FLATTEN), DeleteGtt).gtt is gtt


def fires(scene, gtt, price=97.5):
    update = GttUpdate(
        scene.now - 10**13,
        gtt.gtt_id,
        CANBK,
        GttStatus.TRIGGERED,
        list(gtt.legs),
        ["Y1"],
        fired=price,
    )
    update.past = True
    return scene.tell(update)


def test_a_stop_that_fired_on_an_earlier_day_counts_as_having_sold_until_the_books_say_otherwise(
    scene,
):
    fires(scene, scene.hold(100))
    scene.tick(90.0)
    scene.seconds(30)
    assert (scene.exits(), len(some(scene.asked, PlaceGtt))) == ([], 1)
    lack(scene, 0)  # it has sold nothing
    assert [order.quantity for order in scene.exits()] == [100]


def test_what_a_stop_has_sold_is_written_off_at_its_price(scene):
    fires(scene, scene.hold(100))
    scene.tick(120.0)
    scene.tell(WriteOff(scene.now, CANBK, Product.CNC, Side.BUY, 100))
    assert (scene.rung.exit_average, scene.rung.exit_reason, scene.account) == (
        97.5,
        "written off",
        0,
    )


# what the books say of ours, beside the owner's


@pytest.mark.parametrize(
    ("product", "ours", "theirs", "owners", "lacks"),
    [
        ("CNC", 4, 14, 10, 0),
        ("CNC", 4, 10, 10, 4),  # ours were sold, the owner's are left
        ("CNC", 10, 10, 10, 10),  # equally many, and none of them ours
        ("CNC", 4, 12, 10, 2),
        ("CNC", 4, 0, 10, 4),
        ("CNC", 4, 3, 0, 1),
        ("CNC", 4, 20, 10, 0),
        ("CNC", 4, 0, -4, 4),  # ignored, and still not there
        ("MIS", 10, 0, 0, 10),
        ("MIS", 10, -2, -12, 0),  # the owner is short of twelve
        ("MIS", 10, -12, -12, 10),
        ("MIS", 10, 4, 0, 6),
    ],
)
def test_of_ours_lacks_what_the_books_do_not_hold_beside_the_owners(
    product, ours, theirs, owners, lacks
):
    desk = Desk()
    if product == "CNC":
        desk.scene.hold(ours)
    else:
        desk.scene.hold_intraday(ours)
    desk.books.at["positions"] = (
        [BrokerPosition(CANBK, "CANBK", product, theirs, 100.0)] if theirs else []
    )
    desk.reconciler._ignored = {f"CANBK:{product}": owners} if owners else {}
    desk.look(2)
    found = desk.reconciler.lacking_shares()
    assert found.get((CANBK, Product[product], Side.BUY), 0) == lacks


def test_equally_many_of_which_none_are_ours_is_a_difference_and_adopt_writes_ours_off():
    desk = Desk()
    desk.books.at["holdings"] = [BrokerHolding(CANBK, "CANBK", 10, 90.0)]
    desk.look(2)
    desk.decide("CANBK:CNC ignore")
    desk.scene.hold(10)
    desk.books.at["positions"] = []
    assert ("CANBK:CNC", "missing", -10) in desk.look(3)
    told, _ = desk.decide("CANBK:CNC adopt")
    assert told == "done: 10 CANBK written off"
    desk.look(2)
    left = desk.reconciler.standing["CANBK:CNC"].difference
    assert (desk.scene.account, left.figure, left.apart) == (0, 0, 10)


def test_what_the_owner_sells_of_his_own_asks_for_nothing_and_what_he_buys_does():
    desk = Desk()
    desk.books.at["holdings"] = [BrokerHolding(CANBK, "CANBK", 10, 90.0)]
    desk.look(2)
    desk.decide("CANBK:CNC ignore")
    desk.books.at["holdings"] = [BrokerHolding(CANBK, "CANBK", 6, 90.0)]
    desk.look(2)
    assert (desk.reconciler.open_differences, desk.reconciler._ignored["CANBK:CNC"]) == ((), 6)
    desk.books.at["holdings"] = [BrokerHolding(CANBK, "CANBK", 9, 90.0)]
    desk.look(2)
    assert [each.difference.figure for each in desk.reconciler.standing.values()] == [3]
    desk.decide("CANBK:CNC adopt")
    assert (desk.scene.account, desk.reconciler._ignored["CANBK:CNC"]) == (3, 6)


def test_what_is_written_off_lacks_no_more_and_the_stop_stays_for_the_rest(scene):
    gtt = scene.hold(100)
    scene.seconds(2)
    lack(scene, 40)
    scene.seconds(2)
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7", RequestVerb.MODIFY)
    scene.seconds(6)
    found = scene.tell(WriteOff(scene.now, CANBK, Product.CNC, Side.BUY, 40))
    assert (some(found, ModifyGtt), scene.rung.present, scene.kernel.view.naked()) == ([], 60, 0)


def covered_beside_intraday():
    """Return a desk of 10 intraday shares and 100 of a cover order, the broker with the 10."""
    desk = Desk()
    desk.scene.tell(
        ShareAdoption(
            desk.scene.now, CANBK, Product.MIS, 10, 100.0, "adopted", 2.0, False, False, 0, None
        )
    )
    desk.scene.fill(buy(desk.scene, product=Product.MIS, terms=OrderTerms(Variety.COVER)), "B2")
    desk.books.at["positions"] = [BrokerPosition(CANBK, "CANBK", "MIS", 10, 100.0)]
    desk.look(3)
    return desk


def test_a_cover_order_that_is_gone_is_written_off_and_not_the_intraday_shares_beside_it():
    desk = covered_beside_intraday()
    desk.decide("CANBK:CO adopt")
    assert [
        sum(rung.quantity for rung in each.rungs)
        for each in desk.scene.kernel.state.ladders.values()
    ] == [10]


@pytest.mark.parametrize(
    ("side", "there"), [(Side.BUY, 0), (Side.BUY, 4), (Side.SELL, 0), (Side.SELL, -4)]
)
def test_intraday_shares_that_are_missing_cannot_be_ignored_for_ours_would_be_sold_beside_them(
    side, there
):
    desk = Desk()
    desk.scene.hold_intraday(10, side=side)
    desk.books.at["positions"] = (
        [BrokerPosition(CANBK, "CANBK", "MIS", there, 100.0)] if there else []
    )
    desk.look(2)
    assert desk.decide("CANBK:MIS ignore")[0].endswith("takes adopt")
    assert desk.decide("all ignore")[0] == "done: 0 ignored"
    assert desk.reconciler.lacking_shares() == {(CANBK, Product.MIS, side): 10 - abs(there)}


def test_an_owner_who_closes_his_own_short_has_brought_nothing_that_could_be_taken_on():
    desk = Desk()
    desk.books.at["positions"] = [BrokerPosition(CANBK, "CANBK", "MIS", -12, 100.0)]
    desk.look(2)
    desk.decide("CANBK:MIS ignore")
    stop = desk.scene.hold_intraday(10)
    waits = OrderStatus.TRIGGER_PENDING
    desk.books.at["orders"] = [
        OrderUpdate(desk.scene.now, "G1", stop.tag, CANBK, Side.SELL, waits, 10, 0)
    ]
    for there in (-2, 10, 15):
        desk.books.at["positions"] = [BrokerPosition(CANBK, "CANBK", "MIS", there, 100.0)]
        desk.look(3)
        assert desk.reconciler.lacking_shares() == {}
    assert desk.decide("CANBK:MIS adopt")[0] == "refused: quantity takes ignore"
    desk.decide("CANBK:MIS ignore")
    assert desk.decide("CANBK:MIS adopt")[0].startswith("done: 5 CANBK to adopted")


@pytest.mark.parametrize("came", [2, 4, 10])
def test_what_the_owner_buys_is_not_what_was_missing(came):
    desk = Desk()
    desk.scene.hold(4)
    desk.look(2)
    desk.decide("CANBK:CNC ignore")
    desk.books.at["holdings"] = [BrokerHolding(CANBK, "CANBK", came, 90.0)]
    lacks = {(CANBK, Product.CNC, Side.BUY): 4}
    desk.look(3)
    assert desk.reconciler.lacking_shares() == lacks
    desk.decide("CANBK:CNC ignore")
    assert desk.reconciler.lacking_shares() == lacks
    assert ("CANBK:CNC", "missing", -4) in desk.look(3)
    assert desk.reconciler.lacking_shares() == lacks
    desk.decide("CANBK:CNC adopt")
    desk.look(2)
    assert (
        desk.scene.account,
        desk.reconciler._ignored["CANBK:CNC"],
        desk.reconciler.lacking_shares(),
    ) == (0, came, {})


@pytest.mark.parametrize("there", [10, 12])
def test_only_a_word_about_this_very_share_says_that_it_was_the_owners_that_went(there):
    desk = Desk()
    desk.books.at["holdings"] = [BrokerHolding(CANBK, "CANBK", 10, 90.0)]
    desk.look(2)
    desk.decide("CANBK:CNC ignore")
    desk.scene.hold(4)
    desk.books.at["holdings"] = [BrokerHolding(CANBK, "CANBK", there, 90.0)]
    desk.look(3)
    lacks = {(CANBK, Product.CNC, Side.BUY): 14 - there}
    assert (desk.decide("all ignore")[0], desk.reconciler.lacking_shares()) == (
        "done: 0 ignored",
        lacks,
    )
    told = desk.decide("CANBK:CNC ignore")[0]
    assert told.endswith(f"; {14 - there} of the owner's count as gone, and ours as there")
    desk.look(2)
    assert (desk.reconciler.lacking_shares(), desk.reconciler._ignored["CANBK:CNC"]) == (
        {},
        there - 4,
    )
