"""Orders by hand: their preview, their placing, and one line for each impossible one."""

import asyncio
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiled.model.events import (
    FeedStatus,
    KernelAlert,
    ModifyOrder,
    OperatorAct,
    OperatorInstruction,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
)
from compiled.model.order_terms import Variety
from compiled.model.values import OrderType, Product, Side, Validity
from compiled.trading.risk import RiskLimits
from engine.config.form_reader import read_form, read_object
from engine.day.charge_remarks import ChargeRemarks
from engine.errors import ConnectionFailed, OperatorError, RetryableError
from engine.manual.manual_orders import ManualOrderDesk
from engine.manual.margin import OrderPreview
from engine.operator_requests import (
    ModifyRequest,
    OrderTicket,
    PlaceRequest,
    PreviewRequest,
)
from tests.compiled.trading.scripted import BEL, CANBK, Scene, only
from tui.commands.desk.order_requests import preview_text


@pytest.fixture
def scene():
    return Scene()


class Counter:
    """The order desk behind its door: takes what is filled in as JSON, and says a line."""

    def __init__(self, kernel):
        self._desk = ManualOrderDesk(kernel)

    def preview_order(self, detail):
        try:
            found = self._desk.preview_order(read_form(read_object(detail), PreviewRequest))
        except ValueError as error:
            return f"refused: {error}"
        return found if isinstance(found, OrderPreview) else str(found)

    def place_order(self, now, detail):
        return self._carry_out(self._desk.place_order, now, detail, PlaceRequest)

    def alter_order(self, now, detail):
        return self._carry_out(self._desk.alter_order, now, detail, ModifyRequest)

    def _carry_out(self, carry_out, now, detail, kind):
        try:
            outcome, commands = carry_out(now, read_form(read_object(detail), kind))
        except ValueError as error:
            return f"refused: {error}", []
        return str(outcome), commands


@pytest.fixture
def counter(scene):
    return Counter(scene.kernel)


def ticket(**more):
    return json.dumps({"symbol": "CANBK", "side": "BUY", "quantity": 10, "stop": 2.0, **more})


def weighed(preview, margins):
    outcome = asyncio.run(preview.weigh(margins))
    assert str(outcome) == f"done: {outcome.data['order']}"
    return outcome.data


def test_the_preview_says_what_it_is_costs_and_blocks_and_sends_nothing(scene, counter):
    async def margins(orders):
        [order] = orders
        assert (order.token, order.quantity, order.price, order.product) == (
            CANBK,
            10,
            99.5,
            Product.CNC,
        )
        return [99_612]

    assert weighed(counter.preview_order(ticket(price=99.5, target=4.0)), margins) == {
        "order": "BUY 10 CANBK LIMIT at 99.50 DAY CNC, stop 2 %, target 4 %",
        "value": 995.0,
        "charges": 0.0,
        "charges_both_ways": 0.0,
        "depository": 15.34,
        "charges_rest_on": "",
        "margin_broker": 996.12,
        "margin_estimate": 995.0,
        "margin_missing": "",
    }
    assert list(scene.kernel.order_store.orders.values()) == []


@pytest.mark.parametrize(
    ("exchange", "name", "text"),
    [
        (
            "BSE",
            "CANARA BANK",
            (
                "charged as BSE's groups A and B: X, XC, XD, XT, Z and ZP pay 0.1 % to the "
                "exchange, SS and ST 1 %"
            ),
        ),
        (
            "NSE",
            "NIPPON INDIA ETF NIFTY 50 BEES",
            "charged as a unit of an equity fund (STT 0.001 % on the sale), by its name",
        ),
    ],
)
def test_the_preview_says_what_charges_rest_on_where_the_list_of_instruments_leaves_it_open(
    scene, counter, exchange, name, text
):
    instrument = scene.kernel.state.markets[CANBK].instrument
    instrument.exchange, instrument.name = exchange, name
    shown = weighed(counter.preview_order(ticket(price=99.5)), None)
    assert shown["charges_rest_on"] == text
    assert f"with the way back ({text}), ₹15.34 of the depository; blocks" in preview_text(shown)


def test_the_log_says_it_once_for_each_instrument(scene):
    told = []
    remarks = ChargeRemarks(scene.kernel, lambda *line: told.append(line))
    scene.kernel.state.markets[CANBK].instrument.exchange = "BSE"
    for token in (CANBK, BEL, CANBK):
        remarks.look(token)
    [(level, name, text)] = told
    assert (level, name) == ("info", "charges")
    assert text.startswith("BSE:CANBK is charged as BSE's groups A and B: ")


def test_an_intraday_order_blocks_a_fifth_by_our_estimate(counter):
    assert (
        weighed(counter.preview_order(ticket(price=99.5, product="MIS")), None)["margin_estimate"]
        == 199.0
    )


@pytest.mark.parametrize(
    "error",
    [
        RetryableError("Too many requests"),
        OperatorError("no session"),
        ConnectionFailed("nobody there"),
    ],
)
def test_the_preview_says_that_the_broker_could_not_be_asked(counter, error):
    async def margins(_):
        raise error

    shown = weighed(counter.preview_order(ticket()), margins)
    assert (shown["margin_broker"], shown["margin_missing"]) == (None, str(error))
    assert preview_text(shown).endswith(
        f"blocks ₹1,000.00 by our estimate; the broker could not be asked: {error}"
    )


def test_an_order_is_placed_with_everything_the_ticket_says(scene, counter):
    told, commands = counter.place_order(
        scene.now,
        ticket(
            price=99.5,
            validity="TTL",
            minutes=3,
            disclosed=5,
            product="MIS",
            side="SELL",
            protection=1.0,
        ),
    )
    order = only(commands, PlaceOrder).order
    assert told == (
        f"done: order {order.intent}: SELL 10 CANBK LIMIT at 99.50 TTL 3 min MIS 5 disclosed, "
        "stop 2 %"
    )
    assert (
        order.side,
        order.order_type,
        order.price,
        order.validity,
        order.product,
        order.protection,
    ) == (
        Side.SELL,
        OrderType.LIMIT,
        99.5,
        Validity.TTL,
        Product.MIS,
        1.0,
    )
    assert (order.terms.minutes, order.terms.disclosed, order.strategy) == (3, 5, "operator")


def test_a_symbol_may_be_typed_in_small_letters(scene, counter):
    told, commands = counter.place_order(scene.now, ticket(symbol="canbk"))
    assert "BUY 10 CANBK MARKET" in told
    assert only(commands, PlaceOrder).order.token == CANBK


def test_an_iceberg_by_hand_is_an_iceberg(scene, counter):
    _, commands = counter.place_order(scene.now, ticket(price=99.5, variety="iceberg", legs=2))
    assert only(commands, PlaceOrder).order.terms.variety is Variety.ICEBERG


def test_before_the_first_tick_and_after_a_lost_feed_the_refusal_says_what_is_missing(
    scene, counter
):
    unheard = ticket(symbol="BEL")
    told = "refused: STALE_DATA: BEL has no price yet; try again when it ticks"
    assert counter.preview_order(unheard) == told
    assert counter.place_order(scene.now, unheard)[0] == told
    assert isinstance(counter.preview_order(ticket()), OrderPreview)
    scene.tell(FeedStatus(scene.now, 0, live=False))
    assert (
        counter.preview_order(ticket())
        == "refused: STALE_DATA: the instrument has not ticked lately, or its ticks come late"
    )


def test_a_refusal_tells_what_its_code_means(scene, counter):
    scene.tell(OperatorInstruction(scene.now, OperatorAct.HALT, reason="enough"))
    assert counter.preview_order(ticket()) == "refused: KILLED: the kill switch is latched"


@pytest.mark.parametrize(
    ("detail", "says"),
    [
        ("nonsense", "refused: expected one JSON object"),
        ("[1]", "refused: expected one JSON object"),
        ("{}", 'refused: symbol is missing: expected a symbol as "INFY"'),
        (ticket(symbol="NOSUCH"), "NOSUCH is not watched"),
        (
            ticket(quantity=0),
            "refused: quantity: expected a whole number from 1 to 10_000_000, got 0",
        ),
        (
            ticket(quantity=10**30),
            "refused: quantity: expected a whole number from 1 to 10_000_000, got 1000",
        ),
        (
            ticket(stop=1500.0),
            "refused: stop: expected percent of the average price, from 0 to 50, got 1500.0",
        ),
        (
            ticket(target=1600.0),
            "refused: target: expected percent of the average price, from 0 to 500, got 1600.0",
        ),
        (
            ticket(price=float("nan")),
            "refused: price: expected a number from 0 to 10_000_000, got NaN",
        ),
        (
            ticket(validity="GTC"),
            'refused: validity: expected one of "DAY", "IOC", "TTL", got "GTC"',
        ),
        (ticket(colour="red"), 'refused: no such field "colour"; valid: '),
        (ticket(pirce=1), 'refused: no such field "pirce"; did you mean "price"?'),
        (
            ticket(price=99.52),
            "refused: TICK: the price is off the grid: ₹99.5200 is no multiple of ₹0.05",
        ),
        (ticket(validity="TTL"), "TERMS"),
        (ticket(product="MTF"), "PRODUCT"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line_and_sends_nothing(
    scene, counter, detail, says
):
    told, commands = counter.place_order(scene.now, detail)
    assert told.startswith("refused: ")
    assert says in told
    assert "\n" not in told
    assert [command for command in commands if isinstance(command, PlaceOrder)] == []
    assert says in counter.preview_order(detail)


def test_a_refusal_carries_the_figure_and_the_limit():
    counter = Counter(
        Scene(limits=RiskLimits(max_order_value=200_000_00, price_range_percent=5.0)).kernel
    )
    assert counter.preview_order(ticket(price=120.0)) == (
        "refused: PRICE_RANGE: the price is too far from the last one: ₹120.00 is more than 5 % "
        "from ₹100.00"
    )
    told = "refused: ORDER_VALUE: the order is too large: ₹200100.00 is above ₹200000.00"
    assert counter.preview_order(ticket(quantity=2_001)) == told
    assert counter.place_order(0, ticket(quantity=2_001))[0] == told


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    [*OrderTicket.__struct_fields__, *ModifyRequest.__struct_fields__, "\ud800"]
)


@given(
    st.text()
    | JSON.map(json.dumps)
    | st.dictionaries(FIELDS, JSON | st.sampled_from(["1", "CANBK"])).map(json.dumps)
)
def test_whatever_is_filled_in_is_answered_in_words_and_nothing_leaks(detail):
    scene = Scene()
    counter = Counter(scene.kernel)
    for told in (
        counter.preview_order(detail),
        counter.place_order(scene.now, detail)[0],
        counter.alter_order(scene.now, detail)[0],
    ):
        assert isinstance(told, OrderPreview) or told.startswith(("done: ", "refused: "))
        assert not isinstance(told, str) or not re.search(r"Expected `|at `|malformed|\n", told)


def test_a_working_order_is_changed_by_our_number_or_the_brokers(scene, counter):
    _, commands = counter.place_order(scene.now, ticket(price=99.5))
    order = only(commands, PlaceOrder).order
    scene.accept(order, "251007000000042")
    for name, price in ((str(order.intent), 99.6), ("251007000000042", 99.7)):
        told, commands = counter.alter_order(scene.now, json.dumps({"order": name, "price": price}))
        assert told == f"done: changing order {order.intent}"
        assert only(commands, ModifyOrder).change.price == price
        scene.answer(order.intent, RequestOutcome.ACCEPTED, "251007000000042", RequestVerb.MODIFY)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"order": "99"}, "no order of ours is called 99"),
        ({"order": "1"}, "say what to change"),
        ({"order": "1", "price": 99.52}, "TICK"),
        ({"order": "1", "price": -1}, "price"),
    ],
)
def test_a_change_that_cannot_be_meant_is_refused_in_one_line(scene, counter, change, says):
    _, commands = counter.place_order(scene.now, ticket(price=99.5))
    scene.accept(only(commands, PlaceOrder).order, "B1")
    told, commands = counter.alter_order(scene.now, json.dumps(change))
    assert told.startswith("refused: ")
    assert says in told
    # a verdict of risk is told
    assert not [each for each in commands if not isinstance(each, KernelAlert)]
    assert scene.kernel.order_store.orders[1].pending is None
    told, commands = counter.alter_order(scene.now, json.dumps({"order": "1", "price": 99.55}))
    # the same order takes a change that can be meant
    assert only(commands, ModifyOrder).change.price == 99.55, told
