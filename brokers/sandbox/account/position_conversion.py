"""Conversion of an open position from one product into another."""

from brokers.sandbox.account.account_funds import AccountFunds
from brokers.sandbox.account.portfolio import AccountPortfolio
from brokers.sandbox.account.product_position import ProductPosition
from brokers.sandbox.http import Form, SandboxApiError, choice_field, invalid, whole_field
from brokers.sandbox.market import order_checks
from brokers.sandbox.market.client_order import ClientOrder
from brokers.sandbox.market.order_checks import Listings

SHORT = "Short positions cannot be converted into delivery."


def convert_position(
    listings: Listings,
    portfolio: AccountPortfolio,
    funds: AccountFunds,
    form: Form,
    live: list[ClientOrder],
) -> bool:
    """Answer `PUT /portfolio/positions`; a refused conversion leaves everything as it was."""
    listing = order_checks.find_listing(listings, form)
    side = order_checks.SIDES[choice_field(form, "transaction_type", tuple(order_checks.SIDES))]
    overnight = choice_field(form, "position_type", ("day", "overnight")) == "overnight"
    # Shares are delivered and contracts are carried: neither takes the other's product.
    products = ("NRML", "MIS") if listing.instrument.kind != "EQ" else ("CNC", "MIS", "MTF")
    old, new = (
        choice_field(form, "old_product", products),
        choice_field(form, "new_product", products),
    )
    quantity = whole_field(form, "quantity")
    if old == new:
        raise invalid("Invalid `new_product`. It is the old one.")
    position = portfolio.position(listing, old)
    available = _convertible_quantity(position, side, overnight=overnight)
    if not 0 < quantity <= available:
        raise invalid(f"Invalid `quantity`. {available} are open in {old}.")
    # What was sold without being held cannot be delivered.
    if new in {"CNC", "MTF"} and side < 0:
        raise invalid(SHORT)
    frees = funds.unit_margin(listing, old, side, position.average) * quantity
    needs = funds.unit_margin(listing, new, side, position.average) * quantity
    have = funds.available(live) / 100
    # The margin of the old product is given back, so only the difference has to be there.
    if needs - frees > have:
        raise SandboxApiError(
            400,
            "MarginException",
            f"Insufficient funds. Required margin is {needs - frees:.2f} but available margin is "
            f"{have:.2f}.",
        )
    position.convert(quantity, portfolio.position(listing, new), overnight=overnight)
    return True


def _convertible_quantity(position: ProductPosition, side: int, *, overnight: bool) -> int:
    """Return how much of a side is open, carried or of today."""
    if position.quantity * side <= 0:
        return 0
    # A conversion names carried shares or today's, and never takes of the others.
    part = position.overnight if overnight else position.bought - position.sold
    return max(0, min(side * part, abs(position.quantity)))
