"""Kite's words ↔ ours: statuses, IST times, rows of its books, and the fields of a request.

Rows come from the official client, which has turned some timestamps into naive IST datetimes and
left others strings. A row that lacks what it must have raises `KeyError`, `TypeError` or
`ValueError`: the caller drops the whole answer. Kite counts MCX in lots; the desk counts units of
the price, as everywhere else (`Instrument.multiplier`).
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from brokers.kite import strict_figures
from brokers.kite.order_varieties import terms_fields
from compiled.model.events import BrokerTrade, GttUpdate, OrderUpdate
from compiled.model.number_bounds import FIRST, LAST, ORDER, PRICE
from compiled.model.order_terms import OrderChange, Variety
from compiled.model.values import (
    E4,
    SECOND,
    Bar,
    Gtt,
    GttLeg,
    GttStatus,
    Instrument,
    Order,
    OrderStatus,
    OrderType,
    Product,
    Side,
    Validity,
    nearest,
)
from engine.errors import OrderRefused
from engine.indian_time import INDIA
from engine.market.calendar import ist_day
from engine.market.order_rules import multiplier
from engine.orders.order_texts import ORDER_TYPES
from engine.ports import BrokerHolding, BrokerPosition
from engine.texts import is_symbol

Row = dict[str, Any]

FINEST, COARSEST = 1.0 / E4, 1_000.0
"""Rupees: a tick is one of these or between them."""
TAG_LIMIT: Final = 20
"""Kite rejects a longer tag; it does not cut it."""

_STATUS: Final = {
    "COMPLETE": OrderStatus.COMPLETE,
    "CANCELLED": OrderStatus.CANCELLED,
    "REJECTED": OrderStatus.REJECTED,
    "TRIGGER PENDING": OrderStatus.TRIGGER_PENDING,
}
_GTT_STATUS: Final = {
    "active": GttStatus.ACTIVE,
    "triggered": GttStatus.TRIGGERED,
    "disabled": GttStatus.DISABLED,
    "expired": GttStatus.EXPIRED,
    "cancelled": GttStatus.CANCELLED,
    "rejected": GttStatus.REJECTED,
    "deleted": GttStatus.DELETED,
}
_PRICED: Final = frozenset({OrderType.LIMIT, OrderType.SL})
_TRIGGERED: Final = frozenset({OrderType.SL, OrderType.SLM})
_PROTECTED: Final = frozenset({OrderType.MARKET, OrderType.SLM})


class AccountDefaults(NamedTuple):
    """Fields of every order of an account.

    The market protection in percent (-1: Kite's bands), and an algo id.
    """

    protection: float = -1
    algo_id: str = ""


PLAIN_ACCOUNT: Final = AccountDefaults()


def order_status(text: str, order_type: str = "") -> OrderStatus:
    """Return our status for Kite's.

    Its list of interim statuses is open: any status that is no end is live. A stop has been
    triggered when Kite says OPEN; any other unknown status comes before that.
    """
    # A stop that is taken for live at the exchange too early would count as protection that works.
    waits = text != "OPEN" and order_type in {"SL", "SL-M"}
    return _STATUS.get(text, OrderStatus.TRIGGER_PENDING if waits else OrderStatus.OPEN)


def gtt_status(text: str) -> GttStatus:
    """Return our status for Kite's; an unheard-of one is unknown, not dead."""
    return _GTT_STATUS.get(text, GttStatus.UNKNOWN)


def nanoseconds(value: object, missing: int = 0) -> int:
    """Return ns UTC for a datetime or its ISO text, IST without a zone, `missing` for nothing."""
    if not value:
        return missing
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=INDIA)
    ts = int(moment.timestamp()) * SECOND
    if not FIRST <= ts < LAST:
        raise ValueError(f"no time of these days: {value}")
    return ts


def ist_datetime(ts: int) -> datetime:
    """Return ns UTC as a naive IST datetime, whole seconds: the form the client sends."""
    return datetime.fromtimestamp(ts // SECOND, INDIA).replace(tzinfo=None)


def units_per_lot(row: Row, now: int) -> int:
    """Return how many of the desk's units are one of a row's quantity.

    A commodity of unknown lot stays in lots.
    """
    return (
        1
        if row["exchange"] != "MCX"
        else multiplier(ist_day(now), "MCX", row["tradingsymbol"]) or 1
    )


def order_update(row: Row, now: int) -> OrderUpdate:
    """Read a row of the order book; `now` (ns) stands in for a missing time."""
    # The exchange's time of the change; an order that it has never seen has Kite's own alone.
    stamp = row.get("exchange_update_timestamp") or row.get("order_timestamp")
    each = units_per_lot(row, now)
    return OrderUpdate(
        nanoseconds(stamp, now),
        strict_figures.name_of(row["order_id"]),
        tag=str(row.get("tag") or ""),
        token=strict_figures.number_of(row["instrument_token"]),
        side=Side[row["transaction_type"]],
        status=order_status(row["status"], str(row.get("order_type") or "")),
        quantity=strict_figures.ordered(row["quantity"], each),
        filled=_filled_quantity(row, each),
        price=strict_figures.price(row.get("price")),
        trigger=strict_figures.price(row.get("trigger_price")),
        average=strict_figures.price(row.get("average_price")),
        # The raw text is the order system's own, and all there is where Kite has no words for it.
        reason=str(row.get("status_message") or row.get("status_message_raw") or ""),
        parent=str(row.get("parent_order_id") or ""),
        product=str(row.get("product") or ""),
    )


def _filled_quantity(row: Row, each: int) -> int:
    filled = strict_figures.ordered(row["filled_quantity"], each)
    # one impossible row makes the whole book unreadable, rather than a wrong figure read
    if filled > row["quantity"] * each:
        raise ValueError(f"{row['filled_quantity']} of {row['quantity']} filled")
    return filled


def trade(row: Row, now: int) -> BrokerTrade:
    """Read a row of the trade book; `now` (ns) stands in for a missing time."""
    quantity, price = (
        strict_figures.several(row["quantity"], units_per_lot(row, now)),
        strict_figures.paid(row["average_price"]),
    )
    strict_figures.turnover(price, quantity)
    return BrokerTrade(
        nanoseconds(row.get("fill_timestamp") or row.get("exchange_timestamp"), now),
        strict_figures.name_of(row["trade_id"]),
        order_id=strict_figures.name_of(row["order_id"]),
        token=strict_figures.number_of(row["instrument_token"]),
        side=Side[row["transaction_type"]],
        quantity=quantity,
        price=price,
    )


def gtt_update(row: Row, now: int, token_of: Callable[[str, str], int]) -> GttUpdate:
    """Read a GTT, legs by ascending trigger; `token_of` (exchange, symbol) serves a missing token.

    `order_ids` are the orders its legs have sent. "triggered" does not mean that the exchange took
    the order: a leg that failed has no order id, and its rejection is the reason.
    """
    condition = row["condition"]
    # Others send their legs in any order.
    pairs = sorted(
        zip(condition["trigger_values"], row["orders"], strict=True),
        key=lambda pair: strict_figures.price(pair[0]),
    )
    sent = [
        result for _, order in pairs if (result := order.get("result") or {}).get("order_result")
    ]
    results = [result["order_result"] for result in sent]
    failures = [
        str(result.get("rejection_reason") or "failed")
        for result in results
        if result["status"] == "failed"
    ]
    token = condition.get("instrument_token") or token_of(
        condition["exchange"], condition["tradingsymbol"]
    )
    each = units_per_lot(condition, now)
    return GttUpdate(
        nanoseconds(row.get("updated_at") or row.get("created_at"), now),
        strict_figures.number_of(row["id"]),
        token=strict_figures.number_of(token),
        status=gtt_status(row["status"]),
        legs=[_gtt_leg(strict_figures.price(trigger), order, each) for trigger, order in pairs],
        order_ids=[
            strict_figures.name_of(r["order_id"])
            for r in results
            if r["status"] != "failed" and r.get("order_id")
        ],
        reason="; ".join(failures) or str((row.get("meta") or {}).get("rejection_reason") or ""),
        exchange=str(condition["exchange"]),
        symbol=str(condition.get("tradingsymbol") or ""),
        product=str(pairs[0][1].get("product") or "CNC"),
        fired=next(
            (
                strict_figures.price(result["triggered_at"])
                for result in sent
                if result.get("triggered_at")
            ),
            0.0,
        ),
    )


def _gtt_leg(trigger: float, order: Row, each: int) -> GttLeg:
    shares = strict_figures.several(order["quantity"], each)
    return GttLeg(
        trigger, strict_figures.price(order["price"]), Side[order["transaction_type"]], shares
    )


def position(row: Row) -> BrokerPosition:
    """Read a net position."""
    quantity = strict_figures.signed(
        row["quantity"], strict_figures.count(row.get("multiplier", 1)) or 1
    )
    token, exchange = (
        strict_figures.number_of(row["instrument_token"]),
        str(row.get("exchange") or "NSE"),
    )
    average = strict_figures.price(row["average_price"])
    strict_figures.worth(average, quantity)
    return BrokerPosition(
        token,
        row["tradingsymbol"],
        product=row["product"],
        quantity=quantity,
        average=average,
        exchange=exchange,
    )


def holdings(row: Row) -> list[BrokerHolding]:
    """Read a holding with the shares sold today added back.

    Kite takes them off at once, and lists them as a position.

    T1 shares, bought the day before, count: they are there and can be sold, whether the opening
    quantity has them or not. Shares bought on margin (MTF) stand in the same row with a quantity
    and an average of their own, and come as a holding of their own.
    """
    parts = row["quantity"], row["t1_quantity"], row.get("used_quantity") or 0
    # Either may lack T1 shares; what is too few would look like a sale by somebody else.
    opening = max(
        strict_figures.count(row.get("opening_quantity", 0)),
        sum(strict_figures.count(part) for part in parts),
    )
    token, symbol = strict_figures.number_of(row["instrument_token"]), str(row["tradingsymbol"])
    exchange, isin = str(row.get("exchange") or "NSE"), str(row.get("isin") or "")
    average = strict_figures.price(row["average_price"])
    unauthorised = 0
    if (authorised := row.get("authorised_quantity")) is not None:
        left = opening - strict_figures.count(row.get("used_quantity") or 0)
        unauthorised = max(0, left - strict_figures.count(authorised))
    strict_figures.worth(average, opening)
    own = BrokerHolding(
        token,
        symbol,
        quantity=opening,
        average=average,
        product="CNC",
        exchange=exchange,
        isin=isin,
        unauthorised=unauthorised,
    )
    margin = row.get("mtf") or {}
    financed = sum(
        strict_figures.count(margin.get(part) or 0) for part in ("quantity", "used_quantity")
    )
    # Financed shares are another position with stops of its own: they must not melt into one
    # average.
    if not financed:
        return [own]
    price = strict_figures.price(margin.get("average_price"))
    strict_figures.worth(price, financed)
    # Financed shares need no authorisation by the day.
    bought = own._replace(quantity=financed, average=price, product="MTF", unauthorised=0)
    return [own, bought] if own.quantity else [bought]


def instrument(row: Row, day: date) -> Instrument | None:
    """Read a row of the list of a day.

    None for a row without a symbol, and for a commodity of unknown lot. An index, which Kite lists
    with tick and lot 0, gets 0.01 and 1.
    """
    each = multiplier(day, row["exchange"], row["tradingsymbol"])
    if not each or not is_symbol(row["tradingsymbol"]):
        return None
    # Of an index: it is never ordered, and only shown on this grid.
    tick = float(row["tick_size"]) or 0.01
    lot = each if row["exchange"] == "MCX" else int(row["lot_size"]) or 1
    if not FINEST <= tick <= COARSEST or not 0 < lot <= ORDER:
        raise ValueError(f"out of bounds: tick {tick:g}, lot {lot}")
    return Instrument(
        strict_figures.number_of(int(row["instrument_token"])),
        row["exchange"],
        symbol=row["tradingsymbol"],
        tick=tick,
        lot=lot,
        kind="INDEX" if row["segment"] == "INDICES" else row["instrument_type"],
        name=row["name"],
        multiplier=each,
        # the client has made a date of it, or not
        expiry=int(str(row["expiry"] or "").replace("-", "") or 0),
    )


def bar(row: Row, token: int, span: int) -> Bar:
    """Read a candle; Kite stamps it with its start."""
    first, high, low, last = (
        float(row["open"]),
        float(row["high"]),
        float(row["low"]),
        float(row["close"]),
    )
    volume = int(row["volume"])
    if not (
        0.0 < first <= PRICE and 0.0 < high <= PRICE and 0.0 < low <= PRICE and 0.0 < last <= PRICE
    ):
        raise ValueError(f"out of bounds: {first:g}, {high:g}, {low:g}, {last:g}")
    # Kite's history has volumes beyond 64 bits.
    if not 0 <= volume <= strict_figures.MOST:
        raise ValueError(f"out of bounds: {volume}")
    return Bar(
        token,
        nanoseconds(row["date"]),
        span=span,
        open=first,
        high=high,
        low=low,
        close=last,
        volume=volume,
    )


def order_fields(order: Order, instrument: Instrument, account: AccountDefaults) -> Row:
    """Return the request of a new order, or raise `OrderRefused` for what Kite could only reject.

    MARKET and SL-M always carry a market protection: without one Kite refuses them since April
    2026; -1 lets Kite choose the band.
    """
    # The tag is how an order of unknown outcome is found: without one it must not leave.
    if not order.tag or len(order.tag) > TAG_LIMIT:
        raise OrderRefused("TAG", f"the tag {order.tag!r} must have 1 to {TAG_LIMIT} characters")
    fields: Row = {
        "exchange": instrument.exchange,
        "tradingsymbol": instrument.symbol,
        "transaction_type": Side(order.side).name,
        "quantity": kite_quantity(instrument, order.quantity),
        "product": Product(order.product).name,
        "order_type": ORDER_TYPES[order.order_type],
        "validity": Validity(order.validity).name,
        "tag": order.tag,
    }
    if order.order_type in _PRICED:
        fields["price"] = _checked_price(instrument, order.price, "price")
    # Of a cover order it is the stop of the second leg.
    if order.order_type in _TRIGGERED or order.terms.variety is Variety.COVER:
        fields["trigger_price"] = _checked_price(instrument, order.trigger, "trigger")
    if order.order_type in _PROTECTED:
        fields["market_protection"] = (
            order.protection if order.protection > 0.0 else account.protection
        )
    if account.algo_id:
        fields["algo_id"] = account.algo_id
    return fields | terms_fields(order, instrument)


def margin_fields(order: Order, instrument: Instrument) -> Row:
    """Return a row of the request that asks what an order would block."""
    return {
        "exchange": instrument.exchange,
        "tradingsymbol": instrument.symbol,
        "transaction_type": Side(order.side).name,
        "variety": "regular",
        "product": Product(order.product).name,
        "order_type": ORDER_TYPES[order.order_type],
        "quantity": kite_quantity(instrument, order.quantity),
        "price": order.price,
        "trigger_price": order.trigger,
    }


def blocked_margin(row: Row) -> int:
    """Read what an order would block, charges included, in paise."""
    charges = (row.get("charges") or {}).get("total") or 0.0
    # Kite's total is the margin alone, and an order blocks its charges too.
    return nearest((strict_figures.real(row["total"]) + strict_figures.real(charges)) * 100.0)


def change_fields(change: OrderChange, instrument: Instrument) -> Row:
    """Return the request of a modification: changed fields only, for Kite keeps the rest."""
    if change.quantity < 0:
        raise OrderRefused(
            "QUANTITY", f"an order cannot be modified to {change.quantity} shares; cancel it"
        )
    fields: Row = {}
    if change.quantity:
        fields["quantity"] = kite_quantity(instrument, change.quantity)
    if change.price:
        fields["price"] = _checked_price(instrument, change.price, "price")
    if change.trigger:
        fields["trigger_price"] = _checked_price(instrument, change.trigger, "trigger")
    if not fields:
        raise OrderRefused("CHANGE", "a modification must change something")
    return fields


def gtt_fields(gtt: Gtt, legs: Sequence[GttLeg], instrument: Instrument) -> Row:
    """Return the request of a GTT with these legs, lower trigger first.

    All of them send LIMIT orders. Kite takes the direction of a single trigger from `last_price`.
    """
    if len(legs) not in {1, 2}:
        raise OrderRefused("LEGS", f"a GTT has one or two legs, not {len(legs)}")
    # Kite wants the lower trigger first, whichever of them is the stop.
    legs = sorted(legs, key=lambda leg: leg.trigger)
    return {
        "trigger_type": "single" if len(legs) == 1 else "two-leg",
        "tradingsymbol": instrument.symbol,
        "exchange": instrument.exchange,
        "trigger_values": [_checked_price(instrument, leg.trigger, "trigger") for leg in legs],
        # Kite tells from it whether a single trigger waits above or below.
        "last_price": instrument.snap(gtt.last_price),
        "orders": [
            {
                "transaction_type": Side(leg.side).name,
                "quantity": kite_quantity(instrument, leg.quantity),
                "order_type": "LIMIT",
                "product": Product(gtt.product).name,
                "price": _checked_price(instrument, leg.price, "price"),
            }
            for leg in legs
        ],
    }


def kite_quantity(instrument: Instrument, quantity: int) -> int:
    """Return a quantity as Kite counts it; raise `OrderRefused` for a part of a lot of MCX."""
    lots, rest = divmod(int(quantity), int(instrument.multiplier))
    # Cut down it would leave shares without a stop, or sell fewer than were asked for.
    if rest:
        raise OrderRefused(
            "LOT", f"{quantity} of {instrument.symbol} are no whole lots of {instrument.multiplier}"
        )
    return lots


def _checked_price(instrument: Instrument, price: float, what: str) -> float:
    if price <= 0.0 or not instrument.on_grid(price):
        raise OrderRefused(
            "GRID", f"{what} {price} of {instrument.symbol} is not on its grid of {instrument.tick}"
        )
    return instrument.snap(price)
