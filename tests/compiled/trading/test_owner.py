"""The owner acts beside the desk.

What he has just taken counts at once, what he has changed is told, what is his stays so.
"""

import asyncio
from collections import deque
from types import SimpleNamespace

import pytest

from compiled.model.events import (
    BrokerTrade,
    DeleteGtt,
    GttUpdate,
    KernelAlert,
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
from compiled.model.values import SECOND, GttLeg, GttStatus, OrderStatus, Product, Side
from engine.books.book_difference import DifferenceKind
from engine.books.books_snapshot import LATE
from engine.books.position_differences import held_by_side
from engine.config.schema import ReconcileSettings
from engine.day.day_loop import DayLoop
from engine.day.desk_clocks import SteppedClock
from engine.day.pacing import BooksWatch, LockstepDay
from engine.errors import RetryableError
from engine.ports import BrokerHolding, BrokerPosition
from engine.reconcile.poller import BrokerPoller
from engine.reconcile.reconciler import Reconciler
from tests.compiled.trading.books import BOUND, CASH, Desk
from tests.compiled.trading.scripted import BEL, CANBK, CLOSE, STRANGER, Scene, only, some
from tests.engine.orders.test_order_path_gateway import Engine, Looked

LACKS = (CANBK, Product.CNC, Side.BUY)


@pytest.fixture
def scene():
    return Scene()


@pytest.fixture
def desk():
    return Desk()


def row(desk, order_id, side, filled, product="CNC", tag="", ts=None):
    now = desk.scene.now if ts is None else ts
    return OrderUpdate(
        now, order_id, tag, CANBK, side, OrderStatus.COMPLETE, filled, filled, product=product
    )


def strange(desk, order_id, side, filled, ts=None):
    """Have an order of somebody else listed, which the desk has seen in the order book."""
    update = row(desk, order_id, side, filled, ts=ts)
    desk.books.at["orders"].append(update)
    desk.scene.tell(update)


def holds(desk, quantity=100):
    """Hold shares that the broker's orders, with their product, and his positions show."""
    desk.hold(quantity)
    desk.books.at["orders"] = [row(desk, "B1", Side.BUY, quantity, tag="T1")]


def positions(desk, quantity, product="CNC"):
    desk.books.at["positions"] = (
        [BrokerPosition(CANBK, "CANBK", product, quantity, 100.0)] if quantity else []
    )


# what somebody has just taken


def test_shares_that_an_order_of_somebody_else_has_just_sold_are_gone_at_the_first_look(desk):
    holds(desk)
    strange(desk, "X1", Side.SELL, 40)
    positions(desk, 60)
    assert ("CANBK:CNC", DifferenceKind.QUANTITY, -40) in desk.look()
    assert desk.reconciler.lacking_shares() == {LACKS: 40}
    assert "order X1, not ours: SELL 40" in desk.only().cause


def test_shares_that_nobody_is_known_to_have_sold_are_looked_at_twice(desk):
    holds(desk)
    old = desk.scene.now - 60 * SECOND
    desk.books.at["orders"] = [row(desk, "B1", Side.BUY, 100, tag="T1", ts=old)]
    strange(desk, "X1", Side.SELL, 40, ts=old)
    positions(desk, 60)
    assert desk.look() == []
    assert desk.look()[0][2] == -40


def test_positions_that_lag_behind_an_order_of_somebody_else_hide_nothing(desk):
    holds(desk)
    strange(desk, "X1", Side.SELL, 99)
    assert desk.look()[0] == ("CANBK:CNC", DifferenceKind.QUANTITY, -99)
    assert desk.soon == SECOND
    positions(desk, 1)
    assert desk.look()[0] == ("CANBK:CNC", DifferenceKind.QUANTITY, -99)


def test_an_order_that_a_stop_of_ours_may_have_sent_is_nobodys_until_the_next_look(desk):
    holds(desk)
    [gtt] = desk.scene.kernel.order_store.by_gtt_id.values()
    strange(desk, "X1", Side.SELL, int(gtt.legs[0].quantity))
    assert desk.look() == []
    assert desk.soon == SECOND
    desk.books.at["gtts"] = [
        GttUpdate(desk.scene.now, int(gtt.gtt_id), CANBK, GttStatus.TRIGGERED, gtt.legs, ["X1"])
    ]
    assert desk.look(1) == [], "the list says that it has fired: what it sold is taken in first"
    desk.books.at["gtts"] = [
        GttUpdate(desk.scene.now, int(gtt.gtt_id), CANBK, GttStatus.ACTIVE, gtt.legs, [])
    ]
    desk.look(1)
    assert desk.look(1)[0] == ("CANBK:CNC", DifferenceKind.MISSING, -100), (
        "it has not: somebody else has sold them"
    )


def test_a_trade_not_ours_in_a_share_we_hold_has_the_books_compared_at_once_and_once_a_second():
    async def story():
        loop, compared = Looked(0), []

        async def compare():
            compared.append(loop.clock.now() // (SECOND // 10))
            return 0

        loop.gateway.lookups = SimpleNamespace(is_seeking=False, paused_until=0)
        loop.reconciler, loop.differences = (
            SimpleNamespace(compare_once=compare, open_differences=()),
            (),
        )
        watch = BooksWatch(loop, 1_000 * SECOND, 1_000 * SECOND)
        for tenth in range(1, 40):
            loop.foreign_shares += 5 * (tenth in {4, 6, 8, 30})
            loop.clock.set(tenth * SECOND // 10)
            watch.start_if_due(loop.clock.now())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert compared == [4, 14, 30]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("token", "tag", "counts"), [(CANBK, "", 7), (BEL, "", 0), (STRANGER, "", 7), (CANBK, "T1", 0)]
)
def test_of_what_others_trade_counts_what_we_hold_and_what_may_be_another_listing_of_it(
    desk, token, tag, counts
):
    desk.hold()
    known = OrderUpdate(
        desk.scene.now, "X1", tag or "", token, Side.SELL, OrderStatus.COMPLETE, 7, 7
    )
    if tag:
        known.tag = next(iter(desk.scene.kernel.order_store.by_tag))
    desk.books.at["orders"] = [known]
    lookups = SimpleNamespace(
        wants_gtts=False, pause_reads=None, resolve=lambda *_: None, awaits_proof=lambda _: False
    )
    gateway = SimpleNamespace(
        moves=0, verify_ids=lambda *_: None, lookups=lookups, clock=desk.clock, touched={}
    )
    books = BrokerPoller(desk.scene.kernel, desk.books, gateway, lambda _: None)
    asyncio.run(books.poll())
    assert books.foreign_shares == counts


def test_in_lockstep_the_books_are_compared_when_nothing_else_is_left_to_do():
    done = []
    gateway = SimpleNamespace(poll_due=lambda: None)
    books = SimpleNamespace(foreign_shares=0)
    loop = SimpleNamespace(
        kernel=SimpleNamespace(view=SimpleNamespace(instruments=lambda: ())),
        gateway=gateway,
        poller=books,
        bands=None,
        inbox=deque(),
        has_hint=True,
        reconcile_actions=SimpleNamespace(waiting=()),
        apply_comparison=lambda: done.append("reconciled"),
        turn=lambda: done.append("turn"),
    )

    async def drain():
        return False

    async def look(**_):
        books.foreign_shares = 40
        return True

    async def compare(*, at_once):
        done.append(f"compared, {at_once}")

    gateway.drain, books.poll, loop.reconciler = drain, look, SimpleNamespace(compare_once=compare)
    lockstep = LockstepDay(loop, None, None, SteppedClock(0))
    lockstep._schedule.next_poll = SECOND
    for _ in range(2):
        asyncio.run(lockstep._settle_instant())
    assert done == ["turn", "compared, True", "reconciled", "turn"]


# before anything is done


@pytest.fixture
def engine(tmp_path):
    return Engine(tmp_path)


def books(engine, order_id, side, filled, product="CNC", status=OrderStatus.COMPLETE, tag=""):
    now = engine.scene.now
    engine.broker.book = [each for each in engine.broker.book if each.order_id != order_id]
    engine.broker.book.append(
        OrderUpdate(now, order_id, tag, CANBK, side, status, 100, filled, product=product)
    )


def a_look(engine):
    return asyncio.run(engine.look())


def test_a_stop_that_is_cancelled_as_shares_are_sold_comes_back_for_what_is_left(engine):
    stop = engine.scene.hold_intraday(100)
    books(engine, "B1", Side.BUY, 100, "MIS", tag="T1")
    books(engine, "G1", Side.SELL, 0, "MIS", OrderStatus.TRIGGER_PENDING, stop.tag)
    a_look(engine)
    books(engine, "G1", Side.SELL, 0, "MIS", OrderStatus.CANCELLED, stop.tag)
    books(engine, "X1", Side.SELL, 60, "MIS")
    assert only(a_look(engine), PlaceOrder).order.quantity == 40
    books(engine, "X1", Side.SELL, 70, "MIS")
    a_look(engine)
    assert engine.scene.kernel.view.absent_shares(CANBK, Product.MIS, Side.BUY) == 70


def test_a_gtt_that_is_deleted_as_shares_are_sold_comes_back_for_what_is_left(engine):
    gtt = engine.scene.hold(100)
    engine.broker.listed = [engine.list_gtt(gtt, 7, GttStatus.ACTIVE)]
    books(engine, "B1", Side.BUY, 100, tag="T1")
    a_look(engine)
    engine.broker.listed = [engine.list_gtt(gtt, 7, GttStatus.DELETED)]
    books(engine, "X1", Side.SELL, 100)
    assert some(a_look(engine), PlaceGtt) == []
    assert engine.scene.kernel.view.absent_shares(CANBK, Product.CNC, Side.BUY) == 100


@pytest.mark.parametrize("order_ids", [[], ["X1"]])
def test_what_a_stop_of_ours_has_sold_or_may_have_nobody_else_has(engine, order_ids):
    gtt = engine.scene.hold(100)
    engine.broker.listed = [engine.list_gtt(gtt, 7, GttStatus.ACTIVE)]
    books(engine, "B1", Side.BUY, 100, tag="T1")
    a_look(engine)
    engine.broker.listed = [engine.list_gtt(gtt, 7, GttStatus.TRIGGERED)]
    engine.broker.listed[0].order_ids = order_ids
    books(engine, "X1", Side.SELL, 40)
    a_look(engine)
    assert engine.scene.kernel.view.absent_shares(CANBK, Product.CNC, Side.BUY) == 0


def test_what_was_sold_before_the_desk_looked_first_is_for_a_comparison_to_say(engine):
    gtt = engine.scene.hold(100)
    engine.broker.listed = [engine.list_gtt(gtt, 7, GttStatus.ACTIVE)]
    books(engine, "X1", Side.SELL, 40)
    a_look(engine)
    assert engine.scene.kernel.view.absent_shares(CANBK, Product.CNC, Side.BUY) == 0


def test_books_that_cannot_be_read_do_not_bring_back_what_others_have_taken(desk):
    posted = []
    kernel = desk.scene.kernel
    holds(desk)
    desk.look()
    desk.scene.tell(ShareShortfall(desk.scene.now, *LACKS, 40))
    desk.books.error = "positions", RetryableError("no answer")
    desk.look()
    loop = SimpleNamespace(
        reconciler=desk.reconciler, kernel=kernel, clock=desk.clock, inbox=posted
    )
    DayLoop.post_lacking(loop)
    assert posted == []
    desk.books.error = None
    desk.look()
    DayLoop.post_lacking(loop)
    assert [event.quantity for event in posted] == [0]


# books that are apart


@pytest.mark.parametrize("seconds", [1, 12])
def test_positions_that_lag_behind_our_own_fill_are_no_difference(desk, seconds):
    holds(desk)
    desk.look()
    positions(desk, 0)
    assert desk.look(seconds) == []
    assert desk.reconciler.lacking_shares() == {}
    positions(desk, 100)
    assert desk.look(2) == []


def test_positions_that_never_follow_are_a_difference_in_the_end(desk):
    holds(desk)
    desk.look()
    positions(desk, 0)
    assert desk.look(LATE // SECOND + 3)[0] == ("CANBK:CNC", DifferenceKind.MISSING, -100)


def test_orders_that_lag_behind_the_positions_and_the_stream_are_no_difference(desk):
    holds(desk)
    order = desk.scene.leave()
    desk.scene.accept(order, "S1")
    desk.books.at["orders"] = [
        row(desk, "B1", Side.BUY, 100, tag="T1", ts=desk.scene.now - 60 * SECOND),
        OrderUpdate(
            desk.scene.now,
            "S1",
            order.tag,
            CANBK,
            Side.SELL,
            OrderStatus.OPEN,
            100,
            0,
            product="CNC",
        ),
    ]
    positions(desk, 0)
    desk.reconciler.note_order_event("S1")
    assert desk.look(8) == []
    assert desk.look(9)[0] == ("CANBK:CNC", DifferenceKind.MISSING, -100)


def test_what_the_owner_converts_counts_although_no_order_tells_of_it(desk):
    desk.scene.hold_intraday(100)
    desk.books.at["orders"] = [row(desk, "B1", Side.BUY, 100, "MIS", "T1")]
    desk.books.at["trades"] = [
        BrokerTrade(desk.scene.now, "tB1", "B1", CANBK, Side.BUY, 100, 100.0)
    ]
    positions(desk, 100)
    found = {key: figure for key, _, figure in desk.look(2)}
    assert (found["CANBK:MIS"], found["CANBK:CNC"]) == (-100, 100)
    assert desk.reconciler.lacking_shares() == {(CANBK, Product.MIS, Side.BUY): 100}


def test_cash_says_nothing_while_a_trade_is_fresh(desk):
    desk.hold()
    desk.books.cash = CASH
    assert desk.look(10) == []
    assert desk.look(10) == [("funds", DifferenceKind.FUNDS, 100 * 10_000)]


def test_cash_says_nothing_of_an_order_of_ours_whose_id_no_answer_has_told(desk):
    order = desk.scene.enter(100)
    old = desk.scene.now - 60 * SECOND
    desk.books.at["orders"] = [row(desk, "B1", Side.BUY, 100, tag=order.tag, ts=old)]
    desk.books.cash = CASH - 100 * 10_000
    assert "funds" not in [key for key, _, _ in desk.look(3)]


# whose shares they are


def test_a_short_of_the_owners_beside_our_long_cannot_be_adopted(desk):
    desk.scene.hold_intraday(10)
    positions(desk, -2, "MIS")
    desk.reconciler._ignored = {"CANBK:MIS": -12}
    desk.look(2)
    assert desk.decide("CANBK:MIS adopt")[0] == "refused: quantity takes ignore"
    assert desk.scene.account == 10


def bought_beside(desk, figure=13):
    """Hold 44 that the books agree about; the owner buys 13 and sells to this figure."""
    holds(desk, 44)
    desk.look()
    strange(desk, "X1", Side.BUY, 13)
    if figure < 13:
        strange(desk, "X2", Side.SELL, 13 - figure)
    positions(desk, 44 + figure)
    desk.look(2)


@pytest.mark.parametrize(("figure", "lacks"), [(13, 0), (8, 5), (-1, 14), (-31, 44)])
def test_what_others_have_bought_is_not_there_for_the_desk_until_it_is_decided(desk, figure, lacks):
    bought_beside(desk, figure)
    assert desk.only().figure == figure
    assert desk.reconciler.lacking_shares() == ({LACKS: lacks} if lacks else {})
    desk.decide("CANBK:CNC adopt")
    desk.look(2)
    assert (desk.reconciler.lacking_shares(), desk.scene.account) == ({}, 44 + figure)


def test_what_they_have_sold_again_is_no_difference_and_lacks_nowhere(desk):
    bought_beside(desk, 0)
    assert (desk.look(), desk.reconciler.lacking_shares()) == ([], {})
    strange(desk, "X3", Side.SELL, 5)
    positions(desk, 39)
    desk.look(2)
    assert desk.reconciler.lacking_shares() == {LACKS: 5}, (
        "what they had bought before the books agreed is reckoned in"
    )


@pytest.mark.parametrize("choice", ["ignore", "adopt"])
def test_what_was_decided_is_reckoned_in_although_the_owner_goes_on_at_once(desk, choice):
    bought_beside(desk)
    desk.decide(f"CANBK:CNC {choice}")
    strange(desk, "X3", Side.SELL, 5)
    positions(desk, 52)
    desk.look(2)
    assert desk.reconciler.lacking_shares() == {LACKS: 5}


def test_over_a_restart_it_stays_reckoned_in(desk):
    bought_beside(desk)
    desk.decide("CANBK:CNC adopt")
    strange(desk, "X3", Side.SELL, 5)
    positions(desk, 52)
    notes = desk.journal
    again = Reconciler(
        desk.scene.kernel,
        desk.books,
        notes,
        desk.clock,
        desk.writer,
        ReconcileSettings(funds_bound=BOUND // 100),
    )
    desk.reconciler = again
    desk.look(2)
    assert again.lacking_shares() == {LACKS: 5}


def test_what_others_have_sold_short_is_not_there_for_a_short_of_ours(desk):
    desk.scene.tell(
        ShareAdoption(
            desk.scene.now, CANBK, Product.MIS, -10, 100.0, "adopted", 2.0, False, False, 0, None
        )
    )
    desk.books.at["orders"] = [row(desk, "B1", Side.SELL, 10, "MIS", "T1")]
    positions(desk, -10, "MIS")
    desk.look()
    for order_id, side, shares in (("X1", Side.SELL, 4), ("X2", Side.BUY, 7)):
        desk.books.at["orders"].append(row(desk, order_id, side, shares, "MIS"))
    positions(desk, -7, "MIS")
    desk.look(2)
    assert desk.reconciler.lacking_shares() == {(CANBK, Product.MIS, Side.SELL): 7}


def test_what_is_gone_is_not_sold_while_a_trade_of_the_same_share_is_undecided(desk):
    holds(desk)
    old = desk.scene.now - 60 * SECOND
    desk.books.at["orders"] = [row(desk, "B1", Side.BUY, 100, tag="T1", ts=old)]
    desk.books.at["trades"].append(BrokerTrade(old, "tB2", "B1", CANBK, Side.BUY, 5, 100.0))
    positions(desk, 60)
    assert [kind for _, kind, _ in desk.look(3)] == [DifferenceKind.TRADE]
    assert desk.reconciler.lacking_shares() == {LACKS: 40}


@pytest.mark.parametrize(
    ("there", "side", "lacks"), [(-10, Side.BUY, 10), (4, Side.SELL, 4), (-30, Side.BUY, 10)]
)
def test_where_ours_are_long_and_short_what_comes_or_goes_is_missing_on_its_side(
    desk, there, side, lacks
):
    for ours in (10, -10):
        desk.scene.tell(
            ShareAdoption(
                desk.scene.now,
                CANBK,
                Product.MIS,
                ours,
                100.0,
                "adopted",
                2.0,
                False,
                False,
                0,
                None,
            )
        )
    positions(desk, there, "MIS")
    desk.look(2)
    assert desk.reconciler.lacking_shares() == {(CANBK, Product.MIS, side): lacks}
    assert desk.only().ours == "10 long and 10 short"
    desk.decide("CANBK:MIS adopt")
    left = held_by_side(desk.scene.kernel)
    assert sorted((left[CANBK, "MIS", Side.BUY], left[CANBK, "MIS", Side.SELL])) == [10 - lacks, 10]
    assert left[CANBK, "MIS", side] == 10 - lacks


@pytest.mark.parametrize(
    ("product", "days", "cash"),
    [(Product.MIS, 0, 0), (Product.MIS, 1, -1_000_000), (Product.CNC, 0, -1_000_000)],
)
def test_the_cash_of_an_intraday_position_of_an_earlier_day_has_moved_on_that_day(
    scene, product, days, cash
):
    if product is Product.MIS:
        scene.hold_intraday()
    else:
        scene.hold()
    before = scene.kernel.ledger.cash
    scene.rung.opened -= days * 86_400 * SECOND
    scene.tell(WriteOff(scene.now, CANBK, product, Side.BUY, 100))
    assert (scene.account, scene.kernel.ledger.cash - before) == (0, cash + 1_000_000)


def test_the_same_decision_twice_does_not_go_on_to_what_is_ignored(desk):
    desk.books.at["holdings"] = [BrokerHolding(CANBK, "CANBK", 10, 90.0)]
    desk.look(2)
    desk.decide("CANBK:CNC ignore")
    desk.scene.hold(4)
    desk.look(2)
    desk.look(1)
    desk.books.at["positions"] = []
    desk.look(3)
    assert desk.decide("CANBK:CNC adopt")[0].startswith("done: 4 CANBK written off")
    desk.look(3)
    assert desk.decide("CANBK:CNC adopt")[0].startswith("refused: CANBK:CNC was decided just now")
    desk.look(10)
    assert desk.decide("CANBK:CNC adopt")[0].startswith("done: 10 CANBK to adopted")


# stops that somebody changes


def changed(scene, trigger, quantity=100, limit=-0.5, target=0.0):
    """Have the broker list GTT 7 as somebody has made it.

    Return what the desk asks for in the seconds after.
    """
    scene.seconds(60)
    legs = [GttLeg(trigger, trigger + limit, Side.SELL, quantity)]
    legs += [GttLeg(target, target, Side.SELL, quantity)] if target else []
    return [
        *scene.tell(GttUpdate(scene.now, 7, CANBK, GttStatus.ACTIVE, legs, [])),
        *scene.seconds(6),
    ]


def told(commands, name):
    return [each.text for each in commands if isinstance(each, KernelAlert) and each.name == name]


def listed(scene, gtt):
    """Have the broker list a GTT as it was asked for."""
    scene.gtt(gtt, GttStatus.ACTIVE)
    return gtt


@pytest.mark.parametrize(
    ("trigger", "quantity", "yields", "asked"),
    [
        (99.0, 100, True, None),  # nearer to the price: it stands
        (99.0, 60, True, (99.0, 100)),  # for the shares held
        (97.0, 100, True, (98.0, 100)),  # farther: ours is put back
        (99.0, 100, False, (98.0, 100)),
        (98.0, 60, True, (98.0, 100)),
    ],
)
def test_of_two_stops_the_tighter_stands_and_is_told(scene, trigger, quantity, yields, asked):
    scene.kernel.order_store.yields_to_others = yields
    listed(scene, scene.hold())
    found = changed(scene, trigger, quantity)
    legs = [each.gtt.pending[0] for each in some(found, ModifyGtt)]
    assert [(leg.trigger, leg.quantity) for leg in legs] == ([asked] if asked else [])
    [text] = told(found, "gtt_edited")
    assert text.startswith(
        f"GTT 7 was changed by somebody else: SELL {quantity} at {trigger:.2f} instead of SELL "
        "100 at 98.00; "
    )
    assert ("this stands" in text) is (yields and trigger >= 98.0)


def test_a_target_that_the_owner_sets_beside_the_stop_stands(scene):
    listed(scene, scene.hold(target=4.0))
    assert some(changed(scene, 98.0, target=103.0), ModifyGtt) == []
    assert scene.rung.target == 103.0
    assert some(changed(scene, 98.0), ModifyGtt) == []
    assert scene.rung.target == 0.0


def test_a_limit_that_gives_the_stop_less_way_is_put_back(scene):
    listed(scene, scene.hold())
    [asked] = some(changed(scene, 98.0, limit=-0.05), ModifyGtt)
    assert asked.gtt.pending[0].price == 97.5


def test_a_price_between_the_owners_stop_and_ours_means_that_ours_is_reached(scene):
    gtt = listed(scene, scene.hold())
    scene.seconds(60)
    scene.tick(97.9)
    assert some(scene.asked, DeleteGtt) == [], "at the broker's stop: he fires it"
    legs = [GttLeg(90.0, 89.5, Side.SELL, 100)]
    found = scene.tell(GttUpdate(scene.now, 7, CANBK, GttStatus.ACTIVE, legs, []))
    assert only(found, DeleteGtt).gtt is gtt
    assert scene.rung.exit_reason == "stop"


def test_a_list_that_shows_a_gtt_as_it_was_before_our_last_change_changes_nothing(scene):
    gtt = listed(scene, scene.hold())
    old, stamp = list(gtt.legs), scene.now
    scene.seconds(10)
    scene.tick(103.0)
    only([*scene.asked], ModifyGtt)
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7", RequestVerb.MODIFY)
    moved = scene.rung.stop
    found = scene.tell(GttUpdate(stamp, 7, CANBK, GttStatus.ACTIVE, old, []))
    assert (moved > 98.0, scene.rung.stop, told(found, "gtt_edited")) == (True, moved, [])


def leaving_after_the_close(scene, cause):
    """Hold 100 shares under GTT 7 whose exit waits behind it.

    For the next session, or because it may still arrive.
    """
    gtt = listed(scene, scene.hold())
    if cause == "closed":
        scene.now = CLOSE + 60 * SECOND
    else:
        scene.rung.doubt_until = scene.now + 600 * SECOND
    scene.operate(OperatorAct.EXIT, token=CANBK)
    assert scene.rung.leaving
    assert some(scene.seconds(60), DeleteGtt) == []
    return gtt


@pytest.mark.parametrize("cause", ["closed", "in doubt"])
@pytest.mark.parametrize(("trigger", "quantity"), [(97.0, 100), (98.0, 300), (97.0, 300)])
def test_a_stop_that_is_changed_while_the_exit_waits_behind_it_is_put_right(
    scene, cause, trigger, quantity
):
    leaving_after_the_close(scene, cause)
    found = changed(scene, trigger, quantity)
    assert [
        (each.gtt.pending[0].trigger, each.gtt.pending[0].quantity)
        for each in some(found, ModifyGtt)
    ] == [(98.0, 100)]


def test_a_stop_that_stands_as_it_should_while_the_exit_waits_behind_it_is_left_alone(scene):
    gtt = leaving_after_the_close(scene, "closed")
    found = scene.tell(GttUpdate(scene.now, 7, CANBK, GttStatus.ACTIVE, list(gtt.legs), []))
    assert some([*found, *scene.seconds(60)], ModifyGtt) == []


def test_fewer_shares_after_the_close_take_the_stop_of_a_waiting_exit_down_with_them(scene):
    leaving_after_the_close(scene, "closed")
    scene.rung.absent = 40
    assert only(scene.seconds(3), ModifyGtt).gtt.pending[0].quantity == 60


def test_a_stop_that_the_owner_moves_away_twice_does_not_stand_the_second_time(scene):
    gtt = listed(scene, scene.hold())
    gtt.retry_at = CLOSE  # before ours could be put back
    for trigger in (96.0, 97.0):
        [text] = told(changed(scene, trigger), "gtt_edited")
        assert text.endswith("ours is put back")
    gtt.retry_at = 0
    assert only(scene.timer(), ModifyGtt).gtt.pending[0].trigger == 98.0


def test_a_gtt_that_somebody_deletes_is_named_with_what_it_stood_for(scene):
    listed(scene, scene.hold())
    found = scene.tell(GttUpdate(scene.now, 7, CANBK, GttStatus.DELETED, [], []))
    assert told(found, "gtt_gone") == ["GTT 7, SELL 100 at 98.00, is DELETED at the broker"]
    assert only(found, PlaceGtt).gtt.legs[0].quantity == 100


def waiting(scene, trigger, quantity=100, status=OrderStatus.TRIGGER_PENDING, side=Side.SELL):
    scene.seconds(60)
    return [
        *scene.book("G1", status, quantity=quantity, side=side, trigger=trigger),
        *scene.seconds(6),
    ]


@pytest.mark.parametrize(
    ("side", "trigger", "quantity", "asked"),
    [
        (Side.BUY, 99.0, 100, None),
        (Side.BUY, 97.0, 100, (98.0, 0)),
        (Side.BUY, 98.0, 60, (0.0, 100)),
        (Side.SELL, 101.0, 100, None),
        (Side.SELL, 103.0, 100, (102.0, 0)),
    ],
)
def test_of_two_intraday_stops_the_tighter_stands_and_is_told(
    scene, side, trigger, quantity, asked
):
    stop = scene.hold_intraday(side=side)
    ours = stop.trigger
    waiting(scene, ours, side=stop.side)
    found = waiting(scene, trigger, quantity, side=stop.side)
    changes = [each.change for each in some(found, ModifyOrder)]
    assert [(each.trigger, each.quantity) for each in changes] == ([asked] if asked else [])
    name = stop.side.name
    [text] = told(found, "stop_edited")
    assert text.startswith(
        f"stop order G1 was changed by somebody else: {name} {quantity} at {trigger:.2f} instead "
        f"of {name} 100 at {ours:.2f}; "
    )
    assert text.endswith("ours is put back") is (asked is not None and asked[0] > 0.0)


def test_an_intraday_stop_that_is_moved_away_twice_does_not_stand_the_second_time(scene):
    stop = scene.hold_intraday()
    waiting(scene, stop.trigger)
    stop.retry_at = CLOSE
    for trigger in (96.0, 97.0):
        [text] = told(waiting(scene, trigger), "stop_edited")
        assert text.endswith("ours is put back")
    stop.retry_at = 0
    assert only(scene.timer(), ModifyOrder).change.trigger == 98.0


def test_an_intraday_stop_that_somebody_cancels_is_told_and_placed_again(scene):
    waiting(scene, scene.hold_intraday().trigger)
    found = waiting(scene, 98.0, status=OrderStatus.CANCELLED)
    assert told(found, "stop_gone") == [
        "stop order G1, SELL 100 at 98.00, is CANCELLED at the broker"
    ]
    assert only(found, PlaceOrder).order.trigger == 98.0


# what is the owner's


def theirs(desk, gtt_id, token=CANBK, side=Side.BUY, quantity=5):
    return GttUpdate(
        desk.scene.now, gtt_id, token, GttStatus.ACTIVE, [GttLeg(90.0, 91.0, side, quantity)], []
    )


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_gtts_of_the_owner_are_listed_before_we_hold_anything_ignored_once_and_stay_so(desk, side):
    desk.books.at["gtts"] = [theirs(desk, 55, side=side)]
    assert desk.look(2) == [("gtt:55", DifferenceKind.GTT, 5)]
    assert desk.decide("all ignore")[0] == "done: 1 ignored"
    desk.scene.hold()
    desk.books.at["gtts"][0] = theirs(desk, 55, side=side, quantity=8)
    desk.look(2)
    assert not [text for text in desk.reconciler.open_differences if "gtt" in text]
    again = Desk(desk.journal)
    again.books.at["gtts"] = [theirs(again, 55, side=side)]
    again.look(2)
    assert again.reconciler.open_differences == ()
