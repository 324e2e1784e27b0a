"""Splits and bonuses of what is carried.

What happens to rungs, ledger and GTTs, and when a desk believes in one.
"""

from datetime import date

import pytest

from compiled.model.events import (
    CarriedDivision,
    DeleteGtt,
    OperatorAct,
    PlaceGtt,
    PlaceOrder,
    ShareShortfall,
)
from compiled.model.values import MINUTE, GttStatus, Product, Side
from compiled.trading.ladder import LadderPlan, RungPlan
from engine.books.share_divisions import ShareDivision, kept_divisions, recognise_divisions
from engine.config.schema import ReconcileSettings
from engine.market.corporate_actions.action_list import CorporateAction, CorporateActions
from engine.market.corporate_actions.action_subject import ActionKind
from engine.orders.records import JournalRecorder
from engine.orders.restore import restore_kernel
from engine.ports import BrokerHolding
from engine.reconcile.reconciler import Reconciler
from tests.compiled.trading.books import Desk, Notes
from tests.compiled.trading.scripted import CANBK, OPEN, Scene, only, some
from tests.engine.orders.test_order_path_restart import DAY, MIDNIGHT, Life, tomorrow, two_rungs

MORNING = MIDNIGHT + DAY
TODAY = date(2025, 10, 8)
YESTERDAY = date(2025, 10, 7)
SPLIT = CarriedDivision(MORNING, CANBK, 5, 1, MORNING)


@pytest.fixture
def life(tmp_path):
    return Life(tmp_path / "desk.db")


def figures(scene):
    ledger = scene.kernel.ledger
    position = ledger.position("script", CANBK)
    return (
        [
            (int(rung.quantity), rung.average, rung.stop, rung.target, rung.high)
            for rung in scene.kernel.state.rungs.values()
        ],
        (int(position.quantity), position.average, int(scene.kernel.state.day_pnl)),
    )


def close_at(scene, price):
    market = scene.kernel.state.markets[CANBK]
    market.instrument.close = price
    scene.kernel.ledger.mark(CANBK, price)


def test_five_for_one_divides_shares_prices_and_averages_and_moves_the_stop_to_them(life):
    life.run(lambda scene: scene.hold(21, target=4.0))
    scene, _ = life.again(day=1)
    scene.kernel.state.is_blind = True
    found = scene.tell(SPLIT)
    assert figures(scene) == ([(105, 20.0, 19.6, 20.8, 20.0)], (105, 20.0, 0))
    assert only(found, DeleteGtt).gtt.gtt_id == 7
    assert some(found, PlaceGtt) == some(found, PlaceOrder) == [], (
        "the books have not been compared"
    )
    scene.gtt(only(found, DeleteGtt).gtt, GttStatus.DISABLED)
    scene.kernel.begin_session(OPEN + DAY, OPEN + DAY + 375 * MINUTE)
    scene.now = OPEN + DAY + MINUTE
    scene.tick(20.0)
    assert scene.rung.absent == 105, "until the books have said how many are there"
    scene.tell(ShareShortfall(scene.now, CANBK, Product.CNC, Side.BUY, 0))
    scene.operate(OperatorAct.COMPARED)
    placed = only([*scene.asked, *scene.seconds(2)], PlaceGtt).gtt
    assert [(leg.trigger, leg.quantity) for leg in placed.legs] == [(19.6, 105), (20.8, 105)]
    assert some(scene.asked, PlaceOrder) == []


def test_a_position_too_small_for_one_share_is_over_and_the_next_one_begins_at_its_own_cost(life):
    life.run(lambda scene: scene.hold(5))
    scene, _ = life.again(day=1)
    scene.tell(CarriedDivision(MORNING, CANBK, 1, 10, MORNING))
    assert figures(scene)[1:] == ((0, 0.0, 0),)
    assert scene.rung.absent == 0
    assert scene.kernel.view.open_positions() == 0


@pytest.mark.parametrize("adjusted", [False, True])
def test_the_profit_of_a_day_is_not_moved_by_it_whichever_close_the_broker_tells(life, adjusted):
    life.run(lambda scene: scene.hold(21))
    scene, _ = life.again(day=1)
    if adjusted:
        scene.kernel.ledger.mark(CANBK, 20.0)
        scene.kernel.state.net_at_open = scene.kernel.ledger.net
    scene.tell(SPLIT)
    assert scene.kernel.ledger.net == scene.kernel.state.net_at_open
    scene.tick(20.5)
    assert scene.kernel.state.day_pnl == 105 * 50


@pytest.mark.parametrize("recorded", [False, True])
def test_a_restart_finds_it_whether_the_rungs_have_been_written_down_since_or_not(life, recorded):
    life.run(two_rungs)
    levels = {}

    def morning(scene):
        rungs = [rung for rung in scene.kernel.state.rungs.values() if rung.quantity]
        levels.update({int(rung.rung_id): (rung.stop, rung.target, rung.high) for rung in rungs})

    scene, _ = life.again(day=1)
    morning(scene)
    division = ShareDivision(CANBK, MORNING, 3, 2, MORNING + 1, levels, {})
    journal = life.open()
    division.note(journal)
    if recorded:
        scene.after = JournalRecorder(scene.kernel, journal).flush
    scene.tell(CarriedDivision(MORNING + 1, CANBK, 3, 2, MORNING))
    journal.close()
    before = figures(scene)
    # 100 shares of the 200 are left, at ₹101.00 on average, and become 150
    assert before[1][:2] == (150, pytest.approx(101 / 1.5))
    journal = life.open()
    again = Scene()
    restore_kernel(again.kernel, journal, MORNING, kept_divisions(journal))
    journal.close()
    mine = [rung for rung in again.kernel.state.rungs.values() if rung.quantity]
    assert figures(again)[1][:2] == before[1][:2]
    was = [row for row in before[0] if row[0]]
    assert [
        (int(rung.quantity), rung.average, rung.stop, rung.target, rung.high) for rung in mine
    ] == was
    assert all(rung.gtt is None or rung.gtt.created > MORNING for rung in mine), (
        "no stop of the old prices"
    )


def test_fractions_of_a_share_are_lost_once_and_not_by_rung(life):
    def three(scene):
        plan = LadderPlan(
            [RungPlan(0.0, 9.0), RungPlan(1.0, 9.0), RungPlan(1.0, 9.0)], 0, Product.CNC, quantity=5
        )
        order = only(scene.act(lambda ctx: ctx.ladder(CANBK, Side.BUY, plan)), PlaceOrder).order
        for number, price in enumerate((100.0, 102.0, 105.0)):
            scene.fill(order, f"B{number}", price)
            order = only(scene.tick(price + 3.0), PlaceOrder).order if number < 2 else None

    life.run(three)
    scene, _ = life.again(day=1)
    scene.tell(CarriedDivision(MORNING, CANBK, 3, 2, MORNING))
    # 15 x 1.5 = 22.5
    assert sum(int(rung.quantity) for rung in scene.kernel.state.rungs.values()) == 22
    assert scene.kernel.ledger.account(CANBK).quantity == 22


def test_what_was_bought_on_the_day_itself_is_not_divided():
    scene = Scene()
    scene.hold(21)
    scene.tell(CarriedDivision(scene.now, CANBK, 5, 1, MIDNIGHT))
    assert (scene.rung.quantity, scene.rung.stop) == (21, 98.0)


def test_an_intraday_position_is_not_divided_whenever_it_was_opened():
    scene = Scene()
    scene.hold_intraday(21)
    stop, target, high = scene.rung.stop, scene.rung.target, scene.rung.high
    scene.tell(SPLIT)
    assert (scene.rung.quantity, stop) == (21, 98.0)
    assert (scene.rung.stop, scene.rung.target, scene.rung.high) == (stop, target, high)


def test_a_disabled_gtt_holds_what_it_was_for_until_somebody_says_why(life):
    life.run(lambda scene: scene.hold(21))
    scene, _ = life.again(day=1)
    tomorrow(scene)
    scene.gtt(scene.rung.gtt, GttStatus.DISABLED)
    scene.tick(20.0)
    scene.seconds(10)
    scene.operate(OperatorAct.FLATTEN, reason="enough")
    scene.seconds(10)
    assert some(scene.asked, PlaceOrder) == some(scene.asked, PlaceGtt) == []
    scene.operate(OperatorAct.RESUME)


# what is believed


class Owner:
    def __init__(self, apart=0):
        self.doubted = {}
        self.shares = apart

    def apart(self, symbol, product):
        assert (symbol, product) == ("CANBK", "CNC")
        return self.shares


def seen(
    life, *, holding=21, average=100.0, close=20.1, apart=0, actions=None, disable=False, stop=2.0
):
    """Hold 21 bought at ₹100.00 under a stop, and open the next day.

    Return (ratio or None, doubt).
    """
    life.run(lambda scene: scene.hold(21, stop=stop))
    scene, _ = life.again(day=1)
    if disable:
        scene.gtt(scene.rung.gtt, GttStatus.DISABLED)
    close_at(scene, close)
    owner = Owner(apart)
    books = [BrokerHolding(CANBK, "CANBK", holding, average)]
    listed = None if actions is None else CorporateActions(actions)
    found = recognise_divisions(scene.kernel, listed, books, owner, YESTERDAY, TODAY, scene.now)
    assert len(found) < 2
    return found[0][0].ratio if found else None, owner.doubted.get(CANBK)


@pytest.mark.parametrize(
    ("books", "ratio"),
    [
        ({"holding": 105, "average": 20.0}, 5),
        # of the owner's fifty nobody knows the price
        ({"holding": 355, "average": 31.0, "apart": 50}, 5),
        # no price that five for one explains
        ({"holding": 105, "average": 20.0, "close": 26.0}, None),
        ({"holding": 105, "average": 33.0}, None),  # not what ours have cost
        ({"holding": 21, "average": 100.0}, None),  # not credited, and no list
        ({"holding": 97, "average": 21.65}, None),  # no whole ratio
        # 4:3, or what three for two left of a fraction
        ({"holding": 28, "average": 75.0, "close": 73.0}, None),
    ],
)
def test_without_a_list_shares_cost_and_close_have_to_say_the_same(life, books, ratio):
    found, doubt = seen(life, **books)
    assert found == ratio
    assert (doubt is None) == (ratio is not None)
    if doubt:
        assert "far beyond its stop: was it split?" in doubt


def test_a_night_like_any_other_divides_nothing_and_doubts_nothing(life):
    assert seen(life, close=97.0) == (None, None)


def test_a_purchase_by_the_owner_is_no_split(life):
    assert seen(life, holding=42, average=100.0, close=99.5) == (None, None)


def test_a_disabled_gtt_alone_is_a_doubt(life):
    ratio, doubt = seen(life, close=99.0, disable=True)
    assert (ratio, doubt) == (
        None,
        "the broker has disabled GTT 7: was it split? nothing of it is sold until that is decided",
    )


@pytest.mark.parametrize(("ex", "found"), [(TODAY, 2), (YESTERDAY, None)])
def test_the_list_is_believed_for_the_days_since_the_desk_was_opened(life, ex, found):
    bonus = CorporateAction("CANBK", ex, ActionKind.BONUS, 2.0, 0.0, "Bonus 1:1")
    assert seen(life, close=98.5, actions=[bonus]) == (found, None)


# beside the broker's books


class Night:
    """A desk with 21 of its own beside fifty of the owner's, before a bonus of four for one."""

    def __init__(self, holding):
        self.desk = desk = Desk(Notes())
        desk.hold(21)
        desk.scene.rung.opened -= DAY
        desk.scene.gtt(desk.scene.rung.gtt, GttStatus.DISABLED)
        desk.books.at |= {"positions": [], "orders": [], "trades": [], "gtts": []}
        desk.journal.meta["ignored:CANBK:CNC"] = "50"
        desk.reconciler = Reconciler(
            desk.scene.kernel,
            desk.books,
            desk.journal,
            desk.clock,
            desk.writer,
            ReconcileSettings(funds_bound=10**10),
        )
        desk.choices.reconciler = desk.reconciler
        self.credit(holding)

    def credit(self, holding, average=100.0):
        self.desk.books.at["holdings"] = [BrokerHolding(CANBK, "CANBK", holding, average)]

    def divide(self, ratio_of_books):
        desk = self.desk
        bonus = CorporateAction(
            "CANBK", TODAY, ActionKind.BONUS, float(ratio_of_books), 0.0, "Bonus 4:1"
        )
        found = recognise_divisions(
            desk.scene.kernel,
            CorporateActions([bonus]),
            desk.books.at["holdings"],
            desk.reconciler,
            YESTERDAY,
            TODAY,
            MORNING,
        )
        for division, _ in found:
            desk.scene.tell(desk.reconciler.record_division(division, "CANBK"))


SETTLED = [("CANBK:CNC", "quantity", 0)]
"""The owner's are set apart, and nothing else."""


def lacks(desk):
    return dict(desk.reconciler.lacking_shares())


def test_what_is_credited_with_the_ex_date_leaves_no_difference():
    night = Night(355)
    night.divide(5)
    assert night.desk.look(2) == SETTLED
    assert (night.desk.reconciler.apart("CANBK", "CNC"), lacks(night.desk)) == (250, {})


def test_what_is_credited_later_is_awaited_and_then_the_owners_and_ours():
    night = Night(71)
    night.divide(5)
    desk = night.desk
    assert desk.look(2) == [("CANBK:CNC", "awaited", -84)]
    assert desk.reconciler.open_differences == (), "it comes by itself"
    assert list(lacks(desk).values()) == [84], "no more is sold than is there beside the owner's"
    again = Reconciler(
        desk.scene.kernel,
        desk.books,
        desk.journal,
        desk.clock,
        desk.writer,
        ReconcileSettings(funds_bound=10**10),
    )
    desk.reconciler = again
    assert desk.look(2) == [("CANBK:CNC", "awaited", -84)], "a restart knows it, too"
    night.credit(355, 20.0)
    assert desk.look(2) == SETTLED
    assert (again.apart("CANBK", "CNC"), lacks(desk)) == (250, {})
    assert not kept_divisions(desk.journal)[0].awaited


def test_what_a_stop_has_sold_while_nobody_looked_is_not_awaited_though_the_owners_become_as_many():
    night = Night(28)  # four times the owner's seven, or his seven and our 21
    desk, gtt = night.desk, night.desk.scene.rung.gtt
    desk.reconciler._ignored["CANBK:CNC"] = 7
    gtt.status, gtt.past = GttStatus.TRIGGERED, True
    night.divide(4)
    assert desk.look(2) == [("CANBK:CNC", "missing", -84)]
    assert (desk.reconciler.apart("CANBK", "CNC"), list(lacks(desk).values())) == (28, [84])


@pytest.mark.parametrize(
    ("choice", "quantity", "stop"), [("adopt", 105, 19.6), ("ignore", 21, 98.0)]
)
def test_where_it_is_not_certain_nothing_is_sold_until_the_operator_has_chosen(
    choice, quantity, stop
):
    night = Night(355)
    desk = night.desk
    desk.reconciler.doubted[CANBK] = "why not"
    assert desk.look(2) == [("division:CANBK:CNC", "division", 355)]
    assert list(lacks(desk).items()) == [((CANBK, Product.CNC, 1), 21)]
    assert "we have 21 beside 50 of the owner's" in desk.reconciler.open_differences[0]
    assert desk.decide("all ignore")[0] == "done: 0 ignored"
    desk.scene.now = desk.clock.now() + DAY  # tomorrow: the rung is of an earlier day
    desk.clock.set(desk.scene.now)
    told, _ = desk.decide(f"division:CANBK:CNC {choice}")
    assert told == f"done: CANBK goes on, {'5 for 1' if choice == 'adopt' else 'as it was'}"
    assert (desk.scene.rung.quantity, desk.scene.rung.stop) == (quantity, stop)
    assert desk.reconciler.doubts() == {}
    assert (CANBK, "CNC") in desk.reconciler.unsure, "nothing of it leaves before another look"
