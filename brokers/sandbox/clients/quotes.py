"""Quotes and the instrument dump."""

import csv
import io
from collections.abc import Iterable

from brokers.sandbox import kite_times
from brokers.sandbox.clients.client_connection import Tokens
from brokers.sandbox.http import SandboxRequest, invalid
from brokers.sandbox.market.exchange_listing import LEVELS, ExchangeListing, ListedIndex
from brokers.sandbox.market.order_checks import Listings
from compiled.market_data.depth_block import depth_levels
from compiled.model.values import Tick
from engine.market.instruments import InstrumentListing as Row

COLUMNS = (
    "instrument_token",
    "exchange_token",
    "tradingsymbol",
    "name",
    "last_price",
    "expiry",
    "strike",
    "tick_size",
    "lot_size",
    "instrument_type",
    "segment",
    "exchange",
)
COVER_PERCENT = 10.0
MOST = {"quote": 500, "ohlc": 1000, "ltp": 1000}


def dump_csv(rows: Iterable[Row]) -> str:
    """Return an instrument dump as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        index = row.kind == "INDEX"
        tick, lot, segment = (
            # Kite lists an index with tick and lot 0, which a client has to bear.
            (0.0, 0, "INDICES") if index else (row.tick, row.lot, _row_segment(row))
        )
        expiry = row.expiry.isoformat() if row.expiry else ""
        # Kite's token is the exchange's number with the segment in its low byte.
        head = (row.token, row.token >> 8, row.symbol, row.name, 0.0, expiry, row.strike, tick, lot)
        writer.writerow((*head, "EQ" if index else row.kind, segment, row.exchange))
    return out.getvalue()


def listing_row(listing: ExchangeListing | ListedIndex) -> Row:
    """Return the row of a dump that lists an instrument without a contract."""
    of = listing.instrument
    return Row(
        int(of.token),
        of.exchange,
        symbol=of.symbol,
        name=of.name,
        kind=of.kind,
        tick=of.tick,
        lot=int(of.lot),
    )


def dump_part(text: str, exchange: str) -> bytes:
    """Return a dump as it was given, or the lines of one exchange."""
    if not exchange:
        return text.encode()
    head, *lines = text.splitlines()
    return "\n".join(
        [head, *(line for line in lines if line.rpartition(",")[2] == exchange), ""]
    ).encode()


def _row_segment(row: Row) -> str:
    if row.kind == "EQ":
        return row.exchange
    return f"{row.exchange}-{'FUT' if row.kind == 'FUT' else 'OPT'}"


def trigger_range(listings: Listings, request: SandboxRequest) -> dict[str, object]:
    """Return how far a cover order's stop may stand from the last price, for known instruments."""
    found = ((key, listings.get(key)) for key in request.values("i"))
    return {
        key: {
            "instrument_token": listing.instrument.token,
            "lower": listing.instrument.snap(listing.ltp * (1 - COVER_PERCENT / 100)),
            "upper": listing.instrument.snap(listing.ltp * (1 + COVER_PERCENT / 100)),
            "percentage": COVER_PERCENT,
        }
        for key, listing in found
        if listing is not None
    }


def quote_rows(
    kind: str,
    listings: Listings,
    tokens: Tokens,
    request: SandboxRequest,
    now: int,
    *,
    cut: bool = False,
) -> dict[str, object]:
    """Return quotes of the instruments asked for, by "EXCHANGE:SYMBOL" or token.

    Unknown ones are left out; with `cut` so are those above the permitted number, which is refused
    otherwise.
    """
    asked = request.values("i")
    if not asked:
        raise invalid("Missing or empty field `i`")
    if len(asked) > MOST[kind] and not cut:
        raise invalid(f"Maximum of {MOST[kind]} instruments are allowed per request.")
    found = (
        (key, tokens.get(int(key)) if key.isdecimal() else listings.get(key))
        for key in asked[: MOST[kind]]
    )
    return {key: quote_row(kind, listing, now) for key, listing in found if listing is not None}


def quote_row(kind: str, listing: ExchangeListing | ListedIndex, now: int) -> dict[str, object]:
    """Return one instrument's quote of a kind: "ltp", "ohlc" or "quote"."""
    token, tick = listing.instrument.token, listing.snapshot(now)
    if kind == "ltp":
        return {"instrument_token": token, "last_price": tick.ltp}
    ohlc = {"open": tick.open, "high": tick.high, "low": tick.low, "close": tick.close}
    if kind == "ohlc":
        return {"instrument_token": token, "last_price": tick.ltp, "ohlc": ohlc}
    head: dict[str, object] = {
        "instrument_token": token,
        "timestamp": kite_times.text(now),
        "last_price": tick.ltp,
        "net_change": round(tick.ltp - tick.close, 4),
        "ohlc": ohlc,
    }
    return head if isinstance(listing, ListedIndex) else head | _market_fields(listing, tick)


def _market_fields(listing: ExchangeListing, tick: Tick) -> dict[str, object]:
    bids, asks = depth_levels(tick)
    return {
        "last_trade_time": kite_times.text(listing.last_trade) if listing.last_trade else None,
        "last_quantity": tick.last_quantity,
        "buy_quantity": tick.buy_quantity,
        "sell_quantity": tick.sell_quantity,
        "volume": tick.volume,
        "average_price": tick.average_price,
        "oi": tick.oi,
        "oi_day_high": tick.oi_high,
        "oi_day_low": tick.oi_low,
        "lower_circuit_limit": listing.instrument.lower,
        "upper_circuit_limit": listing.instrument.upper,
        "depth": {"buy": _depth_side(bids), "sell": _depth_side(asks)},
    }


def _depth_side(side: list[tuple[float, int, int]]) -> list[dict[str, object]]:
    # Always five levels a side, as Kite sends them: empty ones are zeros.
    padded = [*side, *[(0, 0, 0)] * (LEVELS - len(side))]
    return [
        {"price": price, "quantity": quantity, "orders": orders}
        for price, quantity, orders in padded
    ]
