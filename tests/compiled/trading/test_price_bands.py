"""Protection against the band.

A stop can always fill when it is triggered, follows a band that moves, and counts as none where it
could not.
"""

import asyncio
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiled.model.events import (
    BandUpdate,
    GttUpdate,
    ModifyGtt,
    ModifyOrder,
    PlaceGtt,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
    ShareAdoption,
)
from compiled.model.exchange_rules import could_fill, limit_beyond
from compiled.model.values import (
    MINUTE,
    SECOND,
    GttLeg,
    GttStatus,
    Instrument,
    OrderStatus,
    OrderType,
    Product,
    Side,
)
from engine.day.price_bands import BandWatch
from engine.errors import RetryableError
from engine.ports import PriceBand
from tests.compiled.trading.scripted import CANBK, CLOSE, OPEN, Scene, only, some
from tests.engine.orders.test_order_path_restart import Life, tomorrow


@pytest.fixture
def scene():
    return Scene()


@pytest.fixture
def life(tmp_path):
    return Life(tmp_path / "desk.db")


def banded(scene, lower, upper):
    """Have the exchange move the band of CANBK."""
    return scene.tell(BandUpdate(scene.now, CANBK, lower, upper))


def limit_of(gtt):
    return gtt.legs[0].price


# where the limit of a stop stands


@given(
    side=st.sampled_from((Side.BUY, Side.SELL)),
    trigger=st.integers(1_800, 2_200),
    lower=st.integers(1_500, 2_000),
    width=st.integers(1, 600),
    gap=st.floats(0.0, 5.0),
)
def test_a_stop_can_fill_whatever_the_band(side, trigger, lower, width, gap):
    canbk = Instrument(
        CANBK, "NSE", "CANBK", 0.05, lower=lower * 0.05, upper=(lower + width) * 0.05
    )
    limit = canbk.ticks(limit_beyond(canbk, side, canbk.price(trigger), gap))
    assert (limit >= trigger) if side is Side.BUY else (limit <= trigger)
    assert not lower <= trigger <= lower + width or lower <= limit <= lower + width
    assert could_fill(canbk, side, canbk.price(trigger), canbk.price(limit))


def test_a_stop_below_the_band_keeps_its_gap_and_one_in_it_stays_in_it(scene):
    banded(scene, 98.50, 120.0)
    # 2 % under 100.00 is 98.00, half a percent under that 97.51
    assert limit_of(scene.hold()) == 97.5
    other = Scene()
    banded(other, 97.80, 120.0)
    assert limit_of(other.hold()) == 97.8


def test_a_limit_held_back_by_the_band_gives_way_when_the_band_does(scene):
    banded(scene, 97.80, 120.0)
    gtt = scene.hold()
    # five seconds between two requests about one stop
    assert some(banded(scene, 92.80, 120.0), ModifyGtt) == []
    assert only(scene.seconds(6), ModifyGtt).gtt.pending[0].price == 97.5
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7", RequestVerb.MODIFY)
    banded(scene, 92.00, 120.0)
    assert some(scene.seconds(30), ModifyGtt) == []


def test_a_band_that_rises_over_a_limit_makes_the_stop_none_until_it_is_moved(scene):
    gtt = scene.hold()
    scene.seconds(10)
    found = banded(scene, 97.65, 120.0)
    assert scene.kernel.view.naked() == 1
    assert only(found, ModifyGtt).gtt.pending[0].price == 97.65
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7", RequestVerb.MODIFY)
    assert scene.kernel.view.naked() == 0


def test_a_stop_off_the_grid_of_a_new_day_counts_as_none_and_is_moved_onto_it_once(life):
    life.run(lambda scene: scene.hold(target=11.1))
    scene, _ = life.again(day=1)
    # ₹0.20: neither 97.5 nor 111.1 is a price any more
    scene.kernel.state.markets[CANBK].instrument.tick_e4 = 2_000
    tomorrow(scene)
    assert scene.kernel.view.naked() == 1
    [found] = some(scene.asked, ModifyGtt)
    assert [(leg.trigger, leg.price) for leg in found.gtt.pending] == [(98.0, 97.4), (111.2, 111.2)]
    scene.answer(found.gtt.intent, RequestOutcome.ACCEPTED, "7", RequestVerb.MODIFY)
    assert scene.kernel.view.naked() == 0
    assert some(scene.seconds(60), ModifyGtt) == []


def meddled(scene, trigger, limit):
    """Have somebody change the stop at the broker."""
    legs = [GttLeg(trigger, limit, Side.SELL, 100)]
    return scene.tell(GttUpdate(scene.now, 7, CANBK, GttStatus.ACTIVE, legs, []))


def test_a_stop_whose_limit_somebody_has_put_above_its_trigger_counts_as_none_and_is_mended(scene):
    scene.hold()
    scene.seconds(10)
    found = meddled(scene, 98.0, 98.5)
    assert scene.kernel.view.naked() == 1
    assert only(found, ModifyGtt).gtt.pending[0].price == 97.5


def test_shares_whose_price_is_at_a_stop_that_cannot_fill_leave_at_the_market(scene):
    gtt = scene.hold()
    scene.tick(98.2, after=10)
    meddled(scene, 98.0, 98.5)  # no broker takes a trigger so near to the price
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7", RequestVerb.CANCEL)
    assert [order.quantity for order in scene.exits()] == [100]


def test_shares_whose_stop_cannot_be_made_to_fill_leave_after_the_third_refusal(scene):
    gtt = scene.hold()
    scene.seconds(10)
    meddled(scene, 98.0, 98.5)
    for _ in range(3):
        scene.answer(
            gtt.intent, RequestOutcome.REFUSED, "7", RequestVerb.MODIFY, "InputException: no"
        )
        scene.seconds(10)
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7", RequestVerb.CANCEL)
    assert [order.quantity for order in scene.exits()] == [100]


def test_a_stop_restored_under_the_next_days_band_is_fitted_to_it(life):
    def near_the_band(scene):
        banded(scene, 97.80, 120.0)
        scene.hold()

    life.run(near_the_band)
    scene, _ = life.again(day=1)
    tomorrow(scene)
    assert only(scene.asked, ModifyGtt).gtt.pending[0].price == 97.5


def adopted(scene, limit):
    legs = [GttLeg(97.0, limit, Side.SELL, 10)]
    return scene.tell(
        ShareAdoption(
            scene.now, CANBK, Product.CNC, 10, 101.0, "adopted", 5.0, False, False, 9, legs
        )
    )


def test_an_adopted_stop_that_can_fill_stays_as_its_owner_made_it(scene):
    adopted(scene, 97.0)
    assert (scene.kernel.view.naked(), some(scene.seconds(30), ModifyGtt)) == (0, [])


def test_an_adopted_stop_that_cannot_fill_counts_as_none_and_is_mended(scene):
    found = adopted(scene, 97.5)
    assert scene.kernel.view.naked() == 1
    # half a percent under 97.00 is 96.515
    assert only(found, ModifyGtt).gtt.pending[0].price == 96.5


# exits that rest


def test_an_exit_left_behind_by_the_price_counts_as_none_and_is_pressed_within_the_band_of_now(
    scene,
):
    banded(scene, 98.0, 120.0)
    gtt = scene.hold()
    scene.tick(98.0)
    scene.gtt(gtt, GttStatus.TRIGGERED, ["S1"])
    scene.book("S1", OrderStatus.OPEN, price=98.0, side=Side.SELL)
    assert scene.kernel.view.naked() == 0  # at the edge it is the first that a buyer meets
    assert some(scene.seconds(30), ModifyOrder) == []
    scene.tick(96.0)
    assert scene.kernel.view.naked() == 1
    assert some(scene.seconds(30), ModifyOrder) == []  # the old band still holds it
    (move,) = some(banded(scene, 93.0, 120.0), ModifyOrder)
    assert move.change.price == 95.05  # a percent under 96.00 is 95.04
    scene.answer(move.order.intent, RequestOutcome.ACCEPTED, "S1", RequestVerb.MODIFY)
    assert scene.kernel.view.naked() == 0


# intraday stops, which the exchange takes inside the band only


@pytest.mark.parametrize(
    ("side", "band", "edge"), [(Side.BUY, (99.0, 120.0), 99.0), (Side.SELL, (80.0, 101.0), 101.0)]
)
def test_an_intraday_stop_off_the_band_stands_at_its_edge(scene, side, band, edge):
    banded(scene, *band)
    stop = scene.hold_intraday(side=side)
    assert (stop.order_type, stop.trigger, scene.rung.stop) == (OrderType.SLM, edge, edge)
    scene.book("G1", OrderStatus.TRIGGER_PENDING, 0, stop.tag, 100, trigger=edge, side=stop.side)
    assert scene.kernel.view.naked() == 0
    banded(scene, 70.0, 130.0)
    scene.seconds(30)
    assert scene.rung.stop == edge  # stops move one way


def test_an_intraday_stop_with_no_room_before_the_edge_of_the_band_leaves(scene):
    banded(scene, 100.0, 120.0)
    found = scene.fill(scene.enter(100, product=Product.MIS))
    assert only(found, PlaceOrder).order.order_type is OrderType.MARKET
    assert some(scene.asked, PlaceGtt) == []


# asking for the bands


class Quotes:
    """A broker that knows bands only, and the clock that goes with it."""

    def __init__(self):
        self.ts = OPEN + MINUTE
        self.asked, self.bands_now, self.error = [], {}, None

    def now(self):
        return self.ts

    async def bands(self, instruments):
        self.asked.append([each.symbol for each in instruments])
        if self.error:
            raise self.error
        return [
            PriceBand(int(i.token), *self.bands_now.get(i.symbol, (90.0, 110.0)), 100.0)
            for i in instruments
        ]


class Watching:
    """A desk's kernel with CANBK held in a band of 90 to 110, and what is asked for over time."""

    def __init__(self, **hours):
        self.scene, self.quotes, self.posted, self.told = Scene(), Quotes(), [], []
        for market in self.scene.kernel.state.markets.values():
            market.instrument.lower, market.instrument.upper = 90.0, 110.0
            for name, at in hours.items():
                setattr(market.instrument.hours, name, at)
        self.watch = BandWatch(
            self.scene.kernel,
            self.quotes,
            self.quotes,
            self.posted.append,
            lambda *line: self.told.append(line[2]),
            30 * SECOND,
        )

    def pass_time(self, seconds):
        """Return what was asked for, by second."""
        asked = {}
        for second in range(1, seconds + 1):
            self.quotes.ts += SECOND
            before = len(self.quotes.asked)
            if wanted := self.watch.markets_due(self.quotes.ts):
                asyncio.run(self.watch.read_bands(wanted))
            if len(self.quotes.asked) > before:
                asked[second] = self.quotes.asked[-1]
        return asked


def test_what_is_held_is_asked_for_every_half_minute_and_what_moved_is_posted_once():
    desk = Watching()
    assert desk.pass_time(31) == {}
    desk.scene.hold()
    assert desk.pass_time(60) == {1: ["CANBK"], 31: ["CANBK"]}
    desk.quotes.bands_now["CANBK"] = 85.0, 110.0
    desk.pass_time(60)
    assert [(each.token, each.lower, each.upper) for each in desk.posted] == [(CANBK, 85.0, 110.0)]
    assert desk.told == ["CANBK: the price band is now 85.00 to 110.00"]
    desk.scene.tell(desk.posted[0])
    assert desk.scene.kernel.state.markets[CANBK].instrument.lower == 85.0


def test_a_price_off_the_band_that_is_known_is_asked_about_within_seconds():
    desk = Watching()
    desk.pass_time(10)
    desk.scene.tick(89.0)
    assert desk.pass_time(8) == {1: ["CANBK"], 6: ["CANBK"]}
    desk.quotes.error = RetryableError("busy")
    assert desk.pass_time(10) == {3: ["CANBK"], 8: ["CANBK"]}
    assert desk.posted == []


def test_bands_that_could_not_be_read_are_asked_for_again_within_seconds():
    desk = Watching()
    desk.scene.hold()
    desk.quotes.error = RetryableError("busy")
    assert list(desk.pass_time(41)) == [30, 35, 40]
    desk.quotes.error = None
    assert list(desk.pass_time(60)) == [4, 34]


def test_a_price_near_an_edge_is_asked_about_and_one_in_the_middle_is_not():
    desk = Watching()
    desk.scene.tick(92.0)
    assert desk.pass_time(30) == {30: ["CANBK"]}
    desk.scene.tick(100.0)
    assert desk.pass_time(60) == {}


def test_every_band_is_asked_for_when_the_closing_auction_opens_and_when_it_takes_orders():
    auction = OPEN + 3 * MINUTE
    desk = Watching(
        closes=OPEN + 2 * MINUTE,
        auction=auction,
        auction_ends=auction + MINUTE,
        ends=auction + 2 * MINUTE,
    )
    everything = ["CANBK", "BEL"]
    assert desk.pass_time(300) == {61: everything, 121: everything}


def test_every_band_is_asked_for_when_an_auction_may_have_opened():
    desk = Watching(closes=OPEN + 2 * MINUTE, ends=OPEN + 5 * MINUTE)
    assert desk.pass_time(300) == {61: ["CANBK", "BEL"]}


def test_nothing_is_asked_for_after_the_day():
    desk = Watching()
    desk.scene.hold()
    desk.quotes.ts = CLOSE
    assert desk.pass_time(60) == {}


def test_a_look_under_way_is_the_only_one():
    async def story():
        desk = Watching()
        desk.scene.hold()
        answer = asyncio.Event()

        async def slow(instruments):
            desk.quotes.asked.append(len(instruments))
            await answer.wait()
            return []

        desk.watch._broker = SimpleNamespace(bands=slow)
        for _ in range(100):
            desk.quotes.ts += SECOND
            desk.watch.start_if_due(desk.quotes.ts)
            await asyncio.sleep(0)
        assert desk.quotes.asked == [1]
        answer.set()
        await asyncio.sleep(0)
        desk.watch.cancel()

    asyncio.run(story())


def test_shares_beside_a_stop_that_cannot_fill_wait_for_the_opening_where_it_may_be_mended(scene):
    scene.hold()
    scene.now = CLOSE + MINUTE
    scene.timer()
    scene.tick(98.2, after=10)
    meddled(scene, 98.0, 98.5)
    scene.seconds(30)
    assert (scene.rung.leaving, scene.kernel.view.naked()) == (False, 1)
    assert only(scene.tick(100.0, after=10), ModifyGtt).gtt.pending[0].price == 97.5
