"""What an order may carry beyond itself: its variety and the parameters of that, and what came of one that was sliced.

Rules from Kite Connect v3, "Orders", and Zerodha's support pages on AMO, cover, iceberg and sliced orders.
"""

from typing import Any, Final, Literal, NamedTuple

from brokers.kite.outcome import CallFailed, of_change
from compiled.model import Instrument, Order, OrderType, Product, Validity
from engine.errors import OrderRefused, OrderUnknown

Variety = Literal["regular", "amo", "co", "iceberg", "auction"]

ICEBERG_LEGS: Final = range(2, 51)


class Terms(NamedTuple):
    """How an order is to be placed; the default is a plain one.

    `minutes`: life of a TTL order. `legs`: of an iceberg, 2 to 50. `autoslice`: cut at the exchange's freeze quantity,
    for `KiteBroker.place_sliced`. `disclosed`: shares shown. `auction`: number of the auction session. A cover order's
    `Order.trigger` is the stop of its second leg.
    """

    variety: Variety = "regular"
    minutes: int = 0
    legs: int = 0
    disclosed: int = 0
    autoslice: bool = False
    auction: str = ""

    def fields(self, order: Order, instrument: Instrument) -> dict[str, Any]:
        """Return the request's fields these terms add; raise `OrderRefused` for what Kite could only reject."""
        self._check(order)
        fields: dict[str, Any] = {"variety": self.variety}
        if order.validity == Validity.TTL:
            fields["validity_ttl"] = self.minutes
        if self.variety == "iceberg":
            lots = int(order.quantity) // int(instrument.lot)
            fields |= {"iceberg_legs": self.legs, "iceberg_quantity": -(-lots // self.legs) * int(instrument.lot)}
        if self.disclosed:
            fields["disclosed_quantity"] = self.disclosed
        if self.auction:
            fields["auction_number"] = self.auction
        return fields

    def _check(self, order: Order) -> None:
        if (order.validity == Validity.TTL) != (self.minutes > 0):
            raise OrderRefused("VALIDITY", "a TTL order, and no other, needs its minutes")
        if self.variety == "iceberg" and self.legs not in ICEBERG_LEGS:
            raise OrderRefused("ICEBERG", f"an iceberg order has 2 to 50 legs, not {self.legs}")
        if self.variety == "co":
            self._check_cover(order)
        if (self.variety == "auction") != bool(self.auction):
            raise OrderRefused("AUCTION", "an auction order, and no other, needs the number of its session")
        if self.autoslice and self.variety != "regular":
            raise OrderRefused("AUTOSLICE", f"only a regular order is sliced, not {self.variety}")
        if not 0 <= self.disclosed <= order.quantity:
            raise OrderRefused("DISCLOSED", f"{self.disclosed} of {order.quantity} shares cannot be disclosed")

    @staticmethod
    def _check_cover(order: Order) -> None:
        if order.order_type not in {OrderType.MARKET, OrderType.LIMIT} or order.product != Product.MIS:
            raise OrderRefused("COVER", "a cover order is MIS, and enters as MARKET or LIMIT")


PLAIN: Final = Terms()
SLICED: Final = Terms(autoslice=True)


class Slices(NamedTuple):
    """What became of a sliced order: the ids of the orders that exist, and why others do not.

    `unknown` slices may exist: they are looked up by the tag, which every slice carries.
    """

    order_ids: tuple[str, ...]
    refused: tuple[OrderRefused, ...] = ()
    unknown: tuple[OrderUnknown, ...] = ()


def slices(answer: object) -> Slices:
    """Read both shapes of Kite's answer: {"order_id", "children": [...]}, and the flat list of before 2026-03-25.

    Raises the first refusal or doubt where no order exists for certain, `TypeError` for an answer of another shape.
    """
    if isinstance(answer, dict):
        parts = [{"order_id": answer["order_id"]}, *(answer.get("children") or [])]
    elif isinstance(answer, list):
        parts = answer
    else:
        raise TypeError("neither shape of a sliced order")
    order_ids, failures = [], []
    for part in parts:
        if "error" in part:
            failures.append(of_change(_failure(part["error"])))
        elif isinstance(part["order_id"], str) and part["order_id"]:
            order_ids.append(part["order_id"])
        else:
            raise TypeError("a slice without an id")
    refused = tuple(each for each in failures if isinstance(each, OrderRefused))
    unknown = tuple(OrderUnknown(str(each)) for each in failures if not isinstance(each, OrderRefused))
    if not order_ids:
        raise (*unknown, *refused, TypeError("no slices"))[0]
    return Slices(tuple(dict.fromkeys(order_ids)), refused, unknown)


def _failure(error: dict[str, Any]) -> CallFailed:
    text = " ".join(str(error.get("message") or "no reason given").split())[:300]
    return CallFailed(text, sent=True, status=int(error.get("code") or 0), error=str(error.get("error_type") or ""))
