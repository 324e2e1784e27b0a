"""The order path over a death: what the journal brings back, and what the next run does with it."""

import asyncio

import pytest

from compiled.model.events import (
    CancelOrder,
    DeleteGtt,
    OperatorAct,
    PlaceGtt,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
    ShareShortfall,
    WriteOff,
)
from compiled.model.order_terms import OrderTerms, Variety
from compiled.model.values import (
    MINUTE,
    SECOND,
    Bar,
    GttStatus,
    Instrument,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Product,
    Side,
)
from compiled.trading.ladder import LadderPlan, RungPlan
from compiled.trading.risk import RiskLimits
from engine.books.share_register import ShareRegister
from engine.day.opening import unlisted_instruments
from engine.market.charges import load_rate_table
from engine.orders.records import JournalRecorder
from engine.orders.restore import restore_kernel
from engine.ports import BrokerHolding
from store.sqlite_journal import SqliteJournal
from tests.compiled.trading.reports.test_lacking import fires
from tests.compiled.trading.scripted import BEL, CANBK, OPEN, Scene, only, some

DAY = 86_400 * SECOND
MIDNIGHT = OPEN - (9 * 60 + 15) * MINUTE


class Life:
    """Runs of a desk on one database.

    A run is a `Scene` whose every change is recorded before the next event.
    """

    def __init__(self, path):
        self.path = path
        self.failures = []

    def open(self):
        return SqliteJournal(self.path, lambda name, error: self.failures.append((name, error)))

    def run(self, act, **options):
        """Live one run until it dies: `act` gets the scene."""
        journal = self.open()
        scene = Scene(**options)
        scene.after = JournalRecorder(scene.kernel, journal).flush
        act(scene)
        journal.close()
        assert self.failures == []

    def again(self, day=0, **options):
        """Return the next run's scene, restored, and what it does not know, `day` days later."""
        journal = self.open()
        scene = Scene(**options)
        unknown = restore_kernel(scene.kernel, journal, MIDNIGHT + day * DAY)
        journal.close()
        scene.asked.clear()
        return scene, unknown


@pytest.fixture
def life(tmp_path):
    return Life(tmp_path / "desk.db")


def tomorrow(scene):
    """Have a restored scene live on the next day."""
    scene.kernel.begin_session(OPEN + DAY, OPEN + DAY + 375 * MINUTE)
    scene.now = OPEN + DAY + MINUTE
    scene.tick(100.0)


def _apart(journal):
    rows = journal.load("meta", "key LIKE 'ignored:%' AND value IS NOT NULL")
    return {row["key"]: row["value"] for row in rows}


@pytest.mark.parametrize("exchange", ["NSE", "BSE"])
def test_a_share_that_is_listed_anew_keeps_its_position_by_its_isin_wherever_it_is_held(
    life, exchange
):
    life.run(lambda scene: scene.hold(100))
    was, now = (
        Instrument(token, "NSE", name, 0.05)
        for token, name in ((CANBK, "CANBK"), (BEL, "CANARABANK"))
    )
    told = []

    async def morning(listed, token, symbol):
        register = ShareRegister(journal, listed)
        here = token if exchange == "NSE" else 532483 << 8 | 4
        held = BrokerHolding(here, symbol, 100, 100.0, exchange=exchange, isin="INE476A01022")
        await register.follow_renames([held], lambda *line: told.append(line))
        await journal.commit()

    journal = life.open()
    journal.append("meta", {"key": "ignored:CANBK:CNC", "value": "40"})
    asyncio.run(morning([was], CANBK, "CANBK"))
    asyncio.run(morning([was, now], BEL, "CANARABANK"))
    assert told == [], "its old listing is still there: these are two things"
    asyncio.run(morning([now], BEL, "CANARABANK"))
    assert _apart(journal) == {"ignored:CANARABANK:CNC": "40"}, "what is the owner's stays his"
    journal.close()
    assert told == [
        ("warn", "renamed", "CANBK is listed as CANARABANK now; its position goes on under it")
    ]
    scene, _ = life.again(day=1)
    [ladder] = scene.kernel.state.ladders.values()
    [rung] = ladder.rungs
    assert (ladder.instrument.token, rung.quantity, rung.average) == (BEL, 100, 100.0)
    assert (rung.gtt.token, rung.gtt.legs[0].quantity) == (BEL, 100)
    assert scene.kernel.ledger.cash == 10**10, "it was paid for on an earlier day"


def test_a_share_under_another_token_keeps_its_position_by_its_symbol_whatever_the_broker_holds(
    life,
):
    life.run(lambda scene: scene.hold(100))
    told = []

    async def morning():
        await journal.commit()
        await ShareRegister(journal, [Instrument(BEL, "NSE", "CANBK", 0.05)]).follow_renames(
            [], lambda *line: told.append(line)
        )

    journal = life.open()
    journal.append("meta", {"key": "ignored:CANBK:CNC", "value": "40"})
    asyncio.run(morning())
    assert _apart(journal) == {"ignored:CANBK:CNC": "40"}
    assert unlisted_instruments(journal, [Instrument(BEL, "NSE", "CANBK", 0.05)]) == []
    journal.close()
    text = f"CANBK is listed under token {BEL} now, {CANBK} before; its position goes on under it"
    assert told == [("warn", "renamed", text)]
    scene, _ = life.again(day=1)
    [ladder] = scene.kernel.state.ladders.values()
    assert (ladder.instrument.token, ladder.rungs[0].quantity, ladder.rungs[0].gtt.token) == (
        BEL,
        100,
        BEL,
    )


def two_rungs(scene):
    """Buy 100 at ₹100.00 and at ₹102.00 in one ladder; the second stops out at ₹101.50."""
    plan = LadderPlan([RungPlan(0.0, 2.0), RungPlan(1.0, 2.0)], 0, Product.CNC, quantity=100)
    first = only(scene.act(lambda ctx: ctx.ladder(CANBK, Side.BUY, plan)), PlaceOrder).order
    scene.answer(only(scene.fill(first), PlaceGtt).gtt.intent, RequestOutcome.ACCEPTED, "7")
    second = only(scene.tick(102.0), PlaceOrder).order
    gtt = only(scene.fill(second, "B2", 102.0), PlaceGtt).gtt
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "8")
    scene.gtt(gtt, GttStatus.TRIGGERED, ["S1"])
    scene.book("S1", OrderStatus.COMPLETE, 100, "", 100, side=Side.SELL)
    scene.trade("tS1", "S1", 100, 101.5, Side.SELL)


def sells_the_rest(scene):
    scene.fill(scene.leave(), "S2", 103.0)
    return int(scene.kernel.order_store.fills[-1].realised), scene.kernel.ledger.position(
        "script", CANBK
    ).realised


def test_the_average_over_several_rungs_goes_on_over_a_night_as_if_the_desk_had_never_ended(life):
    unbroken = Scene()
    two_rungs(unbroken)
    # 200 shares at 101.00 on average; 100 leave at 101.50
    assert (unbroken.kernel.ledger.realised, unbroken.kernel.ledger.account(CANBK).average) == (
        50_00,
        101.0,
    )
    life.run(two_rungs)
    scene, _ = life.again(day=1)
    assert scene.rung.average == 100.0
    assert scene.kernel.ledger.position("script", CANBK).average == 101.0
    tomorrow(scene)
    assert sells_the_rest(scene) == (200_00, 200_00)
    assert sells_the_rest(unbroken) == (200_00, 250_00)


def trade_and_finish(scene):
    scene.hold()
    scene.fill(scene.leave(), "S1", 101.0)


def test_a_protected_position_comes_back_as_it_was(life):
    life.run(lambda scene: scene.hold(target=4.0))
    scene, unknown = life.again()
    scene.seconds(30)
    assert unknown == []
    assert (scene.account, scene.kernel.view.naked(), scene.rung.stop, scene.rung.target) == (
        100,
        0,
        98.0,
        104.0,
    )
    assert scene.asked == []


@pytest.mark.parametrize("flatten", [False, True])
def test_nothing_is_sent_for_intraday_shares_of_an_earlier_day_which_the_broker_has_closed(
    life, flatten
):
    life.run(lambda scene: scene.hold_intraday(100))
    scene, _ = life.again(day=1)
    tomorrow(scene)
    assert (scene.account, scene.rung.quantity) == (100, 100)
    if flatten:
        scene.operate(OperatorAct.FLATTEN, reason="enough")
    scene.tick(50.0)
    scene.seconds(120)
    assert some(scene.asked, PlaceOrder) == []
    assert scene.kernel.view.naked() == 1, (
        "it stands as a difference, and is counted until it is written off"
    )
    scene.tell(WriteOff(scene.now, CANBK, Product.MIS, Side.BUY, 100))
    assert (scene.rung.quantity, scene.kernel.view.naked(), some(scene.asked, PlaceOrder)) == (
        0,
        0,
        [],
    )


def test_a_stop_that_fired_while_away_counts_as_sold_over_another_restart_even_to_a_flatten(
    life,
):
    life.run(lambda scene: fires(scene, scene.hold(100)))
    scene, _ = life.again()
    scene.kernel.state.is_blind = True
    scene.operate(OperatorAct.FLATTEN, reason="enough")
    scene.tick(90.0)
    scene.seconds(30)
    assert (scene.exits(), some(scene.asked, PlaceGtt)) == ([], [])
    scene.tell(ShareShortfall(scene.now, CANBK, Product.CNC, Side.BUY, 0))  # it has sold nothing
    assert [order.quantity for order in scene.exits()] == [100]


def test_a_sale_after_the_restart_makes_the_purchase_before_it_intraday(life):
    rates = {
        product: load_rate_table().rates(segment, "NSE", 20251007)
        for product, segment in ((Product.CNC, "EQ_DELIVERY"), (Product.MIS, "EQ_INTRADAY"))
    }
    life.run(Scene.hold, rates=rates)
    scene, _ = life.again(rates=rates)
    # 10,000 bought: STT 10, exchange 0.30, IPFT and SEBI 0.01, stamp 1.50 billed as 2, GST 2 x 0.03
    assert scene.kernel.ledger.charges == 12_38
    scene.fill(scene.leave(), "S1", 101.0)
    # as intraday, with 10,100 sold: brokerage 6.03, STT 2.525 billed as 3, exchange 0.60, IPFT and
    # SEBI 0.02, stamp 0.30 billed as 0, GST 2 x 0.60
    assert scene.kernel.ledger.charges == 10_87


def test_a_fill_without_its_gtt_is_protected_after_the_restart(life):
    def die_before_the_gtt(scene):
        order = scene.enter()
        scene.accept(order, "B1")
        scene.book("B1", OrderStatus.COMPLETE, 100, order.tag)

    life.run(die_before_the_gtt)
    scene, unknown = life.again()
    assert unknown == []
    gtt = only(scene.trade("t1", "B1", 100, 100.0), PlaceGtt).gtt
    assert gtt.legs[0].quantity == 100


def test_an_exit_that_died_unanswered_is_looked_for_and_not_sent_again(life):
    def die_selling(scene):
        scene.hold()
        scene.leave()

    life.run(die_selling)
    scene, unknown = life.again()
    scene.seconds(60)
    assert len(unknown) == 1
    assert some(scene.asked, PlaceOrder) == []
    assert some(scene.asked, PlaceGtt) == []
    order = scene.rung.exit
    scene.book("S1", OrderStatus.COMPLETE, 100, order.tag, side=Side.SELL)
    scene.trade("tS1", "S1", 100, 99.0, Side.SELL)
    assert (scene.account, scene.kernel.view.open_positions()) == (0, 0)


def test_a_trade_booked_before_the_death_is_not_booked_again(life):
    life.run(lambda scene: scene.hold())
    scene, _ = life.again()
    scene.trade("tB1", "B1", 100, 100.0)
    assert scene.account == 100


def test_an_exit_asked_for_before_the_death_is_carried_out_after_it(life):
    def die_leaving(scene):
        gtt = scene.hold()
        scene.operate(OperatorAct.EXIT, token=CANBK)
        scene.answer(gtt.intent, RequestOutcome.UNKNOWN, "7", RequestVerb.CANCEL, "timeout")

    life.run(die_leaving)
    scene, _ = life.again()
    scene.gtt(scene.rung.gtt, GttStatus.ACTIVE)
    scene.seconds(2)
    assert some(scene.asked, DeleteGtt)


def test_an_exit_that_rested_at_yesterdays_close_does_not_keep_todays_protection_away(life):
    def die_with_a_resting_exit(scene):
        gtt = scene.hold()
        scene.gtt(gtt, GttStatus.TRIGGERED, ["S1"])
        scene.book("S1", OrderStatus.OPEN, 0, price=97.5, side=Side.SELL)

    life.run(die_with_a_resting_exit)
    scene, _ = life.again(day=1, close=OPEN + DAY)
    tomorrow(scene)
    scene.seconds(30)
    # its stop has fired: what did not trade yesterday leaves today, wherever the price is by now
    order = only(scene.asked, PlaceOrder).order
    assert (order.purpose, order.side, order.quantity) == (OrderPurpose.EXIT, Side.SELL, 100)
    assert some(scene.asked, PlaceGtt) == []


def test_a_ladder_that_was_over_stays_over_and_its_symbol_is_free(life):
    life.run(trade_and_finish)
    scene, _ = life.again()
    assert (
        len(some(scene.act(lambda ctx: ctx.enter(CANBK, Side.BUY, 0, 2.0, quantity=5)), PlaceOrder))
        == 1
    )


def test_entries_of_earlier_days_are_not_counted_today(life):
    life.run(lambda scene: scene.hold())
    scene, _ = life.again(day=1)
    assert scene.kernel.state.entry_count == 0


def test_a_ladder_keeps_its_number_of_shares(life):
    life.run(lambda scene: scene.hold(quantity=100))
    scene, _ = life.again()
    ladder = next(iter(scene.kernel.state.ladders.values()))
    assert ladder.plan.quantity == 100


def test_a_finished_ladder_in_a_symbol_that_is_no_longer_watched_does_not_stop_the_desk(life):
    life.run(trade_and_finish)
    journal = life.open()
    scene = Scene()
    del scene.kernel.state.markets[CANBK]
    try:
        restore_kernel(scene.kernel, journal, MIDNIGHT)
    finally:
        journal.close()


def test_losing_trades_in_a_row_are_counted_over_a_restart_and_not_over_a_night(life):
    def lose(scene):
        scene.hold()
        scene.fill(scene.leave(), "S1", 99.0)

    life.run(lose)
    scene, _ = life.again()
    assert (
        scene.kernel.state.losses,
        scene.kernel.state.slots[0].losses,
        scene.kernel.state.round_trips,
    ) == (
        1,
        1,
        1,
    )
    scene, _ = life.again(day=1)
    assert (
        scene.kernel.state.losses,
        scene.kernel.state.slots[0].losses,
        scene.kernel.state.round_trips,
    ) == (
        0,
        0,
        0,
    )


def test_the_days_highest_profit_is_known_after_a_restart_and_forgotten_over_a_night(life):
    def rise_and_fall(scene):
        scene.hold(100)
        scene.tick(101.0)
        scene.seconds(3)
        scene.tick(100.25)
        scene.seconds(3)

    life.run(rise_and_fall)
    scene, _ = life.again()
    assert scene.kernel.state.peak == 100 * 100
    journal = life.open()
    scene = Scene()
    tomorrow(scene)
    restore_kernel(scene.kernel, journal, MIDNIGHT + DAY)
    journal.close()
    assert scene.kernel.state.peak == 0


def test_an_order_is_recorded_before_its_fills(life):
    rows = []
    journal = life.open()
    append = journal.append

    def listen(table, row):
        rows.append((table, row.get("intent")))
        append(table, row)

    journal.append = listen
    scene = Scene()
    scene.after = JournalRecorder(scene.kernel, journal).flush
    gtt = scene.hold()
    scene.trade("t9", "S1", 100, 97.95, Side.SELL)
    scene.gtt(gtt, GttStatus.TRIGGERED, ["S1"])
    journal.close()
    fills = [index for index, (table, _) in enumerate(rows) if table == "fills"]
    assert len(fills) == 2
    for index in fills:
        assert ("intents", rows[index][1]) in rows[:index]


def test_an_intraday_stop_comes_back_as_the_stop_and_is_not_placed_twice(life):
    def die_trailing(scene):
        stop = scene.hold_intraday()
        scene.tick(103.0, after=6)
        scene.answer(stop.intent, RequestOutcome.ACCEPTED, "G1", RequestVerb.MODIFY)

    life.run(die_trailing)
    scene, unknown = life.again()
    scene.seconds(30)
    stop = scene.rung.stop_order
    assert (stop.order_id, stop.trigger, stop.order_type, stop.modifies) == (
        "G1",
        100.9,
        OrderType.SLM,
        1,
    )
    assert (unknown, scene.kernel.view.naked(), scene.rung.stop, some(scene.asked, PlaceOrder)) == (
        [],
        0,
        100.9,
        [],
    )


def test_a_stop_order_that_died_unanswered_is_looked_for_and_not_sent_again(life):
    life.run(lambda scene: scene.fill(scene.enter(product=Product.MIS)))
    scene, unknown = life.again()
    scene.seconds(60)
    assert len(unknown) == 1
    assert some(scene.asked, PlaceOrder) == []
    scene.book("G1", OrderStatus.TRIGGER_PENDING, 0, scene.rung.stop_order.tag, side=Side.SELL)
    assert scene.kernel.view.naked() == 0


def test_a_stop_triggered_while_the_desk_was_dead_closes_the_position(life):
    life.run(lambda scene: scene.hold_intraday())
    scene, _ = life.again()
    scene.book("G1", OrderStatus.COMPLETE, 100, side=Side.SELL)
    scene.trade("t9", "G1", 100, 97.9, Side.SELL)
    scene.seconds(5)
    assert (scene.account, scene.kernel.view.open_positions(), some(scene.asked, PlaceOrder)) == (
        0,
        0,
        [],
    )


def test_a_rung_that_was_leaving_alone_still_leaves_after_the_restart(life):
    def die_leaving_one(scene):
        gtt = scene.hold()
        scene.gtt(gtt, GttStatus.TRIGGERED, reason="circuit limit")

    life.run(die_leaving_one)
    scene, _ = life.again()
    assert scene.rung.leaving
    assert not next(iter(scene.kernel.state.ladders.values())).leaving


def test_a_position_is_protected_after_a_restart_before_its_first_tick(life):
    def die_before_the_gtt(scene):
        order = scene.enter()
        scene.accept(order, "B1")
        scene.kernel.order_store.commands = []
        scene.trade("t1", "B1", 100, 100.0)
        gtt = scene.rung.gtt
        scene.answer(gtt.intent, RequestOutcome.BUSY, reason="busy: later")

    life.run(die_before_the_gtt)
    scene, _ = life.again(quoted=False)
    scene.kernel.strategy_host.warm_up(
        [Bar(CANBK, scene.now - MINUTE, 60, 100.0, 100.0, 100.0, 100.0, 10)]
    )
    scene.timer()
    assert [leg.trigger for leg in only(scene.asked, PlaceGtt).gtt.legs] == [98.0]


def test_a_number_whose_tag_stands_at_the_broker_is_not_given_out_again():
    scene = Scene()
    scene.book("F1", OrderStatus.COMPLETE, 100, tag="T41", side=Side.SELL)
    scene.book("F2", OrderStatus.COMPLETE, 100, tag="Tom", side=Side.SELL)
    assert scene.enter().tag == "T42"


def test_an_exit_that_left_on_a_full_disk_is_recalled_by_its_tag_and_not_sent_again(life):
    life.run(lambda scene: scene.hold())
    scene, _ = life.again()
    scene.tick(100.0)
    scene.book("F1", OrderStatus.COMPLETE, 100, "T41", 100, side=Side.SELL)
    scene.trade("t1", "F1", 100, 101.0, Side.SELL)
    found = scene.operate(OperatorAct.EXIT, token=CANBK) + scene.seconds(5)
    assert (scene.account, some(found, PlaceOrder)) == (0, [])
    assert "F1" not in scene.kernel.order_reports.externals


def test_an_exit_that_left_on_a_full_disk_is_recalled_although_its_entry_was_not_known_filled(
    life,
):
    def enter(scene):
        scene.accept(scene.enter(), "B1")

    life.run(enter)
    scene, _ = life.again()
    scene.tick(100.0)
    scene.book("F1", OrderStatus.COMPLETE, 100, "T41", 100, side=Side.SELL)
    scene.book("B1", OrderStatus.COMPLETE, 100, "T1", 100)
    scene.trade("t1", "F1", 100, 101.0, Side.SELL)
    scene.trade("t0", "B1", 100, 100.0)
    found = scene.operate(OperatorAct.EXIT, token=CANBK) + scene.seconds(5)
    assert (scene.account, some(found, PlaceOrder)) == (0, [])
    assert "F1" not in scene.kernel.order_reports.externals


def test_what_is_held_counts_in_full_before_its_first_price_after_a_restart(life):
    life.run(lambda scene: scene.hold())
    scene, _ = life.again(limits=RiskLimits(max_exposure=15_000_00), quoted=False)
    scene.script.todo = [lambda ctx: ctx.enter(BEL, Side.BUY, 0, 2.0, quantity=60)]
    assert some(scene.tick(100.0, BEL), PlaceOrder) == []
    scene.script.todo = [lambda ctx: ctx.enter(BEL, Side.BUY, 0, 2.0, quantity=40)]
    assert len(some(scene.tick(100.0, BEL), PlaceOrder)) == 1


def test_an_intraday_exit_that_left_on_a_full_disk_is_recalled_although_its_old_stop_seems_to_stand(
    life,
):
    def live(scene):
        entry = only(
            scene.act(
                lambda ctx: ctx.enter(CANBK, Side.BUY, 0, 2.0, quantity=100, product=Product.MIS)
            ),
            PlaceOrder,
        ).order
        stop = only(scene.fill(entry), PlaceOrder).order
        scene.accept(stop, "G1")
        scene.book("G1", OrderStatus.TRIGGER_PENDING, 0, stop.tag, 100, side=Side.SELL)

    life.run(live)
    scene, _ = life.again()
    scene.book("F1", OrderStatus.COMPLETE, 100, "T41", 100, side=Side.SELL)
    scene.book("G1", OrderStatus.CANCELLED, 0, "", 100, side=Side.SELL)
    scene.trade("t1", "F1", 100, 101.0, Side.SELL)
    found = scene.operate(OperatorAct.EXIT, token=CANBK) + scene.seconds(5)
    assert (scene.account, some(found, PlaceOrder)) == (0, [])


def test_an_iceberg_comes_back_with_its_legs_and_goes_on(life):
    def die_in_the_second_leg(scene):
        order = only(
            scene.act(
                lambda ctx: ctx.buy(
                    CANBK, 100, 2.0, price=99.5, terms=OrderTerms(Variety.ICEBERG, legs=3)
                )
            ),
            PlaceOrder,
        ).order
        scene.accept(order, "B1")
        scene.trade("t1", "B1", 34, 99.5)
        scene.book("B1", OrderStatus.COMPLETE, 34, order.tag, 34)
        scene.book("B2", OrderStatus.OPEN, 0, order.tag, 34)

    life.run(die_in_the_second_leg)
    scene, unknown = life.again()
    order = scene.rung.entry
    assert (order.terms.legs, order.whole, order.quantity, order.sibling.order_id) == (
        3,
        100,
        34,
        "B2",
    )
    scene.trade("t2", "B2", 34, 99.5)
    scene.book("B2", OrderStatus.COMPLETE, 34, order.tag, 34)
    scene.book("B3", OrderStatus.COMPLETE, 32, order.tag, 32)
    scene.trade("t3", "B3", 32, 99.5)
    assert (scene.account, scene.alarms()) == (100, [])
    assert all(intent == scene.rung.gtt.intent for intent in unknown)


def test_an_evening_order_lives_into_the_next_day_and_an_ordinary_one_does_not(life):
    def order_twice(scene):
        scene.now = OPEN + 376 * MINUTE
        scene.timer()
        evening = only(
            scene.act(
                lambda ctx: ctx.buy(CANBK, 100, 2.0, price=99.5, terms=OrderTerms(Variety.AMO))
            ),
            PlaceOrder,
        ).order
        scene.accept(evening, "B1")

    life.run(order_twice)
    scene, _ = life.again(day=1)
    assert scene.rung.entry.status is OrderStatus.OPEN
    scene.book("B9", OrderStatus.OPEN, 0, scene.rung.entry.tag)
    scene.trade("t1", "B9", 100, 99.5)
    assert scene.account == 100


def test_a_modified_order_comes_back_as_the_broker_has_it(life):
    def die_after_the_change(scene):
        order = only(scene.act(lambda ctx: ctx.buy(CANBK, 100, 2.0, price=99.5)), PlaceOrder).order
        scene.accept(order, "B1")
        scene.act(lambda ctx: ctx.modify(order, 120, 99.8))
        scene.answer(order.intent, RequestOutcome.ACCEPTED, "B1", RequestVerb.MODIFY)

    life.run(die_after_the_change)
    scene, _ = life.again()
    order = scene.rung.entry
    assert (order.price, order.quantity, order.whole, order.modifies) == (99.8, 120, 120, 1)
    assert some(scene.timer(3600), CancelOrder) == []


def test_what_stands_on_an_instrument_the_broker_lists_no_longer_is_not_forgotten(life):
    life.run(lambda scene: scene.hold())
    journal = life.open()
    try:
        found = unlisted_instruments(journal, [Instrument(BEL, "NSE", "BEL", 0.05)])
    finally:
        journal.close()
    assert [(each.token, each.symbol) for each in found] == [(CANBK, "CANBK")]
