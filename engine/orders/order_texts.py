"""Texts of the kinds of orders, as books, journal and screen write them."""

from typing import Final

from compiled.model.values import OrderType

ORDER_TYPES: Final = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.SL: "SL",
    OrderType.SLM: "SL-M",
}
