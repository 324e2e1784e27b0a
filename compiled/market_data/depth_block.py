"""The depth block: five bids and five asks of a tick in 120 bytes, best first.

A level is 12 bytes, big-endian and unsigned: 32 bits of quantity, 32 of price, 16 of orders, 16 of
nothing; quantity 0 is no level. The layout is that of Kite's frames, so that a block is copied from
the wire to the venue and the recordings without being read on its way.
"""

from librt.strings import BytesWriter
from mypy_extensions import i64

from compiled.model.byte_fields import put_u16, put_u32, read_u16, read_u32
from compiled.model.values import Tick, nearest

Level = tuple[float, int, int]
"""Price in rupees, quantity in shares, number of orders."""


def price_divisor(token: i64) -> float:
    """Return the divisor of prices in a block; the low byte of `token` is its segment."""
    segment = token & 0xFF
    if segment == 3:  # CDS
        return 10_000_000.0
    if segment == 6 or segment == 12:  # BCD, NCO
        return 10_000.0
    return 100.0


def depth_levels(tick: Tick) -> tuple[list[Level], list[Level]]:
    """Return (bids, asks) of a full tick, best first; empty levels are left out."""
    bids: list[Level] = []
    asks: list[Level] = []
    if len(tick.depth) != 120:
        return bids, asks
    scale = price_divisor(tick.token)
    for index in range(10):
        at = index * 12
        quantity = read_u32(tick.depth, at)
        if quantity == 0:
            continue
        level = (read_price(tick.depth, at + 4, scale), quantity, read_u16(tick.depth, at + 8))
        if index < 5:
            bids.append(level)
        else:
            asks.append(level)
    return bids, asks


def pack_depth(token: i64, bids: list[Level], asks: list[Level]) -> bytes:
    """Return the 120-byte block of five bids and five asks, best first.

    Levels past the fifth are left out.
    """
    out = BytesWriter()
    scale = price_divisor(token)
    for side in (bids, asks):
        for index in range(5):
            if index < len(side):
                price, quantity, orders = side[index]
                put_u32(out, quantity)
                put_u32(out, nearest(price * scale))
                put_u16(out, orders)
                put_u16(out, 0)
            else:
                out.write(bytes(12))
    return out.getvalue()


def read_price(data: bytes, at: i64, scale: float) -> float:
    """Return the price at `at` in rupees."""
    return float(read_u32(data, at)) / scale
