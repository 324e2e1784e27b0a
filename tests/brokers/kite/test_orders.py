"""Orders, trades and GTTs: what goes over the wire for each call, and what the answers become."""

import json

import pytest

from compiled.model.values import (
    Gtt,
    GttLeg,
    GttStatus,
    Order,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Product,
    Side,
    Validity,
)
from engine.errors import OrderRefused, RetryableError

OPEN_NS = 1_767_325_500_000_000_000  # 2026-01-02 09:15:00 IST
SECOND = 1_000_000_000


def an_order(order_type=OrderType.LIMIT, **changes):
    fields = {"price": 1500.05, "trigger": 1490.0, **changes}
    return Order(
        1, "tag-1", "s", 408065, Side.SELL, 5, order_type, Product.MIS, OrderPurpose.EXIT, **fields
    )


COMMON = {
    "variety": "regular",
    "exchange": "NSE",
    "tradingsymbol": "INFY",
    "transaction_type": "SELL",
    "quantity": "5",
    "product": "MIS",
    "validity": "DAY",
    "tag": "tag-1",
}


@pytest.mark.parametrize(
    ("order", "fields"),
    [
        (an_order(OrderType.LIMIT), {"order_type": "LIMIT", "price": "1500.05"}),
        (
            an_order(OrderType.LIMIT, validity=Validity.IOC),
            {"order_type": "LIMIT", "price": "1500.05", "validity": "IOC"},
        ),
        (an_order(OrderType.MARKET), {"order_type": "MARKET", "market_protection": "-1"}),
        (
            an_order(OrderType.MARKET, protection=0.0),
            {"order_type": "MARKET", "market_protection": "-1"},
        ),
        (
            an_order(OrderType.MARKET, protection=2.5),
            {"order_type": "MARKET", "market_protection": "2.5"},
        ),
        (
            an_order(OrderType.SL),
            {"order_type": "SL", "price": "1500.05", "trigger_price": "1490.0"},
        ),
        (
            an_order(OrderType.SLM),
            {"order_type": "SL-M", "trigger_price": "1490.0", "market_protection": "-1"},
        ),
    ],
)
async def test_an_order_goes_out_with_exactly_the_fields_of_its_type(
    stub, broker, script, order, fields
):
    stub.on("POST /orders/regular", script.ok({"order_id": "260102000000001"}))
    assert await broker.place(order) == "260102000000001"
    assert stub.requests[0].form == COMMON | fields
    assert stub.requests[0].headers["authorization"] == "token key:token"


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (an_order(price=1500.03), "GRID"),
        (an_order(price=0.0), "GRID"),
        (an_order(OrderType.SLM, trigger=1490.01), "GRID"),
        (an_order(validity=Validity.TTL), "VALIDITY"),
    ],
)
async def test_what_kite_could_only_reject_is_refused_before_it_is_sent(stub, broker, order, code):
    with pytest.raises(OrderRefused) as refused:
        await broker.place(order)
    assert refused.value.code == code
    assert stub.requests == []


async def test_a_tag_of_21_characters_and_an_unknown_instrument_are_refused_before_they_are_sent(
    stub, broker
):
    for change, code in (
        ({"tag": "x" * 21}, "TAG"),
        ({"tag": ""}, "TAG"),
        ({"token": 1}, "INSTRUMENT"),
    ):
        order = an_order()
        for name, value in change.items():
            setattr(order, name, value)
        with pytest.raises(OrderRefused) as refused:
            await broker.place(order)
        assert refused.value.code == code
    assert stub.requests == []


def order_row(**changes):
    row = {
        "order_id": "1",
        "parent_order_id": None,
        "exchange_order_id": None,
        "status": "OPEN",
        "status_message": None,
        "status_message_raw": None,
        "order_timestamp": "2026-01-02 09:15:01",
        "exchange_update_timestamp": None,
        "exchange_timestamp": None,
        "variety": "regular",
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "instrument_token": 408065,
        "transaction_type": "BUY",
        "quantity": 10,
        "filled_quantity": 0,
        "price": 1500.05,
        "trigger_price": 0,
        "average_price": 0,
        "tag": None,
    }
    return row | changes


async def test_the_order_book_keeps_its_order_and_every_field(stub, broker, script):
    rows = [
        order_row(
            order_id="9", tag="tag-1", status="COMPLETE", filled_quantity=10, average_price=1499.95
        ),
        order_row(
            order_id="8",
            transaction_type="SELL",
            status="REJECTED",
            status_message="Insufficient funds.",
            exchange_update_timestamp="2026-01-02 09:15:02",
        ),
        order_row(order_id="7", order_timestamp=None, price=None, trigger_price=1490.5),
    ]
    stub.on("GET /orders", script.ok(rows))
    book = await broker.orders()
    assert [vars_of(each) for each in book] == [
        (
            OPEN_NS + SECOND,
            "9",
            "tag-1",
            408065,
            Side.BUY,
            OrderStatus.COMPLETE,
            10,
            10,
            1500.05,
            0.0,
            1499.95,
            "",
        ),
        (
            OPEN_NS + 2 * SECOND,
            "8",
            "",
            408065,
            Side.SELL,
            OrderStatus.REJECTED,
            10,
            0,
            1500.05,
            0.0,
            0.0,
            "Insufficient funds.",
        ),
        (OPEN_NS, "7", "", 408065, Side.BUY, OrderStatus.OPEN, 10, 0, 0.0, 1490.5, 0.0, ""),
    ]


def vars_of(update):
    names = "ts order_id tag token side status quantity filled price trigger average reason"
    return tuple(getattr(update, name) for name in names.split())


async def test_only_three_statuses_end_an_order_and_every_other_one_is_live(stub, broker, script):
    live = [
        "PUT ORDER REQ RECEIVED",
        "VALIDATION PENDING",
        "OPEN PENDING",
        "OPEN",
        "MODIFY VALIDATION PENDING",
        "MODIFY PENDING",
        "MODIFIED",
        "CANCEL PENDING",
        "AMO REQ RECEIVED",
        "UPDATE",
        "SOMETHING NEW",
    ]
    ends = {
        "COMPLETE": OrderStatus.COMPLETE,
        "CANCELLED": OrderStatus.CANCELLED,
        "REJECTED": OrderStatus.REJECTED,
    }
    expected = (
        dict.fromkeys(live, OrderStatus.OPEN)
        | {"TRIGGER PENDING": OrderStatus.TRIGGER_PENDING}
        | ends
    )
    stub.on("GET /orders", script.ok([order_row(order_id=name, status=name) for name in expected]))
    assert {each.order_id: each.status for each in await broker.orders()} == expected


async def test_a_row_without_what_it_must_have_fails_the_whole_book(stub, broker, script):
    for field in (
        "order_id",
        "status",
        "instrument_token",
        "quantity",
        "filled_quantity",
        "transaction_type",
    ):
        broken = order_row()
        del broken[field]
        stub.on("GET /orders", script.ok([order_row(), broken]))
        with pytest.raises(RetryableError):
            await broker.orders()


async def test_an_order_of_another_variety_is_cancelled_as_what_it_is(stub, broker, script):
    leg = order_row(order_id="22", variety="co", parent_order_id="21")
    stub.on(
        "GET /orders",
        script.ok([order_row(order_id="20"), leg, order_row(order_id="23", variety="amo")]),
    )
    for order_id, route in (("20", "regular"), ("22", "co"), ("23", "amo")):
        stub.on(f"DELETE /orders/{route}/{order_id}", script.ok({"order_id": order_id}))
    await broker.orders()
    for order_id in ("20", "22", "23"):
        await broker.cancel(order_id)
    cancels = [(each.path, each.query) for each in stub.requests[1:]]
    assert cancels == [
        ("/orders/regular/20", {}),
        ("/orders/co/22", {"parent_order_id": ["21"]}),
        ("/orders/amo/23", {}),
    ]


async def test_trades_come_oldest_first_and_keep_their_order_within_a_second(stub, broker, script):
    def row(trade_id, second):
        return {
            "trade_id": trade_id,
            "order_id": "1",
            "exchange": "NSE",
            "tradingsymbol": "INFY",
            "instrument_token": 408065,
            "transaction_type": "BUY",
            "quantity": 3,
            "average_price": 1500.05,
            "fill_timestamp": f"2026-01-02 09:15:{second:02}",
            "order_timestamp": "09:15:00",
        }

    stub.on("GET /trades", script.ok([row("c", 5), row("b", 2), row("a", 2)]))
    trades = await broker.trades()
    assert [(t.trade_id, t.ts - OPEN_NS) for t in trades] == [
        ("b", 2 * SECOND),
        ("a", 2 * SECOND),
        ("c", 5 * SECOND),
    ]
    assert (trades[0].side, trades[0].quantity, trades[0].price, trades[0].token) == (
        Side.BUY,
        3,
        1500.05,
        408065,
    )


def a_gtt(*legs):
    gtt = Gtt(1, "s", 408065, Product.CNC, 1, 1500.0, list(legs))
    gtt.gtt_id = 77
    return gtt


STOP, TARGET = GttLeg(1400.0, 1398.95, Side.SELL, 5), GttLeg(1600.0, 1599.0, Side.SELL, 5)


async def test_a_two_leg_gtt_goes_out_lower_trigger_first(stub, broker, script):
    stub.on("POST /gtt/triggers", script.ok({"trigger_id": 123}))
    assert await broker.place_gtt(a_gtt(TARGET, STOP)) == 123
    form = stub.requests[0].form
    order = {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": "SELL",
        "quantity": 5,
        "order_type": "LIMIT",
        "product": "CNC",
    }
    assert form["type"] == "two-leg"
    assert json.loads(form["condition"]) == {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "trigger_values": [1400.0, 1600.0],
        "last_price": 1500.0,
    }
    assert json.loads(form["orders"]) == [order | {"price": 1398.95}, order | {"price": 1599.0}]


async def test_a_modified_gtt_goes_out_with_its_pending_legs(stub, broker, script):
    stub.on("PUT /gtt/triggers/77", script.ok({"trigger_id": 77}))
    gtt = a_gtt(STOP, TARGET)
    gtt.pending = [GttLeg(1450.0, 1449.0, Side.SELL, 4)]
    await broker.modify_gtt(gtt)
    form = stub.requests[0].form
    assert (form["type"], json.loads(form["condition"])["trigger_values"]) == ("single", [1450.0])
    assert [(each["price"], each["quantity"]) for each in json.loads(form["orders"])] == [
        (1449.0, 4)
    ]


async def test_a_gtt_is_deleted_by_its_id(stub, broker, script):
    stub.on("DELETE /gtt/triggers/77", script.ok({"trigger_id": 77}))
    await broker.delete_gtt(77)
    assert [repr(each) for each in stub.requests] == ["DELETE /gtt/triggers/77"]


async def test_a_gtt_without_legs_or_off_the_grid_is_refused_before_it_is_sent(stub, broker):
    for legs in (
        [],
        [STOP] * 3,
        [GttLeg(1400.01, 1399.0, Side.SELL, 5)],
        [GttLeg(1400.0, 1399.01, Side.SELL, 5)],
    ):
        with pytest.raises(OrderRefused):
            await broker.place_gtt(a_gtt(*legs))
    assert stub.requests == []


def gtt_row(**changes):
    order = {
        "transaction_type": "SELL",
        "quantity": 5,
        "price": 1398.95,
        "product": "CNC",
        "result": None,
    }
    row = {
        "id": 5,
        "type": "single",
        "created_at": "2026-01-02 09:15:00",
        "updated_at": "2026-01-02 09:15:03",
        "status": "active",
        "condition": {
            "exchange": "NSE",
            "tradingsymbol": "INFY",
            "instrument_token": 408065,
            "last_price": 1500.0,
            "trigger_values": [1400.0],
        },
        "orders": [order],
        "meta": {},
    }
    return row | changes


def result(status, order_id, reason=""):
    return {"order_result": {"status": status, "order_id": order_id, "rejection_reason": reason}}


async def test_gtts_come_by_id_with_their_legs_by_trigger(stub, broker, script):
    pair = gtt_row(id=6, type="two-leg", meta=None)
    pair["condition"] = {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "trigger_values": [1600.0, 1400.0],
    }
    sell = {"transaction_type": "SELL", "quantity": 5, "result": None}
    pair["orders"] = [sell | {"price": 1599.0}, sell | {"price": 1399.0}]
    stub.on("GET /gtt/triggers", script.ok([pair, gtt_row()]))
    single, two = await broker.gtts()
    assert (single.gtt_id, single.ts, single.token, single.status) == (
        5,
        OPEN_NS + 3 * SECOND,
        408065,
        GttStatus.ACTIVE,
    )
    assert [(leg.trigger, leg.price, leg.side, leg.quantity) for leg in single.legs] == [
        (1400.0, 1398.95, Side.SELL, 5)
    ]
    assert (two.gtt_id, two.token, two.order_ids, two.reason) == (6, 408065, [], "")
    assert [(leg.trigger, leg.price) for leg in two.legs] == [(1400.0, 1399.0), (1600.0, 1599.0)]


async def test_a_triggered_gtt_names_its_order_and_a_failed_leg_its_reason(stub, broker, script):
    sent, failed = gtt_row(id=1, status="triggered"), gtt_row(id=2, status="triggered")
    sent["orders"] = [sent["orders"][0] | {"result": result("success", "260102000000009")}]
    failed["orders"] = [
        failed["orders"][0] | {"result": result("failed", "77", "above the circuit limit")}
    ]
    rejected = gtt_row(id=3, status="rejected", meta={"rejection_reason": "no such product"})
    stub.on("GET /gtt/triggers", script.ok([sent, failed, rejected]))
    got = [(each.status, each.order_ids, each.reason) for each in await broker.gtts()]
    assert got == [
        (GttStatus.TRIGGERED, ["260102000000009"], ""),
        (GttStatus.TRIGGERED, [], "above the circuit limit"),
        (GttStatus.REJECTED, [], "no such product"),
    ]


async def test_every_gtt_status_has_its_own_and_an_unheard_of_one_is_unknown(stub, broker, script):
    names = [
        "active",
        "triggered",
        "disabled",
        "expired",
        "cancelled",
        "rejected",
        "deleted",
        "parked",
    ]
    stub.on(
        "GET /gtt/triggers",
        script.ok([gtt_row(id=i, status=name) for i, name in enumerate(names, 1)]),
    )
    statuses = [each.status.name.lower() for each in await broker.gtts()]
    assert statuses == [*names[:-1], "unknown"]
