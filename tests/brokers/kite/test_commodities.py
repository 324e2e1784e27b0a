"""MCX counts lots, the desk units of the price.

A lot of GOLD is 100 of them, at the broker and everywhere above it.
"""

import pytest

from brokers.kite.kite_broker import KiteBroker
from brokers.kite.translation import instrument
from brokers.sandbox.api import admin_key
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.server import Sandbox
from compiled.accounting.charges import order_charges
from compiled.accounting.ledger import Ledger
from compiled.model.order_terms import OrderChange
from compiled.model.values import (
    Gtt,
    GttLeg,
    Instrument,
    Order,
    OrderPurpose,
    OrderType,
    Product,
    Side,
    paise,
)
from compiled.trading.ladder import LadderPlan, RungPlan
from compiled.trading.risk import rung_size
from engine.day.price_bands import fill_in_bands
from engine.errors import OrderRefused
from engine.market.calendar import ist_day
from engine.market.charges import charge_segment, load_rate_table
from engine.market.order_rules import multiplier

CRORE = 10**9
SECOND = 1_000_000_000


class Exchange:
    """A sandbox that lists MCX, after the first trades of the day, and its admin routes."""

    def __init__(self, end):
        self.end = end
        self.move(60)

    def move(self, seconds):
        until = self.ask("/sandbox/clock")["now"] + seconds * SECOND
        while self.ask("/sandbox/advance", {"until": until})["now"] < until:
            pass

    def ask(self, path, body=None):
        return admin_key.call_admin(
            self.end.rest, "GET" if body is None else "POST", path, body, 30
        )

    def books(self):
        return self.ask("/sandbox/books")


@pytest.fixture
def exchange():
    sandbox = Sandbox(
        SandboxConfig(
            speed=None, symbols=("INFY",), exchanges=("NSE", "MCX"), cash=10 * CRORE, limits="off"
        )
    )
    yield Exchange(sandbox.start())
    sandbox.stop()


@pytest.fixture
async def broker(exchange, clock):
    end = exchange.end
    client = KiteBroker(end.rest, end.api_key, end.access_token, clock, limits=False)
    yield client
    await client.close()


@pytest.fixture
async def gold(broker):
    return next(each for each in await broker.instruments("MCX") if each.symbol == "GOLD26DECFUT")


def an_order(gold, side, quantity, order_type=OrderType.LIMIT, **fields):
    purpose = OrderPurpose.ENTRY if side is Side.BUY else OrderPurpose.EXIT
    return Order(
        1, "patang1", "s", gold.token, side, quantity, order_type, Product.NRML, purpose, **fields
    )


@pytest.mark.parametrize(
    ("symbol", "units"),
    [
        ("GOLD26DECFUT", 100),  # 1 kg, priced per 10 g
        ("GOLDM26DECFUT", 10),
        ("CRUDEOIL26NOV5300CE", 100),  # barrels
        ("NATURALGAS26NOVFUT", 1_250),  # mmBtu
        ("SILVERMIC26NOVFUT", 1),
        ("SAFFRON26NOVFUT", 0),  # nobody knows
    ],
)
def test_a_lot_holds_what_the_contract_says(symbol, units):
    day = ist_day(1_790_000_000 * SECOND)
    assert multiplier(day, "MCX", symbol) == units
    assert multiplier(day, "NFO", symbol) == 1


def test_a_commodity_of_which_nobody_knows_the_lot_cannot_be_traded():
    row = {
        "instrument_token": 7,
        "exchange": "MCX",
        "tradingsymbol": "SAFFRON26NOVFUT",
        "tick_size": 1.0,
        "lot_size": 1,
        "segment": "MCX-FUT",
        "instrument_type": "FUT",
        "name": "SAFFRON",
        "expiry": "",
    }
    day = ist_day(1_790_000_000 * SECOND)
    assert instrument(row, day) is None
    known = instrument(row | {"tradingsymbol": "GOLD26DECFUT"}, day)
    assert (known.lot, known.multiplier, known.kind) == (100, 100, "FUT")
    with_lots = instrument(row | {"tradingsymbol": "GOLD26DECFUT", "lot_size": 100}, day)
    assert with_lots.lot == 100, "orders count lots, whatever the list calls a lot"


async def test_what_is_ordered_in_units_stands_at_the_broker_in_lots(exchange, broker, gold):
    assert (gold.lot, gold.multiplier) == (100, 100)
    fill_in_bands([gold], await broker.bands([gold]))
    price = gold.snap(gold.lower)
    order_id = await broker.place(an_order(gold, Side.BUY, 300, price=price))
    books = exchange.books()
    assert [(row["quantity"], row["price"]) for row in books["orders"]] == [(3, price)]
    await broker.modify(order_id, OrderChange(quantity=200))
    [row] = exchange.books()["orders"]
    assert row["quantity"] == 2
    [update] = await broker.orders()
    assert (update.quantity, update.filled) == (200, 0)
    with pytest.raises(OrderRefused, match="no whole lots of 100"):
        await broker.place(an_order(gold, Side.BUY, 150, price=price))
    with pytest.raises(OrderRefused, match="no whole lots of 100"):
        await broker.modify(order_id, OrderChange(quantity=250))


async def test_fills_positions_and_gtts_come_back_in_units(exchange, broker, gold):
    fill_in_bands([gold], await broker.bands([gold]))
    await broker.place(an_order(gold, Side.BUY, 200, OrderType.MARKET))
    exchange.move(5)
    trades = await broker.trades()
    assert sum(each.quantity for each in trades) == 200
    [position] = await broker.positions()
    assert position.quantity == 200
    assert 100_000 < position.average < 160_000
    stop = gold.snap(gold.close * 0.95)
    gtt = Gtt(2, "s", gold.token, Product.NRML, 0, gold.close, [GttLeg(stop, stop, Side.SELL, 200)])
    await broker.place_gtt(gtt)
    [row] = exchange.books()["gtts"]
    assert row["orders"][0]["quantity"] == 2
    [told] = await broker.gtts()
    assert told.legs[0].quantity == 200


async def test_the_brokers_margin_is_that_of_the_lots(broker, gold):
    fill_in_bands([gold], await broker.bands([gold]))
    order = an_order(gold, Side.BUY, 200, price=gold.snap(gold.close))
    [blocked] = await broker.margins([order])
    # SPAN 9 % and exposure 1 % of 200 units at the previous close, plus charges of some rupees
    assert blocked / 100 == pytest.approx(0.10 * 200 * gold.close, rel=0.001)


def test_a_round_trip_of_two_lots_by_hand():
    gold = Instrument(1, "MCX", "GOLD26DECFUT", 1.0, 100, "FUT", multiplier=100)
    ledger = Ledger(10 * CRORE)
    rates = load_rate_table().rates(charge_segment(gold, Product.NRML), "MCX", 20261120)
    ledger.fill("s", 1, Side.BUY, 200, 128_400.0)
    assert ledger.exposure == 25_680_000_00, "two kilograms at ₹1,28,400 per 10 g"
    ledger.mark(1, 128_440.0)
    assert ledger.unrealised == 8_000_00
    assert ledger.fill("s", 1, Side.SELL, 200, 128_450.0) == 10_000_00
    # turnover 2,56,80,000: brokerage 20, txn 539.28, SEBI 25.68, stamp 513.60, GST 18 % of 584.96 =
    # 105.2928
    assert order_charges(rates, Side.BUY, 200, paise(128_400.0, 200)) == 1_203_85
    # turnover 2,56,90,000: brokerage 20, CTT 2,569, txn 539.49, SEBI 25.69, GST 18 % of 585.18 =
    # 105.3324
    assert order_charges(rates, Side.SELL, 200, paise(128_450.0, 200)) == 3_259_51


def test_sizing_buys_whole_lots_by_what_they_are_worth():
    gold = Instrument(1, "MCX", "GOLD26DECFUT", 1.0, 100, "FUT", multiplier=100)
    one = LadderPlan([RungPlan(0.0, 1.0)], 12_900_000_00)
    assert rung_size(gold, one, 1.0, 128_400.0) == 100, "a lot is worth ₹1,28,40,000"
    assert rung_size(gold, LadderPlan([RungPlan(0.0, 1.0)], 12_800_000_00), 1.0, 128_400.0) == 0
    # ₹3,00,000 at risk, 1 % of ₹1,28,400 is ₹1,284 a unit: 233 units, two lots
    risk = LadderPlan([RungPlan(0.0, 1.0)], 0, risk=300_000_00)
    assert rung_size(gold, risk, 1.0, 128_400.0) == 200
