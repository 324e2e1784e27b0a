"""Varieties of an order and their parameters, and Kite's answers to a sliced one.

Rules from Kite Connect v3, "Orders", and Zerodha's support pages on AMO, cover, iceberg and sliced
orders.
"""

from typing import Any, Final

from brokers.kite.call_outcome import CallFailed, change_error
from compiled.model.order_terms import Variety
from compiled.model.values import Instrument, Order, OrderType, Product, Validity
from engine.errors import OrderRefused, OrderUnknown
from engine.ports import SlicedOrder

VARIETY: Final = {
    Variety.REGULAR: "regular",
    Variety.AMO: "amo",
    Variety.COVER: "co",
    Variety.ICEBERG: "iceberg",
    Variety.AUCTION: "auction",
}
ICEBERG_LEGS: Final = range(2, 51)


def terms_fields(order: Order, instrument: Instrument) -> dict[str, Any]:
    """Return the request's fields of an order's terms; raise `OrderRefused` for impossible ones."""
    terms = order.terms
    _check_terms(order)
    fields: dict[str, Any] = {"variety": VARIETY[terms.variety]}
    if order.validity is Validity.TTL:
        fields["validity_ttl"] = int(terms.minutes)
    if terms.variety is Variety.ICEBERG:
        lots = int(order.quantity) // int(instrument.lot)
        # Up to whole lots: rounded down, the legs would not hold the whole order.
        leg = -(-lots // int(terms.legs)) * int(instrument.lot) // int(instrument.multiplier)
        fields |= {"iceberg_legs": int(terms.legs), "iceberg_quantity": leg}
    if terms.disclosed:
        fields["disclosed_quantity"] = -(-int(terms.disclosed) // int(instrument.multiplier))
    if terms.auction:
        fields["auction_number"] = terms.auction
    return fields


def _check_terms(order: Order) -> None:
    terms = order.terms
    if (order.validity is Validity.TTL) != (terms.minutes > 0):
        raise OrderRefused("VALIDITY", "a TTL order, and no other, needs its minutes")
    if terms.variety is Variety.ICEBERG and terms.legs not in ICEBERG_LEGS:
        raise OrderRefused("ICEBERG", f"an iceberg order has 2 to 50 legs, not {terms.legs}")
    if terms.variety is Variety.COVER:
        _check_cover(order)
    if (terms.variety is Variety.AUCTION) != bool(terms.auction):
        raise OrderRefused(
            "AUCTION", "an auction order, and no other, needs the number of its session"
        )
    if terms.autoslice and terms.variety is not Variety.REGULAR:
        raise OrderRefused(
            "AUTOSLICE", f"only a regular order is sliced, not {VARIETY[terms.variety]}"
        )
    if not 0 <= terms.disclosed <= order.quantity:
        raise OrderRefused(
            "DISCLOSED", f"{terms.disclosed} of {order.quantity} shares cannot be disclosed"
        )


def _check_cover(order: Order) -> None:
    if (
        order.order_type not in {OrderType.MARKET, OrderType.LIMIT}
        or order.product is not Product.MIS
    ):
        raise OrderRefused("COVER", "a cover order is MIS, and enters as MARKET or LIMIT")


def read_slices(answer: object) -> SlicedOrder:
    """Read both shapes of Kite's answer.

    They are {"order_id", "children": [...]}, and the flat list of before 2026-03-25. Raise the
    first refusal or doubt where no order exists for certain, `TypeError` for an answer of another
    shape.
    """
    if isinstance(answer, dict):
        # Kite's parent is a slice like its children.
        parts = [{"order_id": answer["order_id"]}, *(answer.get("children") or [])]
    elif isinstance(answer, list):
        parts = answer
    else:
        raise TypeError("neither shape of a sliced order")
    order_ids, failures = [], []
    for part in parts:
        if "error" in part:
            failures.append(change_error(_slice_failure(part["error"])))
        elif isinstance(part["order_id"], str) and part["order_id"]:
            order_ids.append(part["order_id"])
        else:
            raise TypeError("a slice without an id")
    refused = tuple(each for each in failures if isinstance(each, OrderRefused))
    unknown = tuple(
        OrderUnknown(str(each)) for each in failures if not isinstance(each, OrderRefused)
    )
    # Doubt first: where one slice may exist, the order is looked up and never sent again.
    if not order_ids:
        raise (*unknown, *refused, TypeError("no slices"))[0]
    # A parent that is repeated among its children is one slice.
    return SlicedOrder(tuple(dict.fromkeys(order_ids)), refused, unknown)


def _slice_failure(error: dict[str, Any]) -> CallFailed:
    text = " ".join(str(error.get("message") or "no reason given").split())[:300]
    return CallFailed(
        text,
        sent=True,
        status=int(error.get("code") or 0),
        error=str(error.get("error_type") or ""),
    )
