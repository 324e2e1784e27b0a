"""Final settlement prices of expired contracts, by date."""

from collections.abc import Iterable, Mapping
from datetime import date

from brokers.sandbox.market import session_phases
from brokers.sandbox.market.exchange_listing import ExchangeListing, ListedIndex
from compiled.model.values import MINUTE

AVERAGED_SINCE = date(2026, 12, 7)
"""Day from which averages of the underlying settle, instead of its closing value.

SEBI I/23843/2026, para 4.9.1; medium confidence.
"""
WINDOW = 30 * MINUTE
"""The end of continuous trading in shares that they are taken of."""

Listings = Mapping[str, ExchangeListing | ListedIndex]


def final_price(listing: ExchangeListing, day: date, listings: Listings, *, new: bool) -> float:
    """Return the price in rupees at which a contract is closed on its last day.

    An option has its intrinsic value, and any contract its own last price where no underlying is
    listed. `new`: by rules that are not certain yet.
    """
    contract = listing.contract
    spot = contract.underlying if contract is not None else None
    if contract is None or not isinstance(spot, ExchangeListing | ListedIndex):
        return listing.ltp
    value = _average_value(spot, day, listings) if new and day >= AVERAGED_SINCE else spot.ltp
    # A future has no strike: it settles at the value itself.
    if not contract.strike:
        return value
    inside = value - contract.strike if listing.instrument.kind == "CE" else contract.strike - value
    return round(max(0.0, inside), 2)


def _average_value(spot: ExchangeListing | ListedIndex, day: date, listings: Listings) -> float:
    """Return the average of a share over all exchanges, or an index at its members' averages."""
    ends = session_phases.continuous_end(day)
    if isinstance(spot, ListedIndex):
        return spot.value(
            [_window_average([member], ends) / member.instrument.close for member in spot.members]
        )
    symbol = spot.instrument.symbol
    others = [listings.get(f"{exchange}:{symbol}") for exchange in ("NSE", "BSE")]
    return round(
        _window_average([one for one in others if isinstance(one, ExchangeListing)], ends), 2
    )


def _window_average(shares: Iterable[ExchangeListing], ends: int) -> float:
    """Return the volume-weighted average price in the window, or the last one without a trade."""
    volume, value, last = 0, 0.0, 0.0
    for one in shares:
        minutes = [minute for minute in one.minutes if ends - WINDOW <= minute[0] < ends]
        volume += sum(minute[5] for minute in minutes)
        value += one.instrument.price(1) * sum(minute[6] for minute in minutes)
        # The first exchange's last price, where nothing was traded in the window.
        last = last or one.ltp
    return value / volume if volume else last
