"""The account's rate limits: windows per second and minute, a day's count, a reserve.

Entries never touch the reserve. The operator's rates stand below the broker's own
(`engine.ports.BrokerRules`).
"""

from collections import deque
from typing import Final

from msgspec.structs import replace

from compiled.model.values import MINUTE, SECOND, OrderPurpose
from engine.config.schema import GovernorSettings
from engine.ports import BrokerRules

DAY_RESERVE: Final = 200
"""Orders of the day kept for exits: at the broker's cap even exits are blocked."""


def rates_within(rates: GovernorSettings, rules: BrokerRules) -> GovernorSettings:
    """Return the operator's rates, none above the broker's."""
    return replace(
        rates,
        orders_per_second=min(rates.orders_per_second, rules.orders_per_second),
        orders_per_minute=min(rates.orders_per_minute, rules.orders_per_minute),
        orders_per_day=min(rates.orders_per_day, rules.orders_per_day),
    )


_LESS = {
    OrderPurpose.EXIT: (OrderPurpose.PROTECT, OrderPurpose.ENTRY),
    OrderPurpose.PROTECT: (OrderPurpose.PROTECT, OrderPurpose.ENTRY),
    OrderPurpose.ENTRY: (OrderPurpose.ENTRY,),
}


class Governor:
    """Says when the next request of a purpose may leave, and counts it when it does."""

    def __init__(self, rates: GovernorSettings) -> None:
        self.rates = rates
        self.orders_today = 0
        self._second: deque[int] = deque()
        self._minute: deque[int] = deque()
        self._calls: deque[int] = deque()
        self._paused: dict[OrderPurpose, int] = {}

    def order_due(self, purpose: OrderPurpose, now: int) -> int:
        """Return when a new order of this purpose may leave (ns), `now` at once, -1 not today."""
        entry = purpose is OrderPurpose.ENTRY
        if self.orders_today >= self.rates.orders_per_day - (DAY_RESERVE if entry else 0):
            return -1
        second = self.rates.orders_per_second - (self.rates.reserve_per_second if entry else 0)
        # A minute's reserve is ten seconds' worth: an exit of a whole portfolio is a burst, not a
        # stream.
        minute = self.rates.orders_per_minute - (10 * self.rates.reserve_per_second if entry else 0)
        due = max(
            _next_free(self._second, second, SECOND, now),
            _next_free(self._minute, minute, MINUTE, now),
        )
        # An order is a request as well: both limits hold, and the later time wins.
        return max(due, self.call_due(purpose, now))

    def call_due(self, purpose: OrderPurpose, now: int) -> int:
        """Return when any other request (cancel, modify, GTT) may leave.

        Only exits may use the reserve.
        """
        # Only exits may use the whole second: trailing stops must not fill it before them.
        most = self.rates.orders_per_second - (
            0 if purpose is OrderPurpose.EXIT else self.rates.reserve_per_second
        )
        return max(_next_free(self._calls, most, SECOND, now), self._paused.get(purpose, 0))

    def order_sent(self, now: int) -> None:
        """Count a new order."""
        self.orders_today += 1
        self._second.append(now)
        self._minute.append(now)
        self.call_sent(now)

    def call_sent(self, now: int) -> None:
        """Count any other request."""
        self._calls.append(now)

    def back_off(self, purpose: OrderPurpose, until: int) -> None:
        """Hold a class back after a 429, and those that matter less; exits are never held back."""
        # A 429 is the broker's word that all is too much: less urgent classes give way first, and
        # exits only wait for their own turn.
        for other in _LESS[purpose]:
            self._paused[other] = until

    def shift_clock(self, by: int) -> None:
        """Take note that the clock was set on by so many ns.

        Requests did not leave that much earlier.
        """
        # Without it a clock set on by an hour would empty every window, and let a burst out that
        # the broker still counts.
        for sent in (self._second, self._minute, self._calls):
            sent.extend([sent.popleft() + by for _ in range(len(sent))])

    def held_for(self, purpose: OrderPurpose, now: int) -> int:
        """Return how long a class is held back still after a 429, ns."""
        return max(0, self._paused.get(purpose, 0) - now)

    def orders_last_minute(self, now: int) -> int:
        """Return how many orders left within the last minute."""
        _next_free(self._minute, 0, MINUTE, now)
        return len(self._minute)

    def orders_last_second(self, now: int) -> int:
        """Return how many orders left within the last second."""
        _next_free(self._second, 0, SECOND, now)
        return len(self._second)


def _next_free(sent: deque[int], most: int, window: int, now: int) -> int:
    """Drop times older than the window; return when another request fits."""
    while sent and sent[0] <= now - window:
        sent.popleft()
    if len(sent) < most or most <= 0:
        return now
    # With more in the window than may be (a lowered limit), the wait lasts until enough have left
    # it.
    return sent[len(sent) - most] + window
