"""The simulated exchange of paper trading and backtests: commands and market data in, the events a kernel hears out.

`docs/fills.md` states its rules in order. It has no clock: time comes with the market data, and with `advance`. Funds
and holdings are not checked; the kernel's risk checks stand before it.
"""

from typing import Final, final

from librt.vecs import append, vec
from mypy_extensions import i64, mypyc_attr

from compiled import path, queue
from compiled.events import (
    Answer,
    CancelOrder,
    Command,
    DeleteGtt,
    ModifyGtt,
    ModifyOrder,
    Outcome,
    PlaceGtt,
    PlaceOrder,
    Verb,
)
from compiled.floor import Floor, Rules
from compiled.model import NEVER, Gtt, GttLeg, Instrument, Order, OrderStatus, Tick, day_start
from compiled.resting import Reports, Waiting, resting, worth
from compiled.slippage import Slippage
from compiled.table import Table
from compiled.terms import Change

PLACE: Final[i64] = 1
CANCEL: Final[i64] = 2
MODIFY: Final[i64] = 3


@mypyc_attr(acyclic=True, free_list_len=1)
@final
class Errand:
    """A request about an order or a GTT on its way to the exchange; a GTT's `legs` and `last` as they were when sent."""

    def __init__(self, kind: i64, order: Order | None, gtt: Gtt | None, change: Change | None = None) -> None:
        self.kind = kind
        self.order = order
        self.gtt = gtt
        self.change = change
        self.legs: list[GttLeg] = [] if gtt is None else worth(gtt)
        self.last = 0.0 if gtt is None else gtt.last_price


@final
class Venue:
    """One simulated exchange; give it every command of the kernel, and the kernel every event of it.

    Ids are counted from `first` on, so that those of several days do not meet.
    """

    def __init__(self, instruments: list[Instrument], rules: Rules, slippage: Slippage, first: i64 = 1) -> None:
        self.reports = Reports(rules.from_exchange, first)
        self.floors: Table[Floor] = Table()
        for instrument in instruments:
            self.floors[instrument.token] = Floor(instrument, rules, slippage, self.reports)
        self.open: i64 = 0
        self.close: i64 = 0
        self.today: i64 = 0
        self._delay = rules.to_exchange
        self._sent: list[Errand] = []
        self._arrival = vec[i64]()
        self._head: i64 = 0

    def session(self, open: i64, close: i64) -> None:
        """Begin the session [open, close), ns UTC; orders that no `finish` has ended are gone."""
        self.open = open
        self.close = close
        self.today = day_start(open)

    def finish(self, ts: i64) -> None:
        """End the session: DAY orders are cancelled, GTTs stay."""
        self.advance(ts)
        for floor in self.floors.values():
            floor.expire(ts)

    # requests

    def take(self, commands: list[Command], now: i64) -> None:
        """Take what the kernel asked for at `now`; alerts and halts are not for an exchange."""
        for command in commands:
            if isinstance(command, PlaceOrder):
                if self._delay == 0:
                    self._place(command.order, now)
                else:
                    self._send(Errand(PLACE, command.order, None), now)
            elif isinstance(command, ModifyOrder):
                self._send(Errand(MODIFY, command.order, None, command.change), now)
            elif isinstance(command, CancelOrder):
                self._send(Errand(CANCEL, command.order, None), now)
            elif isinstance(command, PlaceGtt):
                self._send(Errand(PLACE, None, command.gtt), now)
            elif isinstance(command, ModifyGtt):
                self._send(Errand(MODIFY, None, command.gtt), now)
            elif isinstance(command, DeleteGtt):
                self._send(Errand(CANCEL, None, command.gtt), now)

    def _send(self, errand: Errand, now: i64) -> None:
        if self._delay == 0:
            self._arrive(errand, now)
            return
        self._sent.append(errand)
        self._arrival = append(self._arrival, now + self._delay)

    def advance(self, now: i64) -> None:
        """Let every request arrive that is due by `now`."""
        while self._head < len(self._sent) and self._arrival[self._head] <= now:
            at = self._head
            self._head = at + 1
            self._arrive(self._sent[at], self._arrival[at])
        if self._head > 0 and self._head == len(self._sent):
            self._sent = []
            self._arrival = vec[i64]()
            self._head = 0

    def _arrive(self, errand: Errand, ts: i64) -> None:
        order = errand.order
        if order is not None:
            if errand.kind == CANCEL:
                self._cancel(order, ts)
            elif errand.change is not None:
                self._modify(order, errand.change, ts)
            else:
                self._place(order, ts)
            return
        gtt = errand.gtt
        if gtt is None:
            return
        if errand.kind == PLACE:
            self._place_gtt(gtt, errand, ts)
        elif errand.kind == MODIFY:
            self._modify_gtt(gtt, errand, ts)
        else:
            self._delete_gtt(gtt, ts)

    def _answer(self, ts: i64, intent: i64, verb: Verb, broker_id: str, reason: str = "") -> None:
        outcome = Outcome.REFUSED if reason else Outcome.ACCEPTED
        self.reports.add(ts, Answer(ts + self.reports.delay, intent, verb, outcome, broker_id, reason))

    def _place(self, order: Order, ts: i64) -> None:
        floor = self.floors[int(order.token)]
        reason = floor.refusal(order)
        if ts < self.open or ts >= self.close or not floor.instrument.hours.takes_exits(ts):
            reason = "the market is closed"
        if reason:
            self._answer(ts, order.intent, Verb.PLACE, "", reason)
            return
        order_id = str(self.reports.number())
        made = resting(order, order_id, floor.instrument)
        made.fresh = made.trigger == 0  # a stop watches what is left of the bar, as a GTT does
        floor.orders.append(made)
        self._answer(ts, order.intent, Verb.PLACE, order_id)
        if made.trigger != 0:
            self.reports.order(ts, made, OrderStatus.TRIGGER_PENDING)

    def _cancel(self, order: Order, ts: i64) -> None:
        floor = self.floors[int(order.token)]
        for made in floor.orders:
            if made.order_id == order.order_id:
                self._answer(ts, order.intent, Verb.CANCEL, made.order_id)
                floor.drop(made, ts, "cancelled")
                return
        self._answer(ts, order.intent, Verb.CANCEL, order.order_id, "the order is not open")

    def _modify(self, order: Order, change: Change, ts: i64) -> None:
        floor = self.floors[int(order.token)]
        for made in floor.orders:
            if made.order_id == order.order_id:
                reason = floor.change(made, change)
                self._answer(ts, order.intent, Verb.MODIFY, made.order_id, reason)
                return
        self._answer(ts, order.intent, Verb.MODIFY, order.order_id, "the order is not open")

    def _place_gtt(self, gtt: Gtt, errand: Errand, ts: i64) -> None:
        floor = self.floors[int(gtt.token)]
        waiting = Waiting(0, floor.instrument)
        waiting.arm(errand.legs, errand.last)
        reason = floor.gtt_refusal(waiting)
        if not reason:
            waiting.gtt_id = self.reports.number()
            floor.gtts.append(waiting)
        self._answer(ts, gtt.intent, Verb.PLACE, str(waiting.gtt_id), reason)

    def _modify_gtt(self, gtt: Gtt, errand: Errand, ts: i64) -> None:
        floor = self.floors[int(gtt.token)]
        waiting = _find(floor, gtt.gtt_id)
        reason = "the GTT is not active"
        if waiting is not None:
            wanted = Waiting(0, floor.instrument)
            wanted.arm(errand.legs, errand.last)
            reason = floor.gtt_refusal(wanted)
            if not reason:
                waiting.arm(errand.legs, errand.last)
        self._answer(ts, gtt.intent, Verb.MODIFY, str(gtt.gtt_id), reason)

    def _delete_gtt(self, gtt: Gtt, ts: i64) -> None:
        floor = self.floors[int(gtt.token)]
        waiting = _find(floor, gtt.gtt_id)
        if waiting is None:
            self._answer(ts, gtt.intent, Verb.CANCEL, str(gtt.gtt_id), "the GTT is not active")
            return
        floor.gtts.remove(waiting)
        self._answer(ts, gtt.intent, Verb.CANCEL, str(gtt.gtt_id))

    # market data

    def tick(self, tick: Tick) -> None:
        """Take in a tick at its time: requests that were due arrive first, then our orders meet the market."""
        self.advance(tick.ts)
        floor = self.floors.get(int(tick.token))
        if floor is None or tick.ltp <= 0.0 or not tick.traded_since(self.today):
            return
        if len(tick.depth) == queue.DEPTH:
            seen = queue.book(floor, tick.depth, 0)
        else:
            seen = queue.best(floor, tick.bid, tick.bid_quantity, tick.ask, tick.ask_quantity)
        queue.trade(floor, tick.ts, floor.instrument.ticks(tick.ltp), tick.volume, seen)

    def open_bar(self, token: i64, ts: i64, open: float, high: float, low: float, volume: i64) -> None:
        """Begin a bar at its open; `ts` is its start."""
        floor = self.floors[int(token)]
        i = floor.instrument
        path.begin(floor, ts, i.ticks(open), i.ticks(high), i.ticks(low), volume)

    def move(self, token: i64, ts: i64, price: float) -> None:
        """Move the price inside a bar to the next point of its path (`path.point`, `path.time`)."""
        floor = self.floors[int(token)]
        path.walk(floor, ts, floor.instrument.ticks(price))

    def without_latency(self) -> None:
        """Let requests and reports take no time from here on: inside a bar there is no finer clock."""
        self.advance(NEVER)
        self._delay = 0
        self.reports.delay = 0

    # reports

    @property
    def pending(self) -> bool:
        """Tell whether a request or a report is on its way."""
        return len(self._sent) > 0 or self.reports.due != NEVER

    @property
    def due(self) -> i64:
        """Return when the kernel hears the next event, `model.NEVER` while there is none."""
        return self.reports.due

    def event(self) -> object:
        """Return the next event for the kernel; raise IndexError where there is none."""
        return self.reports.take()


def _find(floor: Floor, gtt_id: i64) -> Waiting | None:
    for waiting in floor.gtts:
        if waiting.gtt_id == gtt_id:
            return waiting
    return None
