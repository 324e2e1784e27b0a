"""Everything an order must satisfy before it reaches the book, in the words of Kite's refusals."""

from collections.abc import Mapping

from brokers.sandbox.http import (
    Form,
    choice_field,
    decimal_field,
    invalid,
    refused,
    required_field,
    whole_field,
)
from brokers.sandbox.market.client_order import IcebergLeg, OrderRequest
from brokers.sandbox.market.exchange_listing import ExchangeListing, ListedIndex
from compiled.model.exchange_rules import (
    exceeds_freeze,
    is_in_lots,
    is_inside_band,
    is_limit_beyond,
    is_protection,
    is_trigger_ahead,
    protected_limit,
)
from engine.orders.order_texts import ORDER_TYPES

VARIETIES = ("regular", "amo", "co", "iceberg", "auction")
PRODUCTS = ("CNC", "MIS", "NRML", "MTF")
TYPES = tuple(ORDER_TYPES.values())
SIDES = {"BUY": 1, "SELL": -1}
VALIDITIES = ("DAY", "IOC", "TTL")
TAG_LENGTH = 20
LEGS = (2, 50)
UNPROTECTED = (
    "Market orders without market protection are not allowed via API. "
    "Please set market protection or use a Limit order."
)
NO_STOP_MARKET = "SL-M orders are not allowed for options, nor on BSE. Please use an SL order."
NO_STOCK_OPTION_MARKET = (
    "Market orders are not allowed for stock options. Please use a limit order."
)
UNKNOWN_INSTRUMENT = (
    "The instrument you are placing an order for has either expired or does not exist."
)
NO_TRIGGER = "Invalid trigger price entered"

Listings = Mapping[str, ExchangeListing | ListedIndex]
"""By "EXCHANGE:SYMBOL"."""


def find_listing(listings: Listings, form: Form) -> ExchangeListing:
    """Return the instrument an order names."""
    found = listings.get(
        f"{required_field(form, 'exchange')}:{required_field(form, 'tradingsymbol')}"
    )
    if not isinstance(found, ExchangeListing):
        raise invalid(UNKNOWN_INSTRUMENT)
    return found


def read_order(
    listings: Listings, form: Form, variety: str, *, frozen: bool = True
) -> OrderRequest:
    """Read the form of a new order; `frozen`: no more than the exchange takes in one order."""
    if variety not in VARIETIES:
        raise invalid("Invalid `variety`.")
    ask = OrderRequest(
        listing=find_listing(listings, form),
        side=SIDES[choice_field(form, "transaction_type", tuple(SIDES))],
        quantity=whole_field(form, "quantity"),
        order_type=choice_field(form, "order_type", TYPES),
        product=choice_field(form, "product", (*PRODUCTS, "CO") if variety == "co" else PRODUCTS),
        price=decimal_field(form, "price"),
        trigger=decimal_field(form, "trigger_price"),
        validity=choice_field(form, "validity", VALIDITIES, "DAY"),
        disclosed=whole_field(form, "disclosed_quantity"),
        protection=decimal_field(form, "market_protection"),
        tag=form.get("tag") or None,
        variety=variety,
        ttl=whole_field(form, "validity_ttl"),
    )
    if variety == "co":
        ask = _cover_first_leg(ask)
    if variety == "auction":
        ask = _auction_request(ask, required_field(form, "auction_number"))
    if variety == "iceberg":
        return checked_request(
            _iceberg_first_leg(
                ask, whole_field(form, "iceberg_legs"), whole_field(form, "iceberg_quantity")
            )
        )
    return checked_request(ask, frozen=frozen)


def _cover_first_leg(ask: OrderRequest) -> OrderRequest:
    """Turn the form of a cover order into its first leg; the trigger is that of the second."""
    if ask.order_type not in {"MARKET", "LIMIT"}:
        raise invalid("Invalid `order_type`. Only MARKET and LIMIT orders are allowed in CO.")
    if ask.listing.instrument.kind == "EQ" and ask.product not in {"MIS", "CO"}:
        raise invalid("Invalid `product`. Cover orders are intraday orders.")
    if ask.validity != "DAY" or ask.disclosed:
        raise invalid("Invalid `validity`.")
    if ask.trigger <= 0.0:
        raise invalid(NO_TRIGGER)
    check_on_grid(ask.listing, ask.trigger)
    entry = ask.price if ask.order_type == "LIMIT" else ask.listing.ltp
    # The second leg is a stop on the other side, so its trigger lies behind the entry.
    if not is_trigger_ahead(-ask.side, ask.trigger, entry):
        raise invalid(NO_TRIGGER)
    return ask._replace(product="CO", stop=ask.trigger, trigger=0.0)


def _auction_request(ask: OrderRequest, number: str) -> OrderRequest:
    if ask.order_type != "LIMIT" or ask.buys or ask.product != "CNC" or ask.validity != "DAY":
        raise invalid("Only LIMIT SELL orders of CNC holdings are allowed in the auction.")
    return ask._replace(auction=number)


def _iceberg_first_leg(ask: OrderRequest, legs: int, quantity: int) -> OrderRequest:
    """Return the first leg; the quantity of a leg follows from their number if it is not given."""
    if not LEGS[0] <= legs <= LEGS[1]:
        raise invalid(f"Invalid `iceberg_legs`. It should be between {LEGS[0]} and {LEGS[1]}.")
    if ask.order_type == "MARKET" or ask.validity == "IOC":
        raise invalid("Market and IOC orders are not allowed in iceberg.")
    if ask.disclosed:
        raise invalid("Disclosed quantity is not allowed in iceberg.")
    lot = int(ask.listing.instrument.lot)
    leg = quantity or -(-ask.quantity // legs // lot) * lot
    # No leg may be empty, and all of them together hold the whole order.
    if leg < 1 or leg * (legs - 1) >= ask.quantity or leg * legs < ask.quantity:
        raise invalid("Invalid `iceberg_quantity`.")
    return ask._replace(quantity=leg, iceberg=IcebergLeg(1, legs, leg, ask.quantity))


def revised_request(ask: OrderRequest, form: Form) -> OrderRequest:
    """Return an order's request with the fields a modification names; quantity is the new total."""
    return checked_request(
        ask._replace(
            quantity=whole_field(form, "quantity", ask.quantity),
            order_type=choice_field(form, "order_type", TYPES, ask.order_type),
            price=decimal_field(form, "price", ask.price),
            trigger=decimal_field(form, "trigger_price", ask.trigger),
            validity=choice_field(form, "validity", VALIDITIES, ask.validity),
            disclosed=whole_field(form, "disclosed_quantity", ask.disclosed),
            protection=decimal_field(form, "market_protection", ask.protection),
        )
    )


def checked_request(ask: OrderRequest, *, frozen: bool = True) -> OrderRequest:
    """Return the request without the prices its type does not use.

    Raise `SandboxApiError` for a bad one.
    """
    if ask.tag is not None and len(ask.tag) > TAG_LENGTH:
        raise invalid("Invalid `tag`. It should be at most 20 characters long.")
    _check_product(ask)
    _check_validity(ask)
    _check_quantity(ask, frozen=frozen)
    _check_type(ask)
    if ask.order_type in {"MARKET", "SL-M"}:
        # Since April 2026 the API takes no market order without one (-1: the automatic band).
        if not ask.protection and ask.listing.rules.orders.api_rules:
            raise invalid(UNPROTECTED)
        if not is_protection(ask.protection):
            raise invalid("Invalid `market_protection`.")
        ask = ask._replace(price=0.0)
    elif ask.price <= 0.0:
        raise invalid("Missing or empty field `price`")
    if ask.order_type in {"SL", "SL-M"}:
        _check_trigger(ask)
    else:
        ask = ask._replace(trigger=0.0)
    check_on_grid(ask.listing, ask.price)
    check_on_grid(ask.listing, ask.trigger)
    most = ask.listing.rules.orders.max_value
    if frozen and (ask.price or ask.listing.ltp) * ask.quantity * ask.listing.multiplier > most:
        raise invalid(f"The order value exceeds the maximum of Rs. {most} allowed per order.")
    return ask


def _check_product(ask: OrderRequest) -> None:
    instrument = ask.listing.instrument
    if instrument.kind == "EQ" and ask.product == "NRML":
        raise invalid(
            f"Trading in {instrument.exchange} is not allowed using NRML product type. Try "
            "placing an order in CNC/MIS."
        )
    if instrument.kind != "EQ" and ask.product in {"CNC", "MTF"}:
        raise invalid(
            f"Trading in {instrument.exchange} is not allowed using {ask.product} product type. "
            "Try placing an order in NRML/MIS."
        )


def _check_type(ask: OrderRequest) -> None:
    kind, contract = ask.listing.instrument.kind, ask.listing.contract
    if ask.order_type == "SL-M" and (
        kind in {"CE", "PE"} or ask.listing.instrument.exchange == "BSE"
    ):
        raise invalid(NO_STOP_MARKET)
    stock_option = (
        kind in {"CE", "PE"}
        and contract is not None
        and isinstance(contract.underlying, ExchangeListing)
    )
    # The broker's own block, whatever the exchange would take.
    if ask.order_type == "MARKET" and stock_option:
        raise invalid(NO_STOCK_OPTION_MARKET)


def _check_validity(ask: OrderRequest) -> None:
    longest = ask.listing.rules.orders.ttl_minutes
    if ask.validity == "TTL" and not 1 <= ask.ttl <= longest:
        raise invalid(f"Invalid `validity_ttl`. It should be between 1 and {longest} minutes.")
    orders = ask.listing.rules.orders
    # A rule of the API alone, in force with its others.
    if ask.validity == "IOC" and ask.listing.instrument.exchange == "MCX" and orders.api_rules:
        raise invalid("IOC orders are not allowed on MCX.")


def _check_quantity(ask: OrderRequest, *, frozen: bool) -> None:
    instrument = ask.listing.instrument
    if ask.quantity < 1:
        raise invalid("Invalid `quantity`.")
    if not is_in_lots(instrument, ask.quantity):
        raise invalid(
            f"Invalid `quantity`. It should be a multiple of the lot size {instrument.lot}."
        )
    if frozen and exceeds_freeze(instrument, ask.quantity):
        lots = (
            ("", "")
            if instrument.lot == 1
            else tuple(
                f" ({quantity // instrument.lot} lots)"
                for quantity in (ask.quantity, instrument.freeze)
            )
        )
        raise invalid(
            f"The order quantity {ask.quantity}{lots[0]} is higher than the maximum quantity of "
            f"{instrument.freeze}{lots[1]} "
            "allowed by the exchanges. Please reduce the order quantity or use iceberg orders."
        )
    if ask.disclosed:
        _check_disclosed(ask)


def _check_disclosed(ask: OrderRequest) -> None:
    exchange = ask.listing.instrument.exchange
    if exchange in {"NFO", "BFO"}:
        raise invalid(f"Disclosed quantity is not allowed on {exchange}.")
    # The least part of an order that each exchange lets its sender show.
    percent = 25 if exchange == "MCX" else 10
    if not percent / 100 * ask.quantity <= ask.disclosed <= ask.quantity:
        raise invalid(f"Disclosed quantity should be at least {percent}% of the order quantity.")
    if ask.validity == "IOC":
        raise invalid("Disclosed quantity is not allowed for IOC orders.")


def check_on_grid(listing: ExchangeListing, price: float) -> None:
    """Raise `SandboxApiError` for a price (0.0: none) that is no multiple of the tick."""
    instrument = listing.instrument
    if price and not instrument.on_grid(price):
        raise invalid(
            f"Tick size for this script is {instrument.tick:.2f}. "
            "Kindly enter price in the multiple of tick size for this script."
        )


def _check_trigger(ask: OrderRequest) -> None:
    instrument, ltp = ask.listing.instrument, ask.listing.ltp
    if ask.trigger <= 0.0:
        raise invalid(NO_TRIGGER)
    side = "buy" if ask.buys else "sell"
    if not is_inside_band(instrument, ask.trigger):
        beyond, end, within, edge = (
            ("below", "lower", "above", instrument.lower)
            if ask.trigger < instrument.lower
            else ("above", "upper", "below", instrument.upper)
        )
        raise refused(
            f"Trigger price for stoploss {side} orders cannot be {beyond} the {end} circuit "
            f"price. Please try placing the order with trigger price {within} {edge:.2f}."
        )
    if not is_trigger_ahead(ask.side, ask.trigger, ltp):
        word = "higher" if ask.buys else "lower"
        raise refused(
            f"Trigger price for stoploss {side} orders should be {word} than the last traded "
            f"price ({ltp:.2f})."
        )
    if ask.order_type == "SL" and not is_limit_beyond(ask.side, ask.trigger, ask.price):
        word = "higher" if ask.buys else "lower"
        raise refused(
            f"Trigger price for stoploss {side} orders cannot be {word} than the limit price."
        )


def band_refusal(ask: OrderRequest) -> str:
    """Return why the exchange rejects a limit price outside the day's band, or an empty string."""
    instrument = ask.listing.instrument
    if not ask.price or is_inside_band(instrument, ask.price):
        return ""
    # The exchange's word and not the API's: the order exists, and ends as REJECTED.
    low = ask.price < instrument.lower
    word, side, band = (
        ("lower", "lower", instrument.lower) if low else ("higher", "upper", instrument.upper)
    )
    return (
        f"Your order price is {word} than the current {side} circuit limit of {band:.2f}. "
        "Place an order within the daily range."
    )


def protection_percent(ask: OrderRequest) -> float:
    """Return the market protection in percent: the given one, or the day's for the last price."""
    kind = ask.listing.instrument.kind
    return (
        ask.protection
        if ask.protection > 0
        else ask.listing.rules.protection(ask.listing.ltp, kind)
    )


def protected_price(ask: OrderRequest) -> float:
    """Return the limit a market order becomes: its protection, within the band."""
    instrument = ask.listing.instrument
    # On days before the rule a market order goes as far as the band lets it.
    if not ask.protection:
        return instrument.upper if ask.buys else instrument.lower
    return protected_limit(instrument, ask.side, ask.listing.ltp, protection_percent(ask))
