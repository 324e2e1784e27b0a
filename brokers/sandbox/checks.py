"""Everything an order must satisfy before it reaches the book, in the words of Kite's refusals."""

from collections.abc import Mapping

from brokers.sandbox.listing import Index, Listing
from brokers.sandbox.orders import Ask
from brokers.sandbox.wire import Form, choice, decimal, invalid, refused, required, whole

PRODUCTS = ("CNC", "MIS", "NRML", "MTF")
TYPES = ("MARKET", "LIMIT", "SL", "SL-M")
SIDES = {"BUY": 1, "SELL": -1}
TAG_LENGTH = 20
UNPROTECTED = (
    "Market orders without market protection are not allowed via API. "
    "Please set market protection or use a Limit order."
)
UNKNOWN_INSTRUMENT = "The instrument you are placing an order for has either expired or does not exist."

Listings = Mapping[str, Listing | Index]
"""By "EXCHANGE:SYMBOL"."""


def listing(listings: Listings, form: Form) -> Listing:
    """Return the share an order names."""
    found = listings.get(f"{required(form, 'exchange')}:{required(form, 'tradingsymbol')}")
    if not isinstance(found, Listing):
        raise invalid(UNKNOWN_INSTRUMENT)
    return found


def read(listings: Listings, form: Form, variety: str) -> Ask:
    """Read the form of a new order."""
    if variety != "regular":
        raise invalid("Invalid `variety`.")
    ask = Ask(
        listing=listing(listings, form),
        side=SIDES[choice(form, "transaction_type", tuple(SIDES))],
        quantity=whole(form, "quantity"),
        order_type=choice(form, "order_type", TYPES),
        product=choice(form, "product", PRODUCTS),
        price=decimal(form, "price"),
        trigger=decimal(form, "trigger_price"),
        validity=choice(form, "validity", ("DAY", "IOC"), "DAY"),
        disclosed=whole(form, "disclosed_quantity"),
        protection=decimal(form, "market_protection"),
        tag=form.get("tag") or None,
        variety=variety,
    )
    return checked(ask)


def revised(ask: Ask, form: Form) -> Ask:
    """Return an order's request with the fields a modification names; quantity is the new total."""
    return checked(
        ask._replace(
            quantity=whole(form, "quantity", ask.quantity),
            order_type=choice(form, "order_type", TYPES, ask.order_type),
            price=decimal(form, "price", ask.price),
            trigger=decimal(form, "trigger_price", ask.trigger),
            validity=choice(form, "validity", ("DAY", "IOC"), ask.validity),
            disclosed=whole(form, "disclosed_quantity", ask.disclosed),
            protection=decimal(form, "market_protection", ask.protection),
        )
    )


def checked(ask: Ask) -> Ask:
    """Return the request with the prices its type does not use taken out; raise `ApiError` for a bad one."""
    if ask.tag is not None and len(ask.tag) > TAG_LENGTH:
        raise invalid("Invalid `tag`. It should be at most 20 characters long.")
    if ask.product == "NRML":
        raise invalid("Trading in NSE is not allowed using NRML product type. Try placing an order in CNC/MIS.")
    _quantity(ask)
    if ask.order_type in {"MARKET", "SL-M"}:
        if not ask.protection:
            raise invalid(UNPROTECTED)
        if ask.protection != -1.0 and not 0.0 < ask.protection <= 100.0:
            raise invalid("Invalid `market_protection`.")
        ask = ask._replace(price=0.0)
    elif ask.price <= 0.0:
        raise invalid("Missing or empty field `price`")
    if ask.order_type in {"SL", "SL-M"}:
        _trigger(ask)
    else:
        ask = ask._replace(trigger=0.0)
    on_grid(ask.listing, ask.price)
    on_grid(ask.listing, ask.trigger)
    most = ask.listing.rules.orders.max_value
    if (ask.price or ask.listing.ltp) * ask.quantity > most:
        raise invalid(f"The order value exceeds the maximum of Rs. {most} allowed per order.")
    return ask


def _quantity(ask: Ask) -> None:
    instrument = ask.listing.instrument
    if ask.quantity < 1:
        raise invalid("Invalid `quantity`.")
    if ask.quantity % instrument.lot:
        raise invalid(f"Invalid `quantity`. It should be a multiple of the lot size {instrument.lot}.")
    if ask.quantity > instrument.freeze:
        raise invalid(
            f"The order quantity {ask.quantity} is higher than the maximum quantity of {instrument.freeze} "
            "allowed by the exchanges. Please reduce the order quantity or use iceberg orders."
        )
    if ask.disclosed and not 0.1 * ask.quantity <= ask.disclosed <= ask.quantity:
        raise invalid("Disclosed quantity should be at least 10% of the order quantity.")
    if ask.disclosed and ask.validity == "IOC":
        raise invalid("Disclosed quantity is not allowed for IOC orders.")


def on_grid(listing: Listing, price: float) -> None:
    """Raise `ApiError` for a price (0.0: none) that is no multiple of the tick."""
    instrument = listing.instrument
    if price and not instrument.on_grid(price):
        raise invalid(
            f"Tick size for this script is {instrument.tick:.2f}. "
            "Kindly enter price in the multiple of tick size for this script."
        )


def _trigger(ask: Ask) -> None:
    instrument, ltp = ask.listing.instrument, ask.listing.ltp
    if ask.trigger <= 0.0:
        raise invalid("Invalid trigger price entered")
    side = "buy" if ask.buys else "sell"
    if ask.trigger < instrument.lower:
        raise refused(
            f"Trigger price for stoploss {side} orders cannot be below the lower circuit price. "
            f"Please try placing the order with trigger price above {instrument.lower:.2f}."
        )
    if ask.trigger > instrument.upper:
        raise refused(
            f"Trigger price for stoploss {side} orders cannot be above the upper circuit price. "
            f"Please try placing the order with trigger price below {instrument.upper:.2f}."
        )
    if ask.side * (ask.trigger - ltp) <= 0:
        word = "higher" if ask.buys else "lower"
        raise refused(
            f"Trigger price for stoploss {side} orders should be {word} than the last traded price ({ltp:.2f})."
        )
    if ask.order_type == "SL" and ask.side * (ask.price - ask.trigger) < 0:
        word = "higher" if ask.buys else "lower"
        raise refused(f"Trigger price for stoploss {side} orders cannot be {word} than the limit price.")


def protection_percent(ask: Ask) -> float:
    """Return the market protection in percent: the given one, or the day's slab for the last price."""
    return ask.protection if ask.protection > 0 else ask.listing.rules.protection(ask.listing.ltp)


def protected_price(ask: Ask) -> float:
    """Return the limit a protected market order becomes: never worse than its protection, inside the band."""
    instrument = ask.listing.instrument
    worst = ask.listing.ltp * (1.0 + ask.side * protection_percent(ask) / 100.0)
    return min(instrument.upper, max(instrument.lower, instrument.snap(worst, -ask.side)))
