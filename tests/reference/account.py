"""An account from its trades alone, over any number of days, in decimals and fractions.

Cash, shares, and what sales realise.
"""

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from tests.reference.notes import notes


def whole(amount):
    """Return a fraction rounded to an integer, half away from zero."""
    size = abs(Fraction(amount))
    found = (2 * size.numerator + size.denominator) // (2 * size.denominator)
    return found if amount >= 0 else -found


class Account:
    """Starts with `cash` in rupees and holds nothing."""

    def __init__(self, cash):
        self.cash = Decimal(cash)
        self.shares = defaultdict(int)
        self._costs = defaultdict(int)
        self._held = defaultdict(int)

    def live(self, trades, rates):
        """Live a day of `trades`, in the order they were made.

        Each is (symbol, product, side 1 or -1, quantity, price as text, order).
        """
        fills = []
        for index, (symbol, product, side, quantity, price, order) in enumerate(trades):
            value = Decimal(price) * quantity
            self.cash -= side * value
            self.shares[symbol] += side * quantity
            segment = "EQ_INTRADAY" if product == "MIS" else "EQ_DELIVERY"
            paise = int((value * 100).quantize(Decimal(1), ROUND_HALF_UP))
            fills.append((index, symbol, segment, order, side, quantity, paise))
        self.cash -= sum(notes(fills, rates).values(), Decimal(0))
        self.shares = defaultdict(
            int, {symbol: quantity for symbol, quantity in self.shares.items() if quantity}
        )

    def realised(self, strategy, symbol, side, quantity, price):
        """Return what a fill of a strategy realises at the average of all it has open, in paise."""
        at, value = (strategy, symbol), whole(Fraction(price) * quantity * 100) * side
        held, signed = self._held[at], side * quantity
        self._held[at] += signed
        if held * signed >= 0:
            self._costs[at] += value
            return 0
        closed = min(abs(held), quantity)
        paid = whole(Fraction(value * closed, quantity))
        released = whole(Fraction(self._costs[at] * closed, abs(held)))
        self._costs[at] += value - paid - released if quantity > closed else -released
        return -released - paid
