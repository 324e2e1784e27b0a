"""Texts of the kinds of orders, as Kite, the journal and the screen write them."""

from typing import Final

from compiled.model.values import OrderType

ORDER_TYPES: Final = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.SL: "SL",
    OrderType.SLM: "SL-M",
}
