"""The move of a price after which a round trip has paid for itself."""

from compiled.accounting.charges import ChargeRates, order_charges
from compiled.model.values import Side, nearest, paise


def break_even_ticks(
    rates: ChargeRates, side: Side, quantity: int, price: float, tick: float
) -> int | None:
    """Return the fewest ticks in one's favour that pay the charges of entry and exit.

    It is None where zero comes first. `price` and `tick` are rupees; both orders fill whole, on one
    day, at their price.
    """
    entry = order_charges(rates, side, quantity, paise(price, quantity))
    leaving = Side.SELL if side is Side.BUY else Side.BUY
    worth = max(int(paise(tick, quantity)), 1)
    ticks = -(-int(entry) // worth)
    while True:
        away = float(nearest((price + side * ticks * tick) * 1e4)) / 1e4
        if away <= 0:
            return None
        gained = side * (int(paise(away, quantity)) - int(paise(price, quantity)))
        lacking = int(entry + order_charges(rates, leaving, quantity, paise(away, quantity))) - int(
            gained
        )
        if lacking <= 0:
            return ticks
        # a tick brings less than twice its worth, what it saves in charges included
        ticks += max(1, lacking // (2 * worth + 2))
