"""Contract notes from their definition, in decimals.

What `compiled/accounting/contract_notes.py` keeps up to date is worked out anew here.
"""

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal

NANO = Decimal("1e-9")
PAISA, RUPEE = Decimal("0.01"), Decimal(1)


def rounded(amount, unit):
    return amount.quantize(unit, ROUND_HALF_UP)


def note(rates, orders):
    """Return the rupees of one note.

    `orders` holds (side, rupees as a Decimal) of each executed order.
    """
    sums = {
        side: sum((value for each, value in orders if each == side), Decimal(0)) for side in (1, -1)
    }
    turnover = sums[1] + sums[-1]
    cap = Decimal(rates.cap) / 100 if rates.cap >= 0 else Decimal("Infinity")
    brokerage = sum(
        rounded(min(cap, Decimal(rates.flat) / 100 + value * rates.brokerage * NANO), PAISA)
        for _, value in orders
    )
    fees = [rounded(turnover * rate * NANO, PAISA) for rate in (rates.txn, rates.ipft, rates.sebi)]
    tax = rounded(
        rounded((sums[1] * rates.tax_buy + sums[-1] * rates.tax_sell) * NANO, PAISA), RUPEE
    )
    stamp = rounded((sums[1] * rates.stamp_buy + sums[-1] * rates.stamp_sell) * NANO, RUPEE)
    gst = 2 * rounded((brokerage + sum(fees)) * rates.gst * NANO / 2, PAISA)
    return brokerage + sum(fees) + tax + stamp + gst


def notes(fills, rates):
    """Return {segment: rupees} of one day at one exchange.

    A fill is (ts, symbol, segment, order, side 1 or -1, quantity, paise); `rates` are by segment.
    Delivery bought and sold is intraday, share by share from the earliest: each fill becomes so
    many single shares' worth.
    """
    fills = sorted(fills, key=lambda fill: fill[0])
    netted = defaultdict(int)
    for symbol in {fill[1] for fill in fills}:
        sides = [
            sum(f[5] for f in fills if f[1] == symbol and f[2] == "EQ_DELIVERY" and f[4] == s)
            for s in (1, -1)
        ]
        netted[symbol, 1] = netted[symbol, -1] = min(sides)
    orders = defaultdict(Decimal)
    for _, symbol, segment, order, side, quantity, value in fills:
        if segment != "EQ_DELIVERY":
            orders[segment, order, side] += Decimal(value) / 100
            continue
        part = min(netted[symbol, side], quantity)
        netted[symbol, side] -= part
        moved = rounded(Decimal(value) * part / quantity, RUPEE)
        orders["EQ_INTRADAY", order, side] += moved / 100
        orders["EQ_DELIVERY", order, side] += (value - moved) / 100
    by_segment = defaultdict(list)
    for (segment, _, side), value in orders.items():
        if value:
            by_segment[segment].append((side, value))
    return {segment: note(rates[segment], traded) for segment, traded in by_segment.items()}
