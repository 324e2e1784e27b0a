"""Terms of an order, modifications, sliced orders, and the effect of every fault on them."""

import pytest

from brokers.kite.kite_broker import KiteBroker
from brokers.kite.order_varieties import VARIETY
from brokers.kite.translation import AccountDefaults
from compiled.model.order_terms import OrderChange, OrderTerms, Variety
from compiled.model.values import (
    Instrument,
    Order,
    OrderPurpose,
    OrderType,
    Product,
    Side,
    Validity,
)
from engine.errors import OrderRefused, OrderUnknown, RetryableError
from engine.ports import SlicedOrder


def an_order(order_type=OrderType.LIMIT, product=Product.MIS, quantity=50, **changes):
    fields = {"price": 1500.05, "trigger": 1490.0, **changes}
    return Order(
        1,
        "tag-1",
        "s",
        408065,
        Side.BUY,
        quantity,
        order_type,
        product,
        OrderPurpose.ENTRY,
        **fields,
    )


TTL = {"validity": Validity.TTL}


@pytest.mark.parametrize(
    ("order", "terms", "fields"),
    [
        (an_order(), OrderTerms(Variety.AMO), {"variety": "amo"}),
        (an_order(**TTL), OrderTerms(minutes=7), {"validity": "TTL", "validity_ttl": "7"}),
        (
            an_order(quantity=101),
            OrderTerms(Variety.ICEBERG, legs=10),
            {"iceberg_legs": "10", "iceberg_quantity": "11"},
        ),
        (
            an_order(),
            OrderTerms(Variety.COVER),
            {"order_type": "LIMIT", "price": "1500.05", "trigger_price": "1490.0"},
        ),
        (
            an_order(OrderType.MARKET),
            OrderTerms(Variety.COVER),
            {"trigger_price": "1490.0", "market_protection": "-1"},
        ),
        (an_order(), OrderTerms(disclosed=5), {"disclosed_quantity": "5"}),
        (
            an_order(),
            OrderTerms(Variety.AUCTION, auction="22"),
            {"variety": "auction", "auction_number": "22"},
        ),
    ],
)
async def test_each_variety_goes_out_with_its_own_parameters(
    stub, broker, script, order, terms, fields
):
    stub.on(f"POST /orders/{VARIETY[terms.variety]}", script.ok({"order_id": "1"}))
    order.terms = terms
    assert await broker.place(order) == "1"
    form = stub.requests[0].form
    assert form.items() >= fields.items()
    extra = {
        "validity_ttl",
        "iceberg_legs",
        "iceberg_quantity",
        "disclosed_quantity",
        "auction_number",
        "autoslice",
    }
    assert form.keys() & extra == fields.keys() & extra


async def test_an_iceberg_of_a_lot_is_cut_in_whole_lots(stub, broker, script):
    broker.add_instruments([Instrument(9, "NFO", "NIFTY26JANFUT", 0.1, 65)])
    order = an_order(quantity=65 * 11, price=25_000.0)
    order.token = 9
    stub.on("*", script.ok({"order_id": "1"}))
    order.terms = OrderTerms(Variety.ICEBERG, legs=3)
    await broker.place(order)
    assert stub.requests[0].form["iceberg_quantity"] == str(65 * 4)  # 11 lots in 3 legs: 4, 4, 3


@pytest.mark.parametrize(
    ("order", "terms", "code"),
    [
        (an_order(**TTL), OrderTerms(), "VALIDITY"),
        (an_order(), OrderTerms(minutes=5), "VALIDITY"),
        (an_order(), OrderTerms(Variety.ICEBERG, legs=1), "ICEBERG"),
        (an_order(), OrderTerms(Variety.ICEBERG, legs=51), "ICEBERG"),
        (an_order(OrderType.SL), OrderTerms(Variety.COVER), "COVER"),
        (an_order(product=Product.CNC), OrderTerms(Variety.COVER), "COVER"),
        (an_order(trigger=0.0), OrderTerms(Variety.COVER), "GRID"),
        (an_order(), OrderTerms(Variety.AUCTION), "AUCTION"),
        (an_order(), OrderTerms(auction="22"), "AUCTION"),
        (an_order(), OrderTerms(disclosed=51), "DISCLOSED"),
        (an_order(), OrderTerms(autoslice=True), "AUTOSLICE"),
    ],
)
async def test_terms_that_kite_could_only_reject_are_refused_before_they_are_sent(
    stub, broker, order, terms, code
):
    order.terms = terms
    with pytest.raises(OrderRefused) as refused:
        await broker.place(order)
    assert refused.value.code == code
    assert stub.requests == []


async def test_market_protection_and_algo_id_of_the_account_stand_on_every_order(
    stub, clock, script
):
    stub.on("*", script.ok({"order_id": "1"}))
    broker = KiteBroker(stub.url, "key", "token", clock, standing=AccountDefaults(2.5, "ALGO7"))
    broker.add_instruments([Instrument(408065, "NSE", "INFY", 0.05)])
    await broker.place(an_order(OrderType.MARKET))
    await broker.place(an_order(OrderType.MARKET, protection=1.0))
    await broker.place(an_order())
    await broker.close()
    forms = [each.form for each in stub.requests]
    assert [form.get("market_protection") for form in forms] == ["2.5", "1.0", None]
    assert [form.get("algo_id") for form in forms] == ["ALGO7"] * 3


async def test_requests_leave_from_the_address_that_is_named(stub, clock, script):
    came_from = []

    async def answer(request, writer):
        came_from.append(writer.get_extra_info("peername")[0])
        writer.write(script.ok({"user_id": "AB1234"}))

    stub.on("*", answer)
    for source in ("127.0.0.2", ""):
        broker = KiteBroker(stub.url, "key", "token", clock, source=source)
        assert await broker.account() == "AB1234"
        await broker.close()
    assert came_from == ["127.0.0.2", "127.0.0.1"]


# modification


async def placed(stub, broker, script, order_id="77"):
    stub.on("POST /orders/regular", script.ok({"order_id": order_id}))
    await broker.place(an_order())
    stub.requests.clear()


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"price": 1501.0}, {"price": "1501.0"}),
        ({"trigger": 1490.05}, {"trigger_price": "1490.05"}),
        ({"quantity": 40}, {"quantity": "40"}),
        (
            {"quantity": 1, "price": 1.0, "trigger": 1.0},
            {"quantity": "1", "price": "1.0", "trigger_price": "1.0"},
        ),
    ],
)
async def test_a_modification_says_what_changes_and_nothing_else(
    stub, broker, script, change, fields
):
    await placed(stub, broker, script)
    stub.on("PUT /orders/regular/77", script.ok({"order_id": "77"}))
    await broker.modify("77", OrderChange(**change))
    assert stub.requests[0].form == {"variety": "regular", "order_id": "77"} | fields


async def test_an_order_of_another_variety_is_modified_as_what_it_is(stub, broker, script):
    row = {
        "order_id": "22",
        "variety": "co",
        "parent_order_id": "21",
        "status": "TRIGGER PENDING",
        "quantity": 5,
        "filled_quantity": 0,
        "exchange": "NSE",
        "instrument_token": 408065,
        "transaction_type": "SELL",
    }
    stub.on("GET /orders", script.ok([row]))
    stub.on("PUT /orders/co/22", script.ok({"order_id": "22"}))
    await broker.orders()
    await broker.modify("22", OrderChange(trigger=1480.0))
    assert stub.requests[1].form == {
        "variety": "co",
        "order_id": "22",
        "parent_order_id": "21",
        "trigger_price": "1480.0",
    }


@pytest.mark.parametrize(
    ("order_id", "change", "code"),
    [
        ("77", {}, "CHANGE"),
        ("77", {"quantity": -1}, "QUANTITY"),
        ("77", {"price": 1500.03}, "GRID"),
        ("77", {"trigger": -1.0}, "GRID"),
        ("88", {"price": 1500.0}, "ORDER"),
    ],
)
async def test_a_modification_that_cannot_be_meant_is_refused_before_it_is_sent(
    stub, broker, script, order_id, change, code
):
    await placed(stub, broker, script)
    with pytest.raises(OrderRefused) as refused:
        await broker.modify(order_id, OrderChange(**change))
    assert refused.value.code == code
    assert stub.requests == []


# sliced orders


def slice_error(kind, code, message="because"):
    return {"error": {"code": code, "error_type": kind, "message": message, "data": None}}


SHAPES = {
    "parent and children": lambda ids, errors: {
        "order_id": ids[0],
        "children": [*({"order_id": each} for each in ids[1:]), *errors],
    },
    "flat list": lambda ids, errors: [*({"order_id": each} for each in ids), *errors],
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_both_shapes_of_a_sliced_order_give_every_id_and_every_failure(
    stub, broker, script, shape
):
    errors = [
        slice_error("MarginException", 400, "Insufficient funds."),
        slice_error("NetworkException", 503),
    ]
    stub.on("POST /orders/regular", script.ok(SHAPES[shape](["1", "2", "3"], errors)))
    got = await broker.place_sliced(an_order())
    assert got.order_ids == ("1", "2", "3")
    assert [(each.code, "Insufficient funds." in each.reason) for each in got.refused] == [
        ("MarginException", True)
    ]
    assert len(got.unknown) == 1
    assert stub.requests[0].form["autoslice"] == "true"
    stub.on("PUT /orders/regular/3", script.ok({"order_id": "3"}))
    await broker.modify("3", OrderChange(price=1500.0))


async def test_a_sliced_order_without_children_is_one_order(stub, broker, script):
    for answer in ({"order_id": "1"}, {"order_id": "1", "children": None}, [{"order_id": "1"}]):
        stub.on("*", script.ok(answer))
        assert await broker.place_sliced(an_order()) == SlicedOrder(("1",))


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ([slice_error("MarginException", 400)] * 2, OrderRefused),
        ([slice_error("MarginException", 400), slice_error("OrderException", 500)], OrderUnknown),
        ([slice_error("NetworkException", 429)], OrderUnknown),
        ([{"error": {}}], OrderUnknown),
        ([], OrderUnknown),
        ([{"order_id": None}], OrderUnknown),
        ([{"order_id": "1"}, {}], OrderUnknown),
        ({"children": [{"order_id": "1"}]}, OrderUnknown),
        ("1", OrderUnknown),
    ],
)
async def test_without_an_order_for_certain_a_sliced_one_is_refused_only_if_every_slice_was(
    stub, broker, script, answer, outcome
):
    stub.on("*", script.ok(answer))
    with pytest.raises(outcome):
        await broker.place_sliced(an_order())
    assert len(stub.requests) == 1


# every fault


async def close_at_once(request, writer):
    writer.close()


def faults(script):
    """Faults of the table in docs/kite.md, each with what a change comes to."""
    html = b"<html>gateway</html>"
    return {
        "4xx with a type": (script.error(400, "InputException"), OrderRefused),
        "dead token": (script.error(403, "TokenException"), OrderRefused),
        "path, 4xx": (script.error(400, "NetworkException"), OrderUnknown),
        "408": (script.error(408, "OrderException"), OrderUnknown),
        "429": (script.error(429, "NetworkException"), RetryableError),
        "500": (script.error(500, "OrderException"), OrderUnknown),
        "502 page": (script.http(502, html, "text/html"), OrderUnknown),
        "503": (script.error(503, "NetworkException"), OrderUnknown),
        "504 page": (script.http(504, html, "text/html"), OrderUnknown),
        "page with 200": (script.http(200, html, "text/html"), OrderUnknown),
        "error with 200": (script.error(200, "OrderException"), OrderUnknown),
        "no data": (script.http(200, {"status": "success"}), OrderUnknown),
        "null": (script.http(200, {"status": "success", "data": None}), OrderUnknown),
        "no content type": (b"HTTP/1.1 204 X\r\n\r\n", OrderUnknown),
        "cut": (
            b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{",
            OrderUnknown,
        ),
        "closed": (close_at_once, OrderUnknown),
    }


@pytest.mark.parametrize("call", ["place", "amo", "sliced", "modify", "cancel"])
async def test_every_fault_has_its_outcome_for_every_change_and_nothing_is_sent_twice(
    stub, hasty, script, call
):
    await placed(stub, hasty, script)
    calls = {
        "place": lambda: hasty.place(an_order()),
        "amo": lambda: hasty.place(an_order(terms=OrderTerms(Variety.AMO))),
        "sliced": lambda: hasty.place_sliced(an_order()),
        "modify": lambda: hasty.modify("77", OrderChange(price=1500.0)),
        "cancel": lambda: hasty.cancel("77"),
    }
    stub.script.clear()
    for name, (answer, outcome) in faults(script).items():
        stub.requests.clear()
        stub.on("*", answer)
        with pytest.raises(outcome):
            pytest.fail(f"{name}: {await calls[call]()}")
        assert len(stub.requests) == 1, name
