"""Charges of leaving a rung, and the price at which it has lost nothing."""

from compiled.accounting.charges import LIMIT as TURNOVER
from compiled.accounting.charges import intraday_rates, order_charges, rates_key
from compiled.model.values import paise
from compiled.trading.kernel import Kernel
from compiled.trading.ladder import Ladder, Rung

ROUNDS = 3
"""How often the charges are reckoned anew at the price that covers them: they hardly move it."""


def exit_charges(kernel: Kernel, ladder: Ladder, rung: Rung, price: float) -> int:
    """Return the charges (paise) of leaving a rung at a price in rupees.

    Delivery bought today is charged as the day's note will, intraday.
    """
    token, product = ladder.instrument.token, ladder.plan.product
    today = (
        intraday_rates(kernel.state.rates, token, product)
        if rung.opened >= kernel.state.open
        else None
    )
    rates = today or kernel.state.rates.get(rates_key(token, product))
    quantity = abs(int(rung.quantity))
    value = int(paise(price, quantity))
    if rates is None or value > TURNOVER:
        return 0
    return int(order_charges(rates, ladder.exit_side, quantity, value))


def break_even(kernel: Kernel, ladder: Ladder, rung: Rung) -> float:
    """Return the price (rupees, on the grid) at which a rung is left without a loss.

    0.0: unknown, or decided already by what has left of it.

    Its charges so far and those of the exit are paid by then.
    """
    quantity = int(rung.quantity)
    if quantity <= 0 or rung.bought <= 0:
        return 0.0
    # What parts of it have made or lost already counts.
    paid = int(rung.bought_value) - int(rung.sold_value)
    sign, price = int(ladder.sign), rung.average
    # Charges are a part of the price that has to pay them.
    for _ in range(ROUNDS):
        charges = int(rung.charges) + exit_charges(kernel, ladder, rung, price)
        price = (paid + sign * charges) / 100.0 / quantity
        # What has left has brought in more than all of it has cost (short: cost more than it has
        # brought in): no price of the rest decides it any more.
        if price <= 0.0:
            return 0.0
    return max(ladder.instrument.snap(price, sign), 0.0)
