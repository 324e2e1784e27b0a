"""What a contract is worth when it has expired: final settlement prices by date."""

from collections.abc import Iterable, Mapping
from datetime import date

from brokers.sandbox.market import session_phases
from brokers.sandbox.market.exchange_listing import ExchangeListing, ListedIndex
from compiled.model.values import MINUTE

AVERAGED_SINCE = date(2026, 12, 7)
"""From this day on averages of the underlying settle, its closing value until then (SEBI I/23843/2026, para 4.9.1; medium confidence)."""
WINDOW = 30 * MINUTE
"""The end of continuous trading in shares that they are taken of."""

Listings = Mapping[str, ExchangeListing | ListedIndex]


def final_price(listing: ExchangeListing, day: date, listings: Listings, *, new: bool) -> float:
    """Return the price in rupees at which a contract is closed on its last day.

    Its own last one where no underlying is listed.

    An option is worth what it is in the money. `new`: by rules that are not certain yet.
    """
    contract = listing.contract
    spot = contract.underlying if contract is not None else None
    if contract is None or not isinstance(spot, ExchangeListing | ListedIndex):
        return listing.ltp
    value = _average_value(spot, day, listings) if new and day >= AVERAGED_SINCE else spot.ltp
    if not contract.strike:
        return value
    inside = value - contract.strike if listing.instrument.kind == "CE" else contract.strike - value
    return round(max(0.0, inside), 2)


def _average_value(spot: ExchangeListing | ListedIndex, day: date, listings: Listings) -> float:
    """Return the average of a share over all exchanges, or an index at the averages of its members."""
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
    """Return the average price of what has traded in the window, weighted by volume.

    The last price where nothing has.
    """
    volume, value, last = 0, 0.0, 0.0
    for one in shares:
        minutes = [minute for minute in one.minutes if ends - WINDOW <= minute[0] < ends]
        volume += sum(minute[5] for minute in minutes)
        value += one.instrument.price(1) * sum(minute[6] for minute in minutes)
        last = last or one.ltp
    return value / volume if volume else last
