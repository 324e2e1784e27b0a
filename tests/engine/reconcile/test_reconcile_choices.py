"""The operator's choices about a difference, kind by kind, and over a restart."""

import asyncio

import pytest

from brokers.kite.zerodha_sandbox import KITE_RULES
from compiled.model.events import (
    BrokerTrade,
    CancelOrder,
    DeleteGtt,
    GttUpdate,
    ModifyGtt,
    OperatorAct,
    OrderUpdate,
    PlaceGtt,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
    WriteOff,
)
from compiled.model.values import (
    MINUTE,
    SECOND,
    GttLeg,
    GttStatus,
    OrderPurpose,
    OrderStatus,
    Product,
    Side,
)
from compiled.trading.ladder import protected_quantity
from engine.errors import RetryableError
from engine.orders.records import JournalRecorder
from engine.orders.restore import restore_kernel
from engine.ports import BrokerHolding, BrokerPosition
from store.sqlite_journal import SqliteJournal
from tests.asking import decision
from tests.compiled.trading.books import BOUND, CASH, Desk
from tests.compiled.trading.scripted import BEL, CANBK, OPEN, Scene, only, some

MIDNIGHT = OPEN - (9 * 60 + 15) * MINUTE
DAY = 86_400 * SECOND


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def stranger(desk):
    """A desk whose broker holds 12 BEL at ₹250.00 that it knows nothing of.

    BEL stands at ₹240.00.
    """
    desk.scene.tick(240.0, BEL)
    desk.books.at["holdings"] = [BrokerHolding(BEL, "BEL", 12, 250.0)]
    assert [kind for _, kind, _ in desk.look(2)] == ["unmanaged"]
    return desk


def ladder(desk, token=BEL):
    [found] = [
        each for each in desk.scene.kernel.state.ladders.values() if each.instrument.token == token
    ]
    return found


def profit(desk):
    return int(desk.scene.kernel.state.day_pnl)


# shares the broker has and we have not


def test_adopted_shares_get_a_ladder_and_a_stop_below_the_last_price(stranger):
    told, asked = stranger.decide("BEL:CNC adopt")
    gtt = only(asked, PlaceGtt).gtt
    assert told.startswith("done")
    assert [(leg.trigger, leg.side, leg.quantity) for leg in gtt.legs] == [(228.0, Side.SELL, 12)]
    adopted = ladder(stranger)
    assert (adopted.strategy, adopted.rungs[0].quantity, adopted.rungs[0].average) == (
        "adopted",
        12,
        250.0,
    )
    assert stranger.look(3) == []


def test_adopting_moves_shares_and_neither_cash_nor_the_profit_of_the_day(stranger):
    stranger.decide("BEL:CNC adopt")
    ledger = stranger.scene.kernel.ledger
    assert (ledger.cash, ledger.start_cash, profit(stranger)) == (CASH, CASH, 0)
    stranger.scene.tick(241.0, BEL)
    assert profit(stranger) == 12 * 100
    assert ledger.account(BEL).unrealised == 12 * (241_00 - 250_00)


def test_the_stop_of_adopted_shares_may_be_asked_for_and_does_not_trail(stranger):
    _, asked = stranger.decide("BEL:CNC adopt stop=10")
    assert only(asked, PlaceGtt).gtt.legs[0].trigger == 216.0
    stranger.scene.answer(only(asked, PlaceGtt).gtt.intent, RequestOutcome.ACCEPTED, "9")
    stranger.scene.tick(300.0, BEL)
    assert stranger.scene.seconds(30) == []


def test_adopting_takes_over_the_gtt_that_protects_the_shares_already(stranger):
    legs = [GttLeg(220.0, 219.0, Side.SELL, 12), GttLeg(270.0, 270.0, Side.SELL, 12)]
    stranger.books.at["gtts"] = [GttUpdate(0, 55, BEL, GttStatus.ACTIVE, legs, [])]
    told, asked = stranger.decide("BEL:CNC adopt")
    assert "GTT 55" in told
    assert some(asked, PlaceGtt) == []
    adopted = ladder(stranger)
    rung = adopted.rungs[0]
    assert (rung.stop, rung.target, protected_quantity(adopted, rung, 241.0)) == (220.0, 270.0, 12)
    assert stranger.scene.kernel.view.naked() == 0
    assert stranger.look(3) == []


@pytest.mark.parametrize(
    "legs",
    [
        [GttLeg(220.0, 219.0, Side.SELL, 11)],
        [GttLeg(270.0, 270.0, Side.SELL, 12)],
        [GttLeg(220.0, 219.0, Side.BUY, 12)],
    ],
    ids=["too few", "a target alone", "a purchase"],
)
def test_a_gtt_that_does_not_protect_the_shares_is_not_taken_over(stranger, legs):
    stranger.books.at["gtts"] = [GttUpdate(0, 55, BEL, GttStatus.ACTIVE, legs, [])]
    _, asked = stranger.decide("BEL:CNC adopt")
    assert only(asked, PlaceGtt).gtt.legs[0].trigger == 228.0
    assert [key for key, _, _ in stranger.look(2)] == ["gtt:55"]


def test_a_gtt_ten_paise_from_the_price_of_a_cheap_share_is_not_taken_over(stranger):
    stranger.scene.kernel.order_store.trigger_distance = (
        KITE_RULES.trigger_distance.with_clearance()
    )
    stranger.scene.tick(12.0, BEL)
    legs = [GttLeg(11.9, 11.85, Side.SELL, 12)]
    stranger.books.at["gtts"] = [GttUpdate(0, 55, BEL, GttStatus.ACTIVE, legs, [])]
    _, asked = stranger.decide("BEL:CNC adopt")
    # 5 % below 12.00
    assert only(asked, PlaceGtt).gtt.legs[0].trigger == 11.4


def test_a_gtt_that_sells_the_shares_of_another_product_is_not_taken_over(stranger):
    legs = [GttLeg(220.0, 219.0, Side.SELL, 12)]
    stranger.books.at["gtts"] = [GttUpdate(0, 55, BEL, GttStatus.ACTIVE, legs, [], product="MTF")]
    told, asked = stranger.decide("BEL:CNC adopt")
    assert "a stop is being placed" in told
    assert only(asked, PlaceGtt).gtt.legs[0].trigger == 228.0


def test_more_than_the_freeze_quantity_is_not_adopted_for_no_stop_could_protect_it(stranger):
    stranger.scene.kernel.state.markets[BEL].instrument.freeze = 11
    told, asked = stranger.decide("BEL:CNC adopt")
    assert told == (
        "refused: no stop takes more than 11, the exchange's freeze quantity; flatten it, or "
        "ignore it"
    )
    assert asked == []
    assert stranger.decide("BEL:CNC flatten")[0].startswith("done")


def test_assigned_shares_belong_to_the_strategy(stranger):
    told, _ = stranger.decide("BEL:CNC assign script")
    assert "script" in told
    stranger.scene.act(lambda ctx: ctx.exit(BEL, "enough"))
    assert ladder(stranger).leaving


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("BEL:CNC assign nobody", "no strategy nobody runs; there is script"),
        ("BEL:CNC assign", "assign needs a strategy"),
        ("BEL:CNC adopt script", "nothing else takes one"),
        ("BEL:CNC adopt stop=90", "expected percent below the last price, from 0.25 to 50"),
        ("BEL:CNC adopt stop=nan", "expected percent below the last price, from 0.25 to 50"),
        ("BEL:CNC adopt ratio=5", "expected shares after and before, like 5:1"),
        ("BEL:CNC adopt ratio=5:0", "expected shares after and before, like 5:1"),
        ("TCS:CNC adopt", "no difference TCS:CNC stands; there is BEL:CNC"),
        ("all adopt", "all can only be ignored"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(stranger, text, words):
    told, asked = stranger.decide(text)
    assert told.startswith("refused")
    assert words in told
    assert asked == []
    assert [key for key, _, _ in stranger.look()] == ["BEL:CNC"]


def test_a_strategy_that_does_not_follow_the_instrument_is_given_nothing(stranger):
    stranger.scene.kernel.state.slots[0].tokens = [CANBK]
    assert "does not follow" in stranger.decide("BEL:CNC assign script")[0]


def test_shares_without_a_price_are_not_adopted_yet(desk):
    desk.books.at["holdings"] = [BrokerHolding(BEL, "BEL", 12, 250.0)]
    desk.look(2)
    assert desk.decide("BEL:CNC adopt") == (
        "refused: BEL has no price yet; try again when it ticks",
        [],
    )


def test_flattened_shares_are_sold_at_once_and_never_protected(stranger):
    _, asked = stranger.decide("BEL:CNC flatten")
    order = only(asked, PlaceOrder).order
    assert (order.side, order.quantity, order.purpose, order.product) == (
        Side.SELL,
        12,
        OrderPurpose.EXIT,
        Product.CNC,
    )
    assert some(asked, PlaceGtt) == []


def test_intraday_shares_get_a_stop_order(desk):
    desk.scene.tick(240.0, BEL)
    desk.books.at["positions"] = [BrokerPosition(BEL, "BEL", "MIS", -5, 250.0)]
    desk.look(2)
    order = only(desk.decide("BEL:MIS adopt")[1], PlaceOrder).order
    assert (order.side, order.quantity, order.purpose, order.trigger) == (
        Side.BUY,
        5,
        OrderPurpose.PROTECT,
        252.0,
    )
    assert desk.look(3) == []


@pytest.mark.parametrize(
    ("quantity", "choice"), [(-5, "adopt"), (5, "adopt"), (-5, "flatten"), (5, "flatten")]
)
def test_the_cash_of_intraday_shares_agrees_with_the_broker_before_and_after(
    desk, quantity, choice
):
    desk.scene.tick(240.0, BEL)
    desk.books.at["positions"] = [BrokerPosition(BEL, "BEL", "MIS", 10_000 * quantity, 240.0)]
    margin = 10_000 * abs(quantity) * 240_00 // 5
    desk.books.cash = CASH - margin
    assert [key for key, _, _ in desk.look(2)] == ["BEL:MIS", "funds"]
    _, asked = desk.decide(f"BEL:MIS {choice}")
    if choice == "adopt":
        assert desk.look(3) == []
        return
    desk.scene.fill(only(asked, PlaceOrder).order, "X1", 240.0)
    desk.books.at["positions"] = []
    desk.books.cash = CASH
    assert desk.look(3) == []


def test_a_short_position_is_bought_back(desk):
    desk.scene.tick(240.0, BEL)
    desk.books.at["positions"] = [BrokerPosition(BEL, "BEL", "MIS", -5, 250.0)]
    desk.look(2)
    order = only(desk.decide("BEL:MIS flatten")[1], PlaceOrder).order
    assert (order.side, order.quantity, order.product) == (Side.BUY, 5, Product.MIS)


def test_nothing_is_flattened_while_the_market_is_closed(stranger):
    stranger.clock.set(OPEN + 400 * MINUTE)
    assert "the market is closed" in stranger.decide("BEL:CNC flatten")[0]


def test_a_desk_that_flattens_everything_flattens_what_is_adopted(stranger):
    stranger.scene.kernel.state.flattening = True
    assert only(stranger.decide("BEL:CNC adopt")[1], PlaceOrder).order.purpose is OrderPurpose.EXIT


def test_what_is_decided_twice_is_done_once(stranger):
    stranger.decide("BEL:CNC adopt")
    told, asked = stranger.decide("BEL:CNC adopt")
    assert told.startswith("refused")
    assert asked == []


def test_two_decisions_at_the_same_moment_are_one(stranger):
    stranger.choices.queue_decision(98, decision("BEL:CNC adopt"))
    _, asked = stranger.decide("BEL:CNC adopt")
    assert len(some(asked, PlaceGtt)) == 1
    assert stranger.scene.kernel.ledger.account(BEL).quantity == 12


def test_shares_that_went_meanwhile_are_not_adopted(stranger):
    stranger.books.at["holdings"] = []
    assert stranger.decide("BEL:CNC adopt") == (
        "refused: no difference BEL:CNC stands; there is none",
        [],
    )


def test_figures_that_change_meanwhile_are_decided_again(stranger):
    stranger.books.at["holdings"] = [BrokerHolding(BEL, "BEL", 20, 250.0)]
    assert "changing just now" in stranger.decide("BEL:CNC adopt")[0]


def test_what_was_asked_of_one_figure_is_not_done_with_another_that_has_come_to_stand_meanwhile(
    stranger,
):
    assert stranger.choices.queue_decision(1, decision("BEL:CNC ignore")) is None
    stranger.books.at["holdings"] = [BrokerHolding(BEL, "BEL", 20, 250.0)]
    stranger.look(2)
    asyncio.run(stranger.choices.carry_out())
    assert "it is another one since; look again: BEL:CNC: unmanaged: the broker has 20" in str(
        stranger.answers[1]
    )
    assert stranger.decide("BEL:CNC ignore")[0].startswith("done")


def test_nothing_is_decided_on_books_that_cannot_be_read(stranger):
    stranger.books.error = "orders", RetryableError("not JSON")
    told, asked = stranger.decide("BEL:CNC adopt")
    assert "cannot be read" in told
    assert asked == []


# ignoring


def test_an_ignored_difference_leaves_the_desk_clean_and_on_the_board(stranger):
    stranger.decide("BEL:CNC ignore")
    assert stranger.reconciler.open_differences == ()
    assert [(row.key, row.ignored) for row in stranger.board.differences.rows] == [
        ("BEL:CNC", True)
    ]


def test_what_we_trade_beside_ignored_shares_leaves_them_ignored(desk):
    desk.books.at["holdings"] = [BrokerHolding(CANBK, "CANBK", 30, 90.0)]
    desk.look(2)
    desk.decide("CANBK:CNC ignore")
    desk.hold()
    assert [figure for _, _, figure in desk.look(2)] == [0]
    assert (desk.only().apart, desk.only().theirs, desk.reconciler.open_differences) == (
        30,
        "130 at 97.69, 30 of them ignored",
        (),
    )


def test_an_ignored_difference_stays_ignored_over_a_restart_until_its_figure_changes(stranger):
    stranger.decide("BEL:CNC ignore")
    again = Desk(journal=stranger.journal)
    again.books.at["holdings"] = [BrokerHolding(BEL, "BEL", 12, 250.0)]
    again.look(2)
    assert again.reconciler.open_differences == ()
    again.books.at["holdings"] = [BrokerHolding(BEL, "BEL", 13, 250.0)]
    again.look(2)
    assert len(again.reconciler.open_differences) == 1


def test_everything_can_be_ignored_at_once(stranger):
    stranger.books.cash = CASH - 3 * BOUND
    stranger.look(2)
    assert stranger.decide("all ignore")[0] == "done: 2 ignored"
    assert stranger.reconciler.open_differences == ()


def test_ignored_shares_can_still_be_adopted(stranger):
    stranger.decide("BEL:CNC ignore")
    assert stranger.decide("BEL:CNC adopt")[0].startswith("done")
    assert stranger.journal.meta["ignored:BEL:CNC"] is None


# shares we have and the broker has not


def test_missing_shares_are_written_off_and_their_gtt_deleted(desk):
    desk.hold()
    desk.books.at["positions"] = []
    desk.look(2)
    desk.scene.tick(103.0)
    cash, made = int(desk.scene.kernel.ledger.cash), profit(desk)
    told, asked = desk.decide("CANBK:CNC adopt")
    assert "100 CANBK written off" in told
    assert only(asked, DeleteGtt).gtt.gtt_id == 7
    assert (desk.scene.account, int(desk.scene.kernel.ledger.cash), profit(desk)) == (0, cash, made)
    assert desk.scene.rung.exit_reason == "written off"


def test_shares_that_an_exit_is_selling_are_not_written_off_as_well(desk):
    desk.hold()
    desk.books.at["positions"] = [BrokerPosition(CANBK, "CANBK", "CNC", 60, 100.0)]
    desk.look(2)
    exit_ = desk.scene.leave()
    told, _ = desk.decide("CANBK:CNC adopt")
    assert told == "refused: CANBK is being left just now; decide when that is done"
    desk.scene.tell(WriteOff(desk.scene.now, CANBK, Product.CNC, Side.BUY, 40))
    assert (exit_.quantity, desk.scene.rung.quantity) == (100, 100)


def test_missing_shares_may_be_ignored(desk):
    desk.hold()
    desk.books.at["positions"] = []
    desk.look(2)
    desk.decide("CANBK:CNC ignore")
    assert (desk.reconciler.open_differences, desk.scene.account) == ((), 100)


def test_a_part_that_is_missing_is_written_off_and_the_gtt_made_smaller(desk):
    desk.hold()
    desk.books.at["positions"] = [BrokerPosition(CANBK, "CANBK", "CNC", 60, 100.0)]
    desk.look(8)
    _, asked = desk.decide("CANBK:CNC adopt")
    assert only(asked, ModifyGtt).gtt.pending[0].quantity == 60
    assert desk.scene.account == 60


# another quantity


@pytest.mark.parametrize("choice", ["adopt", "assign script"])
def test_shares_beyond_ours_become_a_ladder_of_their_own(desk, choice):
    desk.hold()
    desk.books.at["positions"] = [BrokerPosition(CANBK, "CANBK", "CNC", 140, 101.0)]
    desk.look(2)
    _, asked = desk.decide(f"CANBK:CNC {choice}")
    assert only(asked, PlaceGtt).gtt.legs[0].quantity == 40
    assert desk.scene.account == 140
    assert [key for key, _, _ in desk.look(2)] == []


def test_shares_beyond_ours_are_sold_and_ours_stay(desk):
    desk.hold()
    desk.books.at["positions"] = [BrokerPosition(CANBK, "CANBK", "CNC", 140, 101.0)]
    desk.look(2)
    _, asked = desk.decide("CANBK:CNC flatten")
    assert only(asked, PlaceOrder).order.quantity == 40
    assert some(asked, DeleteGtt) == []


# orders and trades


def stray(desk):
    desk.books.at["orders"] = [
        OrderUpdate(desk.scene.now, "X9", "T77", BEL, Side.BUY, OrderStatus.OPEN, 10, 0)
    ]
    desk.look(2)
    return desk


def test_a_stray_order_is_cancelled(desk):
    told, _ = stray(desk).decide("order:X9 flatten")
    assert told.startswith("done: cancelling X9")
    [command] = desk.gateway.sent
    assert isinstance(command, CancelOrder)
    assert command.order.order_id == "X9"


def test_a_stray_order_may_be_ignored_and_is_left_alone(desk):
    stray(desk).decide("order:X9 ignore")
    assert (desk.reconciler.open_differences, desk.gateway.sent) == ((), [])


def test_an_order_that_the_broker_does_not_list_counts_as_cancelled(desk):
    order = desk.scene.enter(10)
    desk.scene.accept(order, "B1")
    desk.look(18)
    assert desk.decide("order:B1 adopt")[0] == "done: B1 counts as cancelled"
    assert order.status is OrderStatus.CANCELLED
    desk.scene.timer()
    assert not desk.scene.kernel.state.ladders


def unbooked(desk):
    desk.hold()
    at = desk.books.at
    at["trades"].append(BrokerTrade(desk.scene.now, "t2", "B1", CANBK, Side.BUY, 5, 100.0))
    at["positions"] = [BrokerPosition(CANBK, "CANBK", "CNC", 105, 100.0)]
    desk.look(2)
    return desk


def test_a_trade_that_was_not_booked_is_booked_once(desk):
    unbooked(desk).decide("trade:B1 adopt")
    assert desk.scene.account == 105
    desk.books.cash = int(desk.scene.kernel.ledger.cash)
    assert [key for key, _, _ in desk.look(18)] == []


def test_an_ignored_trade_leaves_its_shares_to_be_decided(desk):
    unbooked(desk).decide("trade:B1 ignore")
    assert [key for key, _, _ in desk.look(2)] == ["trade:B1", "CANBK:CNC"]


# GTTs and funds


def foreign_gtt(desk):
    desk.hold()
    legs = [GttLeg(90.0, 89.5, Side.SELL, 100)]
    desk.books.at["gtts"].append(GttUpdate(desk.scene.now, 55, CANBK, GttStatus.ACTIVE, legs, []))
    desk.look(2)
    return desk


def test_a_foreign_gtt_is_deleted(desk):
    foreign_gtt(desk).decide("gtt:55 flatten")
    [command] = desk.gateway.sent
    assert isinstance(command, DeleteGtt)
    assert command.gtt.gtt_id == 55


def test_a_foreign_gtt_may_be_ignored_and_is_left_alone(desk):
    foreign_gtt(desk).decide("gtt:55 ignore")
    assert (desk.reconciler.open_differences, desk.gateway.sent) == ((), [])


def test_a_gtt_of_ours_that_is_gone_is_replaced(desk):
    desk.hold()
    desk.books.at["gtts"] = []
    desk.look(18)
    _, asked = desk.decide("gtt:7 adopt")
    assert only(asked, PlaceGtt).gtt.legs[0].quantity == 100


def test_the_brokers_cash_is_taken_and_kept_for_the_next_start(desk):
    desk.books.cash = CASH - 3 * BOUND
    desk.look(2)
    desk.decide("funds adopt")
    ledger = desk.scene.kernel.ledger
    assert (ledger.cash, ledger.start_cash, profit(desk)) == (CASH - 3 * BOUND, CASH - 3 * BOUND, 0)
    assert desk.journal.meta["start_cash:2025-10-07"] == str(CASH - 3 * BOUND)
    assert desk.look(2) == []


def test_ignored_cash_stays_ignored_within_the_bound(desk):
    desk.books.cash = CASH - 3 * BOUND
    desk.look(2)
    desk.decide("funds ignore")
    for cash, open_ in ((-4 * BOUND, 0), (-2 * BOUND, 0), (-4 * BOUND - 1, 1)):
        desk.books.cash = CASH + cash
        desk.look(2)
        assert len(desk.reconciler.open_differences) == open_


# over a restart


def figures(scene):
    """Return what a run knows of its positions and its day."""
    kernel = scene.kernel
    rungs = [
        (
            r.rung_id,
            r.state,
            int(r.quantity),
            r.average,
            r.stop,
            int(protected_quantity(kernel.state.owners[r.ladder_id], r, 244.0)),
        )
        for r in kernel.state.rungs.values()
        if r.live
    ]
    return (
        rungs,
        int(kernel.state.day_pnl),
        int(kernel.ledger.cash),
        int(kernel.state.entry_count),
    )


def test_adopted_intraday_shares_come_back_with_their_cash(tmp_path):
    journal = SqliteJournal(
        tmp_path / "desk.db", lambda name, error: pytest.fail(f"{name}: {error}")
    )
    desk = Desk()
    desk.scene.after = JournalRecorder(desk.scene.kernel, journal).flush
    desk.scene.tick(240.0, BEL)
    desk.books.at["positions"] = [BrokerPosition(BEL, "BEL", "MIS", -12, 250.0)]
    desk.look(2)
    stop = only(desk.decide("BEL:MIS adopt")[1], PlaceOrder).order
    desk.scene.accept(stop, "S1")
    desk.scene.book("S1", OrderStatus.TRIGGER_PENDING, 0, stop.tag, 12, side=Side.BUY)
    journal.close()
    journal = SqliteJournal(
        tmp_path / "desk.db", lambda name, error: pytest.fail(f"{name}: {error}")
    )
    scene = Scene()
    restore_kernel(scene.kernel, journal, MIDNIGHT)
    journal.close()
    scene.tick(240.0, BEL)
    assert figures(scene) == figures(desk.scene)
    assert figures(scene)[2] == CASH + 12 * 250_00


@pytest.mark.parametrize("written_off", [0, 5])
def test_adopted_shares_come_back_as_they_were(tmp_path, written_off):
    def journal():
        return SqliteJournal(
            tmp_path / "desk.db", lambda name, error: pytest.fail(f"{name}: {error}")
        )

    first = journal()
    desk = Desk()
    desk.scene.after = JournalRecorder(desk.scene.kernel, first).flush
    desk.scene.tick(240.0, BEL)
    desk.books.at["holdings"] = [BrokerHolding(BEL, "BEL", 12, 250.0)]
    desk.look(2)
    gtt = only(desk.decide("BEL:CNC adopt")[1], PlaceGtt).gtt
    desk.scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "9")
    desk.scene.tick(244.0, BEL)
    if written_off:
        desk.books.at["gtts"] = [GttUpdate(0, 9, BEL, GttStatus.ACTIVE, list(gtt.legs), [])]
        desk.books.at["holdings"] = [BrokerHolding(BEL, "BEL", 12 - written_off, 250.0)]
        desk.look(2)
        desk.decide("BEL:CNC adopt")
    first.close()

    second = journal()
    scene = Scene()
    assert restore_kernel(scene.kernel, second, MIDNIGHT) == []
    scene.tick(244.0, BEL)
    assert figures(scene) == figures(desk.scene)
    assert figures(scene)[1] == 12 * 400

    tomorrow = Scene()
    restore_kernel(tomorrow.kernel, second, MIDNIGHT + DAY)
    second.close()
    tomorrow.tick(244.0, BEL)
    assert figures(tomorrow)[0] == figures(scene)[0]
    assert int(tomorrow.kernel.ledger.account(BEL).quantity) == 12 - written_off


def test_what_is_left_after_a_write_off_leaves_at_once_however_often_more_was_refused():
    scene = Scene()
    gtt = scene.hold()
    scene.operate(OperatorAct.EXIT, token=CANBK)
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7", RequestVerb.CANCEL)
    for _ in range(3):
        order = some(scene.asked, PlaceOrder)[-1].order
        scene.answer(order.intent, RequestOutcome.REFUSED, reason="HoldingException: 8 are there")
        for _ in range(400):
            scene.seconds(1)
            if (
                scene.kernel.order_store.orders[order.intent]
                is not some(scene.asked, PlaceOrder)[-1].order
            ):
                break
    scene.answer(
        some(scene.asked, PlaceOrder)[-1].order.intent,
        RequestOutcome.REFUSED,
        reason="HoldingException: 8 are there",
    )
    scene.seconds(1)
    again = some(scene.asked, PlaceGtt)[-1].gtt
    scene.answer(again.intent, RequestOutcome.ACCEPTED, "8")
    assert again.legs[0].quantity == 100
    found = scene.tell(WriteOff(scene.now, CANBK, Product.CNC, Side.BUY, 92))
    assert only(found, DeleteGtt).gtt is again
    left = only(
        scene.answer(again.intent, RequestOutcome.ACCEPTED, "8", RequestVerb.CANCEL), PlaceOrder
    ).order
    assert (left.purpose, left.quantity) == (OrderPurpose.EXIT, 8)
