"""Orders by hand: what is shown before, what is placed, and one line for everything that cannot be meant."""

import asyncio
import json

import pytest

from compiled.events import Act, Alert, FeedStatus, ModifyOrder, Operate, Outcome, PlaceOrder, Verb
from compiled.model import OrderType, Product, Side, Validity
from compiled.terms import Variety
from engine.errors import ConnectionFailed, OperatorError, RetryableError
from engine.trading.margin import Preview
from engine.trading.tickets import Counter
from tests.core.scripted import CANBK, Scene, only
from tui.ticket import in_words


@pytest.fixture
def scene():
    return Scene()


@pytest.fixture
def counter(scene):
    return Counter(scene.kernel)


def ticket(**more):
    return json.dumps({"symbol": "CANBK", "side": "BUY", "quantity": 10, "stop": 2.0, **more})


def weighed(preview, margins):
    told = asyncio.run(preview.weigh(margins))
    assert told.startswith("done: ")
    return json.loads(told.removeprefix("done: "))


def test_the_preview_says_what_it_is_costs_and_blocks_and_sends_nothing(scene, counter):
    async def margins(orders):
        [order] = orders
        assert (order.token, order.quantity, order.price, order.product) == (CANBK, 10, 99.5, Product.CNC)
        return [99_612]

    assert weighed(counter.preview(ticket(price=99.5, target=4.0)), margins) == {
        "order": "BUY 10 CANBK LIMIT at 99.50 DAY CNC, stop 2 %, target 4 %", "value": 995.0, "charges": 0.0,
        "charges_both_ways": 0.0, "margin_broker": 996.12, "margin_estimate": 995.0, "margin_missing": "",
    }  # fmt: skip
    assert list(scene.kernel.out.orders.values()) == []


def test_an_intraday_order_blocks_a_fifth_by_our_estimate(counter):
    assert weighed(counter.preview(ticket(price=99.5, product="MIS")), None)["margin_estimate"] == 199.0


@pytest.mark.parametrize(
    "error", [RetryableError("Too many requests"), OperatorError("no session"), ConnectionFailed("nobody there")]
)
def test_the_preview_says_that_the_broker_could_not_be_asked(counter, error):
    async def margins(_):
        raise error

    shown = weighed(counter.preview(ticket()), margins)
    assert (shown["margin_broker"], shown["margin_missing"]) == (None, str(error))
    assert in_words(shown).endswith(f"blocks ₹1,000.00 by our estimate; the broker could not be asked: {error}")


def test_an_order_is_placed_with_everything_the_ticket_says(scene, counter):
    told, commands = counter.place(
        scene.now,
        ticket(price=99.5, validity="TTL", minutes=3, disclosed=5, product="MIS", side="SELL", protection=1.0),
    )
    order = only(commands, PlaceOrder).order
    assert told == f"done: order {order.intent}: SELL 10 CANBK LIMIT at 99.50 TTL 3 min MIS 5 disclosed, stop 2 %"
    assert (order.side, order.order_type, order.price, order.validity, order.product, order.protection) == (
        Side.SELL, OrderType.LIMIT, 99.5, Validity.TTL, Product.MIS, 1.0,
    )  # fmt: skip
    assert (order.terms.minutes, order.terms.disclosed, order.strategy) == (3, 5, "operator")


def test_an_iceberg_by_hand_is_an_iceberg(scene, counter):
    _, commands = counter.place(scene.now, ticket(price=99.5, variety="iceberg", legs=2))
    assert only(commands, PlaceOrder).order.terms.variety is Variety.ICEBERG


def test_before_the_first_tick_and_after_a_lost_feed_the_refusal_says_what_is_missing(scene, counter):
    unheard = ticket(symbol="BEL")
    told = "refused: STALE_DATA: BEL has no price yet; try again when it ticks"
    assert counter.preview(unheard) == told
    assert counter.place(scene.now, unheard)[0] == told
    assert isinstance(counter.preview(ticket()), Preview)
    scene.tell(FeedStatus(scene.now, 0, live=False))
    assert counter.preview(ticket()) == "refused: STALE_DATA: the instrument has not ticked lately"


def test_a_refusal_tells_what_its_code_means(scene, counter):
    scene.tell(Operate(scene.now, Act.HALT, reason="enough"))
    assert counter.preview(ticket()) == "refused: KILLED: the kill switch is latched"


@pytest.mark.parametrize(
    ("detail", "says"),
    [
        ("nonsense", "malformed"),
        (ticket(symbol="NOSUCH"), "NOSUCH is not watched"),
        (ticket(quantity=0), "quantity"),
        (ticket(validity="GTC"), "validity"),
        (ticket(colour="red"), "colour"),
        (ticket(price=99.52), "TICK"),
        (ticket(validity="TTL"), "TERMS"),
        (ticket(product="MTF"), "PRODUCT"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line_and_sends_nothing(scene, counter, detail, says):
    told, commands = counter.place(scene.now, detail)
    assert told.startswith("refused: ")
    assert says in told
    assert "\n" not in told
    assert [command for command in commands if isinstance(command, PlaceOrder)] == []
    assert says in counter.preview(detail)


def test_a_working_order_is_changed_by_our_number_or_the_brokers(scene, counter):
    _, commands = counter.place(scene.now, ticket(price=99.5))
    order = only(commands, PlaceOrder).order
    scene.accept(order, "251007000000042")
    for name, price in ((str(order.intent), 99.6), ("251007000000042", 99.7)):
        told, commands = counter.alter(scene.now, json.dumps({"order": name, "price": price}))
        assert told == f"done: changing order {order.intent}"
        assert only(commands, ModifyOrder).change.price == price
        scene.answer(order.intent, Outcome.ACCEPTED, "251007000000042", Verb.MODIFY)


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
    _, commands = counter.place(scene.now, ticket(price=99.5))
    scene.accept(only(commands, PlaceOrder).order, "B1")
    told, commands = counter.alter(scene.now, json.dumps(change))
    assert told.startswith("refused: ")
    assert says in told
    assert not [each for each in commands if not isinstance(each, Alert)]  # a verdict of risk is told
    assert scene.kernel.out.orders[1].pending is None
    told, commands = counter.alter(scene.now, json.dumps({"order": "1", "price": 99.55}))
    assert only(commands, ModifyOrder).change.price == 99.55, told  # the same order takes a change that can be meant
