"""The terms of an order beyond its price and quantity, and the content of a modification."""

from enum import IntEnum
from typing import Final, final

from mypy_extensions import i64, mypyc_attr


class Variety(IntEnum):
    """The kinds of order a broker takes."""

    REGULAR = 1
    AMO = 2
    COVER = 3
    ICEBERG = 4
    AUCTION = 5


@final
class OrderTerms:
    """Terms of an order; the default is a plain one.

    They are shared between orders and never changed. `minutes`: life of a TTL order. `legs`: of an
    iceberg, 2 to 50. `disclosed`: shares shown. `autoslice`: cut at the exchange's freeze quantity.
    `auction`: number of the auction session. A cover order's `Order.trigger` is the stop of its
    second leg.
    """

    def __init__(
        self,
        variety: Variety = Variety.REGULAR,
        minutes: i64 = 0,
        legs: i64 = 0,
        disclosed: i64 = 0,
        autoslice: bool = False,
        auction: str = "",
    ) -> None:
        self.variety = variety
        self.minutes = minutes
        self.legs = legs
        self.disclosed = disclosed
        self.autoslice = autoslice
        self.auction = auction

    @property
    def makes_several_orders(self) -> bool:
        """Return whether the broker makes several orders of one request, all under its tag."""
        return self.autoslice or self.variety is Variety.ICEBERG


# One object for all: an order without terms of its own costs none.
PLAIN: Final = OrderTerms()
SLICED: Final = OrderTerms(autoslice=True)


@final
class ExitEscalation:
    """The escalation of a resting exit: the limits of the desk's own acts.

    After `patience` seconds its limit is moved to `widen_percent` from the last price, then to
    twice that, and so on up to `reach_percent`, within the day's band. One that was given up may
    arrive until it is `doubt` seconds old.
    """

    def __init__(
        self,
        patience: i64 = 10,
        widen_percent: float = 1.0,
        reach_percent: float = 5.0,
        doubt: i64 = 60,
    ) -> None:
        self.patience = patience
        self.widen_percent = widen_percent
        self.reach_percent = reach_percent
        self.doubt = doubt


DEFAULT_ESCALATION: Final = ExitEscalation()


@mypyc_attr(acyclic=True)
@final
class OrderChange:
    """The content of a modification: total quantity, limit price and trigger (rupees).

    A 0 leaves one as it is.
    """

    def __init__(self, quantity: i64 = 0, price: float = 0.0, trigger: float = 0.0) -> None:
        self.quantity = quantity
        self.price = price
        self.trigger = trigger
