"""One day as a desk traded it, and as a backtest does: plain records, whatever their source.

Amounts are paise, prices rupees, quantities shares, times ns UTC; `side` is 1 for a long position,
-1 for a short one.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from engine.backtest.parity.order_courses import OrderCourse
from engine.history.bar_series import BarSeries

ENTER: Final = "enter"
RUNG: Final = "rung"
LEAVE: Final = "leave"
OK: Final = "OK"
PLACE: Final = re.compile(r"P(\d+) at ")


class StrategySignal(NamedTuple):
    """One request of a strategy for an entry, or a rung whose price was reached, with the answer.

    `place` is the number of the rung in its ladder, `rung` that of its round trip (0: it led to
    none), `asked` the cause of the request: bar, tick, timer or operator. `orders` are those it led
    to, of a desk.
    """

    number: int
    ts: int
    strategy: str
    symbol: str
    side: int
    kind: str
    place: int
    quantity: int
    price: float
    verdict: str
    detail: str
    reason: str
    rung: int
    asked: str = ""
    orders: tuple[OrderCourse, ...] = ()

    @property
    def refused(self) -> OrderCourse | None:
        """Return its order, where the broker did not take it, or the desk gave it up."""
        return next((each for each in self.orders if each.is_refused or each.is_unsent), None)


def rung_place(kind: str, reason: str) -> int:
    """Return which rung of its ladder a request is for.

    The kernel names it in the reason of a further one.
    """
    found = PLACE.match(reason) if kind == RUNG else None
    return int(found[1]) if found else 1


class TripLeg(NamedTuple):
    """The fills of an entry, or of an exit: the first of them, shares, value and charges.

    Without fills all are zero. `orders` are those of a desk that were to make it. In shadow mode
    `twin_value` is what it would have come to at the prices of the simulated twins, whose first
    fill was at `twin_ts` (0: there are none).
    """

    ts: int = 0
    quantity: int = 0
    value: int = 0
    charges: int = 0
    orders: tuple[OrderCourse, ...] = ()
    twin_ts: int = 0
    twin_value: int = 0


class ParityTrip(NamedTuple):
    """One round trip of the day.

    `mark` is the value of the shares still held, at the day's last price; `reason` why it was left.
    """

    rung: int
    strategy: str
    symbol: str
    side: int
    place: int
    entry: TripLeg
    exit: TripLeg
    mark: int
    reason: str

    @property
    def shares_held(self) -> int:
        """Return the shares that are still held."""
        return self.entry.quantity - self.exit.quantity

    @property
    def gross(self) -> int:
        """Return its P&L before charges."""
        # Shares still held count at the day's last price on both sides, or the day could not be
        # compared.
        return self.side * (self.exit.value + self.mark - self.entry.value)

    @property
    def charges(self) -> int:
        """Return its charges."""
        return self.entry.charges + self.exit.charges

    @property
    def net(self) -> int:
        """Return its P&L after charges."""
        return self.gross - self.charges


KILL: Final = "kill"
"""The kill switch was latched, by the operator or for him."""
LIMIT: Final = "limit"
"""A limit was changed for the day."""
CLOSED: Final = "closed"
"""The desk was not running."""
HAND: Final = "hand"
"""An order was changed or cancelled by hand."""
GAP: Final = "gap"
"""The feed was not heard."""
LETTER: Final = "letter"
"""Packets of the feed were kept out: they could not be true."""
HELD: Final = "held"
"""A position of days before was held, of which the backtest knows nothing."""
CARRIED: Final = "carried"
"""The desk could not leave a position any more, and said why."""
FAILED: Final = "failed"
"""A strategy has failed."""
INSTRUCTED: Final = "instructed"
"""A strategy was stopped by hand, or given other parameters."""


class DayIncident(NamedTuple):
    """A recorded incident with an effect of its own, in [began, ended).

    `what` is one of `KILL`, `LIMIT`, `CLOSED`, `HAND`, `GAP`, `LETTER`, `CARRIED`, `HELD`,
    `FAILED`, `INSTRUCTED`; `symbol` and `strategy` are empty where it was of all. `about` names the
    limit that was changed.
    """

    what: str
    began: int
    ended: int
    text: str
    symbol: str = ""
    strategy: str = ""
    about: str = ""


class DeskDay(NamedTuple):
    """A desk's day; `bars` are those it saw, by symbol."""

    signals: Sequence[StrategySignal]
    trips: Sequence[ParityTrip]
    bars: Mapping[str, BarSeries]
    incidents: Sequence[DayIncident] = ()

    @property
    def net(self) -> int:
        """Return the P&L of the day after charges."""
        return sum(trip.net for trip in self.trips)


class BacktestDay(NamedTuple):
    """A backtest of that day; `bars` are those it has read, of `span` seconds.

    `differs` names by strategy the known differences to the desk: a parameter, its source. It began
    without a history, whose lack its strategies feel until `cold` (ns, 0: it has one).
    """

    signals: Sequence[StrategySignal]
    trips: Sequence[ParityTrip]
    bars: Mapping[str, BarSeries]
    span: int = 60
    differs: Mapping[str, str] = {}
    cold: int = 0

    @property
    def net(self) -> int:
        """Return the P&L of the day after charges."""
        return sum(trip.net for trip in self.trips)
