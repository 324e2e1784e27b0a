"""Nothing is sold or protected beyond what the broker's books hold for the desk, whoever has taken the rest."""

import pytest

from compiled.events import (
    Act,
    CancelOrder,
    DeleteGtt,
    GttUpdate,
    Lacking,
    ModifyGtt,
    ModifyOrder,
    Outcome,
    PlaceGtt,
    PlaceOrder,
    Verb,
    WriteOff,
)
from compiled.model import GttStatus, OrderStatus, Product, Side
from engine.ports import BrokerHolding, BrokerPosition
from tests.core.books import Desk
from tests.core.scripted import CANBK, Scene, only, some


@pytest.fixture
def scene():
    return Scene()


def lack(scene, quantity, product=Product.CNC, side=Side.BUY):
    return scene.tell(Lacking(scene.now, CANBK, product, side, quantity))


def test_the_stop_is_for_what_is_there_and_for_nothing_where_nothing_is(scene):
    gtt = scene.hold(100)
    scene.seconds(2)
    assert [leg.quantity for leg in only([*lack(scene, 40), *scene.seconds(2)], ModifyGtt).gtt.pending] == [60]
    scene.answer(gtt.intent, Outcome.ACCEPTED, "7", Verb.MODIFY)
    assert scene.kernel.naked() == 0
    assert only(lack(scene, 100), DeleteGtt).gtt is gtt
    scene.answer(gtt.intent, Outcome.ACCEPTED, "7", Verb.CANCEL)
    scene.asked.clear()
    scene.tick(90.0)  # far beyond the stop
    scene.seconds(60)
    assert (some(scene.asked, PlaceGtt), scene.exits(), scene.kernel.naked(), scene.account) == ([], [], 0, 100)


def test_what_is_there_again_is_protected_again(scene):
    gtt = scene.hold(100)
    lack(scene, 100)
    scene.answer(gtt.intent, Outcome.ACCEPTED, "7", Verb.CANCEL)
    assert only(lack(scene, 0), PlaceGtt).gtt.legs[0].quantity == 100


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
    scene.book("G1", OrderStatus.CANCELLED, side=scene.rung.guard.side if scene.rung.guard else side)
    scene.asked.clear()
    scene.operate(Act.FLATTEN)
    scene.seconds(30)
    assert some(scene.asked, PlaceOrder) == []


def test_an_intraday_stop_is_made_smaller_with_its_position(scene):
    scene.hold_intraday()
    scene.seconds(2)
    assert only([*lack(scene, 25, Product.MIS), *scene.seconds(2)], ModifyOrder).change.quantity == 75


def test_until_the_books_have_been_compared_nothing_leaves_but_by_flatten(scene):
    scene.hold(100)
    scene.kernel.blind = True
    found = scene.tell(GttUpdate(scene.now, 7, CANBK, GttStatus.DELETED, [], []))
    assert some([*found, *scene.seconds(10)], PlaceGtt) == []
    assert only(scene.operate(Act.COMPARED), PlaceGtt).gtt.legs[0].quantity == 100


def test_flatten_does_not_wait_for_books_that_cannot_be_read(scene):
    gtt = scene.hold(100)
    scene.kernel.blind = True
    assert only(scene.operate(Act.FLATTEN), DeleteGtt).gtt is gtt


def fires(scene, gtt, price=97.5):
    update = GttUpdate(scene.now - 10**13, gtt.gtt_id, CANBK, GttStatus.TRIGGERED, list(gtt.legs), ["Y1"], fired=price)
    update.past = True
    return scene.tell(update)


def test_a_stop_that_fired_on_an_earlier_day_counts_as_having_sold_until_the_books_say_otherwise(scene):
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
    assert (scene.rung.exit_average, scene.rung.exit_reason, scene.account) == (97.5, "written off", 0)


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
def test_of_ours_lacks_what_the_books_do_not_hold_beside_the_owners(product, ours, theirs, owners, lacks):
    desk = Desk()
    if product == "CNC":
        desk.scene.hold(ours)
    else:
        desk.scene.hold_intraday(ours)
    desk.books.at["positions"] = [BrokerPosition(CANBK, "CANBK", product, theirs, 100.0)] if theirs else []
    desk.reconciler._ignored = {f"CANBK:{product}": owners} if owners else {}
    desk.look(2)
    found = desk.reconciler.lacking()
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
    assert (desk.reconciler.open, desk.reconciler._ignored["CANBK:CNC"]) == ((), 6)
    desk.books.at["holdings"] = [BrokerHolding(CANBK, "CANBK", 9, 90.0)]
    desk.look(2)
    assert [each.difference.figure for each in desk.reconciler.standing.values()] == [3]
    desk.decide("CANBK:CNC adopt")
    assert (desk.scene.account, desk.reconciler._ignored["CANBK:CNC"]) == (3, 6)
