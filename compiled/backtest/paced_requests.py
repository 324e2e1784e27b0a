"""A replay's requests on their way out: by urgency, at the rates that an account may ask."""

from typing import Final, final

from librt.vecs import append, vec
from mypy_extensions import i64

from compiled.model.events import (
    CancelOrder,
    DeleteGtt,
    KernelAlert,
    KernelCommand,
    LimitHalt,
    ModifyOrder,
    PlaceOrder,
)
from compiled.model.values import MINUTE, SECOND, OrderPurpose

EXIT: Final[i64] = 0
PROTECT: Final[i64] = 1
ENTRY: Final[i64] = 2


@final
class RequestRates:
    """Rates of an account: orders a second, a minute and a day, and what entries leave of them.

    `reserve` a second (and ten of it a minute) and `day_reserve` are for exits alone. An entry that
    has waited `entry_wait` ns is not sent any more.
    """

    def __init__(
        self,
        per_second: i64,
        per_minute: i64,
        per_day: i64,
        reserve: i64,
        day_reserve: i64,
        entry_wait: i64,
    ) -> None:
        self.per_second = per_second
        self.per_minute = per_minute
        self.per_day = per_day
        self.reserve = reserve
        self.day_reserve = day_reserve
        self.entry_wait = entry_wait


@final
class RateWindow:
    """Times of the requests that were sent within the last `width` ns."""

    def __init__(self, width: i64) -> None:
        self._width = width
        self._sent = vec[i64]()
        self._head: i64 = 0

    def free_at(self, most: i64, now: i64) -> i64:
        """Return when another one fits where there may be so many, `now` at once."""
        while self._head < len(self._sent) and self._sent[self._head] <= now - self._width:
            self._head += 1
        inside = len(self._sent) - self._head
        if inside < most or most <= 0:
            return now
        return self._sent[len(self._sent) - most] + self._width

    def add(self, now: i64) -> None:
        """Count one."""
        # Begun anew when all have left the window: a day then takes no more room than its
        # busiest minute.
        if self._head == len(self._sent):
            self._sent = vec[i64]()
            self._head = 0
        self._sent = append(self._sent, now)


@final
class WaitingRequest:
    """A request that has not left: its urgency, and since when it waits."""

    def __init__(self, command: KernelCommand, urgency: i64, since: i64) -> None:
        self.command = command
        self.urgency = urgency
        self.since = since


@final
class PacedRequests:
    """The requests that wait, and what may leave now; the rules are those of the desk's gateway."""

    def __init__(self, rates: RequestRates) -> None:
        self.waiting: list[WaitingRequest] = []
        self.why = ""
        """Why the order that was taken last is not sent; empty: it is."""
        self._rates = rates
        self._today: i64 = 0
        self._second = RateWindow(SECOND)
        self._minute = RateWindow(MINUTE)
        self._calls = RateWindow(SECOND)

    def begin_day(self) -> None:
        """Count the day's orders anew; what has waited over night is gone."""
        self._today = 0
        self.waiting.clear()

    def put(self, commands: list[KernelCommand], now: i64) -> None:
        """Let requests wait for their turn; alerts and halts are not for an exchange."""
        for command in commands:
            if not isinstance(command, (KernelAlert, LimitHalt)):
                self.waiting.append(WaitingRequest(command, _urgency_of(command), now))
        commands.clear()

    def take(self, now: i64, halted: bool) -> KernelCommand | None:
        """Take the most urgent request that may leave, or an order that is given up (`why`).

        One that has to wait lets others pass.
        """
        # Class first, then age: exits and cancellations pass entries that came before them.
        for urgency in range(i64(3)):
            for each in self.waiting:
                if each.urgency != urgency:
                    continue
                self.why = self._refusal_of(each, now, halted)
                if self.why:
                    self.waiting.remove(each)
                    return each.command
                if self._request_due(each, now) <= now:
                    self.waiting.remove(each)
                    self._count_request(each.command, now)
                    return each.command
        return None

    def _refusal_of(self, each: WaitingRequest, now: i64, halted: bool) -> str:
        command = each.command
        if not isinstance(command, PlaceOrder):
            return ""
        if command.order.unwanted:
            return "cancelled before it was sent"
        if each.urgency == ENTRY and halted:
            return "the kill switch is latched"
        # Its reason is a price of the past.
        if each.urgency == ENTRY and now - each.since > self._rates.entry_wait:
            return "it waited too long to be sent"
        spare = self._rates.day_reserve if each.urgency == ENTRY else i64(0)
        if self._today >= self._rates.per_day - spare:
            return "the day's order limit is used up"
        return ""

    def _request_due(self, each: WaitingRequest, now: i64) -> i64:
        """Return when a request may leave."""
        rates = self._rates
        most = rates.per_second - (i64(0) if each.urgency == EXIT else rates.reserve)
        due = self._calls.free_at(most, now)
        if isinstance(each.command, PlaceOrder):
            spare = rates.reserve if each.urgency == ENTRY else i64(0)
            # An order is a request as well: all limits hold, and the latest time wins. A minute's
            # reserve is ten seconds' worth, as an exit of a whole portfolio is a burst.
            due = max(due, self._second.free_at(rates.per_second - spare, now))
            due = max(due, self._minute.free_at(rates.per_minute - 10 * spare, now))
        return due

    def _count_request(self, command: KernelCommand, now: i64) -> None:
        if isinstance(command, PlaceOrder):
            self._today += 1
            self._second.add(now)
            self._minute.add(now)
        self._calls.add(now)


def _urgency_of(command: KernelCommand) -> i64:
    """Return the class of a request; to take an order or a GTT away is as urgent as an exit."""
    if isinstance(command, PlaceOrder):
        purpose = command.order.purpose
    elif isinstance(command, ModifyOrder):
        purpose = command.order.purpose
    else:
        return EXIT if isinstance(command, (CancelOrder, DeleteGtt)) else PROTECT
    if purpose is OrderPurpose.EXIT:
        return EXIT
    return PROTECT if purpose is OrderPurpose.PROTECT else ENTRY
