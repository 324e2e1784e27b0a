"""Conversion of an open position from one product into another."""

from brokers.sandbox import checks
from brokers.sandbox.checks import Listings
from brokers.sandbox.funds import Funds
from brokers.sandbox.orders import ClientOrder
from brokers.sandbox.portfolio import Portfolio
from brokers.sandbox.position import Position
from brokers.sandbox.wire import ApiError, Form, choice, invalid, whole

SHORT = "Short positions cannot be converted into delivery."


def convert(listings: Listings, portfolio: Portfolio, funds: Funds, form: Form, live: list[ClientOrder]) -> bool:
    """Answer `PUT /portfolio/positions`; a refused conversion leaves everything as it was."""
    listing = checks.listing(listings, form)
    side = checks.SIDES[choice(form, "transaction_type", tuple(checks.SIDES))]
    overnight = choice(form, "position_type", ("day", "overnight")) == "overnight"
    products = ("NRML", "MIS") if listing.instrument.kind != "EQ" else ("CNC", "MIS", "MTF")
    old, new = choice(form, "old_product", products), choice(form, "new_product", products)
    quantity = whole(form, "quantity")
    if old == new:
        raise invalid("Invalid `new_product`. It is the old one.")
    position = portfolio.position(listing, old)
    available = _available(position, side, overnight=overnight)
    if not 0 < quantity <= available:
        raise invalid(f"Invalid `quantity`. {available} are open in {old}.")
    if new in {"CNC", "MTF"} and side < 0:
        raise invalid(SHORT)
    frees = funds.unit_margin(listing, old, side, position.average) * quantity
    needs = funds.unit_margin(listing, new, side, position.average) * quantity
    have = funds.available(live) / 100
    if needs - frees > have:
        raise ApiError(
            400,
            "MarginException",
            f"Insufficient funds. Required margin is {needs - frees:.2f} but available margin is {have:.2f}.",
        )
    position.convert(quantity, portfolio.position(listing, new), overnight=overnight)
    return True


def _available(position: Position, side: int, *, overnight: bool) -> int:
    """Return how much of a side is open, carried or of today."""
    if position.quantity * side <= 0:
        return 0
    part = position.overnight if overnight else position.bought - position.sold
    return max(0, min(side * part, abs(position.quantity)))
