"""The price band of the day, as it stands now, for prices and for orders a trigger sends.

`Instrument.lower` and `upper` are the exchange's last word (0.0: none known); it moves them during
the day.
"""

from typing import Final

from mypy_extensions import i64

from compiled.model.values import Instrument, Side

HAIR: Final = 1e-9


def is_inside_band(instrument: Instrument, price: float) -> bool:
    """Return whether `price` lies in the band."""
    if instrument.lower > 0.0 and price < instrument.lower - HAIR:
        return False
    return instrument.upper <= 0.0 or price <= instrument.upper + HAIR


def clamp_to_band(instrument: Instrument, price: float) -> float:
    """Return `price` inside the band, on the grid."""
    if instrument.lower > 0.0 and price < instrument.lower:
        return instrument.snap(instrument.lower, 1)
    if instrument.upper > 0.0 and price > instrument.upper:
        return instrument.snap(instrument.upper, -1)
    return price


def limit_beyond(instrument: Instrument, side: Side, trigger: float, gap_percent: float) -> float:
    """Return the limit of an order that `trigger` sends.

    A gap beyond it, and never on its near side.

    Where the trigger lies in the band, so does the limit; one that the price cannot reach today is
    not held to a band that will have moved by then.
    """
    sign: i64 = int(side)
    limit = instrument.snap(trigger + float(sign) * (trigger * gap_percent / 100.0), sign)
    return clamp_to_band(instrument, limit) if is_inside_band(instrument, trigger) else limit


def could_fill(instrument: Instrument, side: Side, trigger: float, limit: float) -> bool:
    """Return whether an order that `trigger` sends could trade.

    It could where its limit lies beyond the trigger, and the exchange takes it: on the day's grid,
    whose tick may be another one than when the stop was placed.
    """
    sign: i64 = int(side)
    if float(sign) * (limit - trigger) < -HAIR or not instrument.on_grid(limit):
        return False
    return not is_inside_band(instrument, trigger) or is_inside_band(instrument, limit)
