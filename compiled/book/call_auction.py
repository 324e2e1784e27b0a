"""The one price of a call auction (SEBI CIR/MRD/DP/21/2010).

Most volume wins, then least imbalance, then the nearest to the reference.
"""

from librt.vecs import vec
from mypy_extensions import i64

from compiled.book.price_levels import COUNT, SHOWN


def clearing(
    levels: vec[i64], width: i64, low: i64, high: i64, reference: i64
) -> tuple[i64, i64, i64]:
    """Return (price tick or -1, executable quantity, imbalance) of the orders in `levels`.

    Candidates are the prices of limit orders. The one with the largest executable quantity wins,
    then the smallest imbalance, then the nearest to `reference`, then the lowest. Where only market
    orders meet, it is `reference` itself, if that is in the band. The imbalance is buyers less
    sellers at that price, of all orders where there is no price.
    """
    sells = levels[width * 4 + SHOWN]
    waiting = min(levels[SHOWN], sells)
    # Buyers at a tick are those of all ticks above it and sellers those below: one pass upwards
    # adds the sellers and takes the buyers off, whatever the width of the band.
    buys: i64 = 0
    for level in range(high - low + 2):
        buys += levels[level * 4 + SHOWN]
    bought = buys
    price: i64 = -1
    most: i64 = 0
    net: i64 = 0
    for tick in range(low, high + 1):
        buy = (high - tick + 1) * 4
        sell = (width + tick - low + 1) * 4
        sells += levels[sell + SHOWN]
        # Between limit prices neither sum changes, so a price between them is never better than one
        # of them.
        if levels[buy + COUNT] + levels[sell + COUNT] > 0:
            gain = min(buys, sells) - most
            if gain == 0 and price >= 0:
                gain = _absolute_value(net) - _absolute_value(buys - sells)
                if gain == 0:
                    gain = _absolute_value(price - reference) - _absolute_value(tick - reference)
            if gain > 0:
                price = tick
                most = min(buys, sells)
                net = buys - sells
        buys -= levels[buy + SHOWN]
    if price >= 0:
        return price, most, net
    if waiting > 0 and low <= reference <= high:
        return reference, waiting, bought - sells
    return -1, 0, bought - sells


def _absolute_value(x: i64) -> i64:
    """Return the absolute value; the built-in knows no i64."""
    return x if x >= 0 else -x
