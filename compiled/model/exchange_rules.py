"""Rules of the exchange for an order: lots, freeze quantity, grid, band, protection, triggers.

The kernel checks by them before an order leaves, the venue and the sandbox when it arrives, each
in words of its own.

`Instrument.lower` and `upper` are the exchange's last word (0.0: none known); it moves them during
the day.
"""

from typing import Final, final

from mypy_extensions import i64

from compiled.model.values import Instrument, Side

# Absorbs the rounding of a difference of prices; the finest grid is 100,000 times as wide.
HAIR: Final = 1e-9
# A fifth more than the broker wants, as the price moves while a request is on its way.
CLEARANCE: Final = 1.2


@final
class TriggerDistance:
    """The least distance from the last price that a broker wants of a GTT's trigger.

    It is `percent` of that price; where that is below `cheap_below`, it is `cheap` (both
    rupees) instead.
    """

    def __init__(
        self, percent: float = 0.0, *, cheap_below: float = 0.0, cheap: float = 0.0
    ) -> None:
        self.percent = percent
        self.cheap_below = cheap_below
        self.cheap = cheap

    def least(self, last: float) -> float:
        """Return the least distance at a last price, both in rupees."""
        return self.cheap if last < self.cheap_below else last * self.percent / 100.0

    def refuses(self, trigger: float, last: float) -> bool:
        """Return whether the broker refuses a trigger on either side of the last price."""
        # Rounding of the difference must not refuse a trigger at exactly the least distance.
        return abs(trigger - last) < self.least(last) - HAIR

    def is_too_near(self, away: float, last: float) -> bool:
        """Return whether a level `away` rupees from the last price is at it, or beyond (below 0).

        At exactly the least distance it is.
        """
        return away <= self.least(last)

    def with_clearance(self) -> "TriggerDistance":
        """Return the distance that a desk keeps, lest the broker refuse a trigger."""
        # A price just below the bound may be above it when the request arrives.
        bound = self.cheap_below * (1.0 - (CLEARANCE - 1.0) * self.percent / 100.0)
        return TriggerDistance(
            self.percent * CLEARANCE, cheap_below=bound, cheap=self.cheap * CLEARANCE
        )


def is_in_lots(instrument: Instrument, quantity: i64) -> bool:
    """Return whether a quantity is one or more whole lots."""
    return quantity >= 1 and quantity % instrument.lot == 0


def exceeds_freeze(instrument: Instrument, quantity: i64) -> bool:
    """Return whether a quantity is more than the exchange takes in one order."""
    return instrument.freeze > 0 and quantity > instrument.freeze


def is_protection(percent: float) -> bool:
    """Return whether an order may name this market protection: percent, -1 for the exchange's."""
    return percent == -1.0 or 0.0 <= percent <= 100.0


def protected_limit(instrument: Instrument, sign: i64, last: float, percent: float) -> float:
    """Return the limit that a protection makes of a market order at the last price, in the band."""
    # Rounded inwards: a limit beyond the percentage would be refused.
    worst = instrument.snap(last * (1.0 + float(sign) * percent / 100.0), -sign)
    return clamp_to_band(instrument, at_least_a_tick(instrument, worst))


def is_trigger_ahead(sign: i64, trigger: float, last: float) -> bool:
    """Return whether a stop's trigger is still to come: above the last price for a buyer."""
    return float(sign) * (trigger - last) > HAIR


def is_limit_beyond(sign: i64, trigger: float, limit: float) -> bool:
    """Return whether the limit that a trigger sends does not stand on its near side."""
    return float(sign) * (limit - trigger) >= -HAIR


def is_reached(sign: i64, trigger: i64, price: i64) -> bool:
    """Return whether a price reaches or crosses a stop's trigger, both on the grid."""
    return sign * (price - trigger) >= 0


def is_inside_band(instrument: Instrument, price: float) -> bool:
    """Return whether `price` lies in the band."""
    if instrument.lower > 0.0 and price < instrument.lower - HAIR:
        return False
    return instrument.upper <= 0.0 or price <= instrument.upper + HAIR


def clamp_to_band(instrument: Instrument, price: float) -> float:
    """Return `price` inside the band, on the grid."""
    # Snapped inwards: an edge of the band need not be on the grid, and beyond it nothing is taken.
    if instrument.lower > 0.0 and price < instrument.lower:
        return instrument.snap(instrument.lower, 1)
    if instrument.upper > 0.0 and price > instrument.upper:
        return instrument.snap(instrument.upper, -1)
    return price


def at_least_a_tick(instrument: Instrument, price: float) -> float:
    """Return `price`, or the lowest price there is where rounding left less than that."""
    # One tick is a large part of a very cheap share: a stop rounded down to 0.0 is none.
    return max(price, instrument.price(1))


def limit_beyond(instrument: Instrument, side: Side, trigger: float, gap_percent: float) -> float:
    """Return the limit of an order that `trigger` sends.

    A gap beyond it, and never on its near side.

    Where the trigger lies in the band, so does the limit; one that the price cannot reach today is
    not held to a band that will have moved by then.
    """
    sign: i64 = int(side)
    # Rounded beyond the trigger: on its near side the order would rest, and not fill.
    limit = at_least_a_tick(
        instrument,
        instrument.snap(trigger + float(sign) * (trigger * gap_percent / 100.0), sign),
    )
    return clamp_to_band(instrument, limit) if is_inside_band(instrument, trigger) else limit


def could_fill(instrument: Instrument, side: Side, trigger: float, limit: float) -> bool:
    """Return whether an order that `trigger` sends could trade.

    It could where its limit lies beyond the trigger, and the exchange takes it: on the day's grid,
    whose tick may be another one than when the stop was placed.
    """
    sign: i64 = int(side)
    if not is_limit_beyond(sign, trigger, limit) or not instrument.on_grid(limit):
        return False
    # A trigger off the band waits for a day that reaches it, and then that day's band counts.
    return not is_inside_band(instrument, trigger) or is_inside_band(instrument, limit)
