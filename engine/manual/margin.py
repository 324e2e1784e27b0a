"""An order's margin: the broker's own calculation, and our estimate beside it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from compiled.model.values import Order, Product
from engine.errors import PatangError
from engine.operator_requests import OperatorOutcome, done

INTRADAY_PERCENT: Final = 20
"""Of its value an intraday position blocks.

The exchanges' least margin, and the most leverage Zerodha gives (five times).
"""

Margins = Callable[[Sequence[Order]], Awaitable[list[int]]]
"""Returns what the broker would block for each of these orders, charges included, in paise.

Nothing is sent.
"""


def estimate_margin(product: Product, value: int, charges: int) -> int:
    """Return the estimated margin and charges of an order of so many paise.

    It blocks all of its value, an intraday one a fifth.
    """
    return (value * INTRADAY_PERCENT // 100 if product is Product.MIS else value) + charges


class OrderPreview(NamedTuple):
    """An order that could be placed, in words.

    It has its `value`, its `charges`, and those of the way `back` (paise).
    """

    text: str
    order: Order
    value: int
    charges: int
    back: int
    depository: int = 0
    """The debit for the day on which the shares leave the account, which is in no note."""
    rests_on: str = ""
    """What the charges rest on, where the instrument list leaves it open."""

    async def weigh(self, margins: Margins | None) -> OperatorOutcome:
        """Return it all in rupees.

        It says so where the broker could not be asked.
        """
        theirs, why = None, "" if margins else "this mode has no broker to ask"
        if margins:
            try:
                [theirs] = await margins([self.order])
            except PatangError as error:
                why = str(error)
        estimate = estimate_margin(self.order.product, self.value, self.charges)
        return done(
            self.text,
            {
                "order": self.text,
                "value": self.value / 100,
                "charges": self.charges / 100,
                "charges_both_ways": (self.charges + self.back) / 100,
                "depository": self.depository / 100,
                "charges_rest_on": self.rests_on,
                "margin_broker": None if theirs is None else theirs / 100,
                "margin_estimate": estimate / 100,
                "margin_missing": why,
            },
        )
