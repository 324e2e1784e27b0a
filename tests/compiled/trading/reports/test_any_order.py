"""A law of the order path: reports in any order, twice or late, end in the same books."""

from hypothesis import given, settings
from hypothesis import strategies as st

from compiled.model.events import (
    BrokerAnswer,
    BrokerTrade,
    OrderUpdate,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
)
from compiled.model.order_terms import OrderTerms, Variety
from compiled.model.values import OrderPurpose, OrderStatus, Product, Side
from tests.compiled.trading.scripted import CANBK, Scene, only

LEGS = ("B1", 34), ("B2", 34), ("B3", 32)


def plain(scene):
    """Return an order, and everything the broker tells of it: an answer, its book, its trades."""
    order = only(
        scene.act(lambda ctx: ctx.buy(CANBK, 100, 2.0, product=Product.MIS)), PlaceOrder
    ).order
    now = scene.now
    said = [
        BrokerAnswer(now, order.intent, RequestVerb.PLACE, RequestOutcome.SENT),
        BrokerAnswer(now, order.intent, RequestVerb.PLACE, RequestOutcome.ACCEPTED, "B1"),
        *(
            OrderUpdate(now, "B1", order.tag, CANBK, Side.BUY, status, 100, filled, 101.0)
            for status, filled in (
                (OrderStatus.OPEN, 0),
                (OrderStatus.OPEN, 40),
                (OrderStatus.COMPLETE, 100),
            )
        ),
        BrokerTrade(now, "t1", "B1", CANBK, Side.BUY, 40, 100.0),
        BrokerTrade(now, "t2", "B1", CANBK, Side.BUY, 60, 100.0),
    ]
    return order, said


def iceberg(scene):
    """Return an iceberg of three legs, and everything the broker tells of it."""
    order = only(
        scene.act(
            lambda ctx: ctx.buy(
                CANBK, 100, 2.0, price=100.0, terms=OrderTerms(Variety.ICEBERG, legs=3)
            )
        ),
        PlaceOrder,
    ).order
    now = scene.now
    said = [BrokerAnswer(now, order.intent, RequestVerb.PLACE, RequestOutcome.ACCEPTED, "B1")]
    for order_id, quantity in LEGS:
        for status, filled in ((OrderStatus.OPEN, 0), (OrderStatus.COMPLETE, quantity)):
            said.append(
                OrderUpdate(
                    now, order_id, order.tag, CANBK, Side.BUY, status, quantity, filled, 100.0
                )
            )
        said.append(BrokerTrade(now, "t" + order_id, order_id, CANBK, Side.BUY, quantity, 100.0))
    return order, said


def stop(scene):
    """Return the stop of an intraday position, and all reports until it is sold."""
    scene.fill(scene.enter(product=Product.MIS), "E1")
    order = [
        c.order
        for c in scene.asked
        if isinstance(c, PlaceOrder) and c.order.purpose is OrderPurpose.PROTECT
    ][-1]
    now = scene.now
    said = [
        BrokerAnswer(now, order.intent, RequestVerb.PLACE, RequestOutcome.SENT),
        BrokerAnswer(now, order.intent, RequestVerb.PLACE, RequestOutcome.ACCEPTED, "G1"),
        *(
            OrderUpdate(now, "G1", order.tag, CANBK, Side.SELL, status, 100, filled)
            for status, filled in (
                (OrderStatus.TRIGGER_PENDING, 0),
                (OrderStatus.OPEN, 0),
                (OrderStatus.OPEN, 30),
                (OrderStatus.COMPLETE, 100),
            )
        ),
        BrokerTrade(now, "s1", "G1", CANBK, Side.SELL, 30, 97.9),
        BrokerTrade(now, "s2", "G1", CANBK, Side.SELL, 70, 97.8),
    ]
    return order, said


def books(scene, order):
    """Return what must not depend on the order of the news."""
    ledger, rung = scene.kernel.ledger, scene.rung
    chain = []
    while order is not None:
        chain.append(
            (order.order_id, order.status, int(order.filled), int(order.traded), int(order.value))
        )
        order = order.sibling
    return (
        sorted(chain),
        scene.account,
        int(ledger.cash),
        int(ledger.realised),
        int(rung.bought),
        int(rung.sold),
        int(rung.bought_value),
        int(rung.sold_value),
        scene.kernel.order_reports.orphans,
    )


def told(story, indexes):
    scene = Scene()
    order, said = story(scene)
    for index in indexes(len(said)):
        scene.tell(said[index])
    return books(scene, order)


@st.composite
def shuffled(draw):
    """Draw a story and an order in which everything is told at least once, some of it again."""
    story, count = draw(st.sampled_from([(plain, 7), (iceberg, 10), (stop, 8)]))
    once = draw(st.permutations(range(count)))
    again = draw(st.lists(st.integers(0, count - 1), max_size=6))
    places = draw(st.lists(st.integers(0, count), min_size=len(again), max_size=len(again)))
    mixed = list(once)
    for index, place in zip(again, places, strict=True):
        mixed.insert(place, index)
    return story, mixed


@settings(max_examples=150)
@given(shuffled())
def test_the_brokers_news_in_any_order_and_repeated_end_in_the_same_books(drawn):
    story, mixed = drawn
    assert told(story, lambda _: mixed) == told(story, range)


@settings(max_examples=50)
@given(st.sets(st.integers(0, 6)), st.randoms(use_true_random=False))
def test_with_news_missing_nothing_is_booked_that_was_not_told(missing, rng):
    scene = Scene()
    order, said = plain(scene)
    kept = [index for index in range(len(said)) if index not in missing]
    rng.shuffle(kept)
    for index in kept:
        scene.tell(said[index])
    # the book's word: an answer may name somebody else's order
    linked = bool({2, 3, 4} & set(kept))
    expected = (40 * (5 in kept) + 60 * (6 in kept)) if linked else 0
    assert (scene.account, int(order.traded)) == (expected, expected)
