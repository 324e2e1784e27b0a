"""The simulated exchange of paper trading and backtests: from commands and prices to events.

`docs/fills.md` states its rules in order. It has no clock: time comes with the market data, and
with `advance`. Funds and holdings are not checked; the kernel's risk checks stand before it.
"""

from typing import Final, final

from librt.vecs import append, vec
from mypy_extensions import i64, mypyc_attr

from compiled.model.events import (
    BrokerAnswer,
    CancelOrder,
    DeleteGtt,
    KernelCommand,
    ModifyGtt,
    ModifyOrder,
    PlaceGtt,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
)
from compiled.model.int_map import IntMap
from compiled.model.order_terms import OrderChange
from compiled.model.values import (
    NEVER,
    Gtt,
    GttLeg,
    Instrument,
    Order,
    OrderStatus,
    Tick,
    day_start,
)
from compiled.venue import intrabar, queue_position
from compiled.venue.instrument_venue import InstrumentVenue, VenueRules
from compiled.venue.resting_orders import ReportQueue, RestingGtt, requested_legs, resting_order
from compiled.venue.slippage import Slippage

PLACE: Final[i64] = 1
CANCEL: Final[i64] = 2
MODIFY: Final[i64] = 3


@mypyc_attr(acyclic=True, free_list_len=1)
@final
class VenueRequest:
    """A request about an order or a GTT on its way to the exchange.

    A GTT's `legs` and `last` are as they were when sent.
    """

    def __init__(
        self, kind: i64, order: Order | None, gtt: Gtt | None, change: OrderChange | None = None
    ) -> None:
        self.kind = kind
        self.order = order
        self.gtt = gtt
        self.change = change
        self.legs: list[GttLeg] = [] if gtt is None else requested_legs(gtt)
        self.last = 0.0 if gtt is None else gtt.last_price


@final
class SimulatedVenue:
    """One simulated exchange.

    Give it every command of the kernel, and the kernel every event of it.

    Ids are counted from `first` on, so that those of several days do not meet.
    """

    def __init__(
        self, instruments: list[Instrument], rules: VenueRules, slippage: Slippage, first: i64 = 1
    ) -> None:
        self.reports = ReportQueue(rules.from_exchange, first, rules.jitter)
        self.instrument_venues: IntMap[InstrumentVenue] = IntMap()
        for instrument in instruments:
            self.instrument_venues[instrument.token] = InstrumentVenue(
                instrument, rules, slippage, self.reports
            )
        self.open: i64 = 0
        self.close: i64 = 0
        self.today: i64 = 0
        self._delay = rules.to_exchange
        self._jitter = rules.jitter
        self._latest: i64 = 0
        self._sent: list[VenueRequest] = []
        self._arrival = vec[i64]()
        self._head: i64 = 0

    def begin_session(self, open: i64, close: i64) -> None:
        """Begin the session [open, close), ns UTC.

        Orders that no `end_session` has ended are gone.
        """
        assert open < close, "a session ends before it begins"
        self.open = open
        self.close = close
        self.today = day_start(open)

    def end_session(self, ts: i64) -> None:
        """End the session: DAY orders are cancelled, GTTs stay."""
        # A request sent in time still arrives by the close, and is answered.
        self.advance(ts)
        for floor in self.instrument_venues.values():
            floor.expire_orders(ts)

    # requests

    def take_commands(self, commands: list[KernelCommand], now: i64) -> None:
        """Take the kernel's commands at `now`; alerts and halts are not for an exchange."""
        for command in commands:
            if isinstance(command, PlaceOrder):
                # Without latency an order needs no request of its own: an object less for each
                # order of a backtest.
                if self._delay == 0 and self._jitter is None:
                    self._place_order(command.order, now)
                else:
                    self._send_request(VenueRequest(PLACE, command.order, None), now)
            elif isinstance(command, ModifyOrder):
                self._send_request(VenueRequest(MODIFY, command.order, None, command.change), now)
            elif isinstance(command, CancelOrder):
                self._send_request(VenueRequest(CANCEL, command.order, None), now)
            elif isinstance(command, PlaceGtt):
                self._send_request(VenueRequest(PLACE, None, command.gtt), now)
            elif isinstance(command, ModifyGtt):
                self._send_request(VenueRequest(MODIFY, None, command.gtt), now)
            elif isinstance(command, DeleteGtt):
                self._send_request(VenueRequest(CANCEL, None, command.gtt), now)

    def _send_request(self, errand: VenueRequest, now: i64) -> None:
        arrival = now + self._delay
        if self._jitter is not None:
            arrival += self._jitter.draw()
        elif self._delay == 0:
            self._deliver_request(errand, now)
            return
        # None passes the one before, as on one connection: the queue needs no sorting.
        self._latest = max(self._latest, arrival)
        self._sent.append(errand)
        self._arrival = append(self._arrival, self._latest)

    def advance(self, now: i64) -> None:
        """Let every request arrive that is due by `now`."""
        while self._head < len(self._sent) and self._arrival[self._head] <= now:
            at = self._head
            self._head = at + 1
            self._deliver_request(self._sent[at], self._arrival[at])
        if self._head > 0 and self._head == len(self._sent):
            self._sent = []
            self._arrival = vec[i64]()
            self._head = 0

    def _deliver_request(self, errand: VenueRequest, ts: i64) -> None:
        order = errand.order
        if order is not None:
            if errand.kind == CANCEL:
                self._cancel_order(order, ts)
            elif errand.change is not None:
                self._modify_order(order, errand.change, ts)
            else:
                self._place_order(order, ts)
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

    def _report_answer(
        self, ts: i64, intent: i64, verb: RequestVerb, broker_id: str, reason: str = ""
    ) -> None:
        outcome = RequestOutcome.REFUSED if reason else RequestOutcome.ACCEPTED
        heard = self.reports.due_of(ts)
        self.reports.add_report(
            heard,
            BrokerAnswer(
                heard,
                intent,
                verb=verb,
                outcome=outcome,
                broker_id=broker_id,
                reason=reason,
            ),
        )

    def _place_order(self, order: Order, ts: i64) -> None:
        floor = self.instrument_venues[int(order.token)]
        reason = floor.order_refusal(order)
        if ts < self.open or ts >= self.close or not floor.instrument.hours.takes_exits(ts):
            reason = "the market is closed"
        if reason:
            self._report_answer(ts, order.intent, RequestVerb.PLACE, "", reason)
            return
        order_id = str(self.reports.take_number())
        made = resting_order(order, order_id, floor.instrument)
        made.fresh = made.trigger == 0  # a stop watches what is left of the bar, as a GTT does
        floor.orders.append(made)
        self._report_answer(ts, order.intent, RequestVerb.PLACE, order_id)
        if made.trigger != 0:
            self.reports.report_order(ts, made, OrderStatus.TRIGGER_PENDING)

    def _cancel_order(self, order: Order, ts: i64) -> None:
        floor = self.instrument_venues[int(order.token)]
        for made in floor.orders:
            if made.order_id == order.order_id:
                self._report_answer(ts, order.intent, RequestVerb.CANCEL, made.order_id)
                floor.drop_order(made, ts, "cancelled")
                return
        self._report_answer(
            ts, order.intent, RequestVerb.CANCEL, order.order_id, "the order is not open"
        )

    def _modify_order(self, order: Order, change: OrderChange, ts: i64) -> None:
        floor = self.instrument_venues[int(order.token)]
        for made in floor.orders:
            if made.order_id == order.order_id:
                reason = floor.change_order(made, change)
                self._report_answer(ts, order.intent, RequestVerb.MODIFY, made.order_id, reason)
                return
        self._report_answer(
            ts, order.intent, RequestVerb.MODIFY, order.order_id, "the order is not open"
        )

    def _place_gtt(self, gtt: Gtt, errand: VenueRequest, ts: i64) -> None:
        floor = self.instrument_venues[int(gtt.token)]
        waiting = RestingGtt(0, floor.instrument)
        waiting.arm(errand.legs, errand.last)
        reason = floor.gtt_refusal(waiting)
        if not reason:
            waiting.gtt_id = self.reports.take_number()
            floor.gtts.append(waiting)
        self._report_answer(ts, gtt.intent, RequestVerb.PLACE, str(waiting.gtt_id), reason)

    def _modify_gtt(self, gtt: Gtt, errand: VenueRequest, ts: i64) -> None:
        floor = self.instrument_venues[int(gtt.token)]
        waiting = _find_gtt(floor, gtt.gtt_id)
        reason = "the GTT is not active"
        if waiting is not None:
            # Checked on a copy: a refused change leaves the GTT as it was.
            wanted = RestingGtt(0, floor.instrument)
            wanted.arm(errand.legs, errand.last)
            reason = floor.gtt_refusal(wanted)
            if not reason:
                waiting.arm(errand.legs, errand.last)
        self._report_answer(ts, gtt.intent, RequestVerb.MODIFY, str(gtt.gtt_id), reason)

    def _delete_gtt(self, gtt: Gtt, ts: i64) -> None:
        floor = self.instrument_venues[int(gtt.token)]
        waiting = _find_gtt(floor, gtt.gtt_id)
        if waiting is None:
            self._report_answer(
                ts, gtt.intent, RequestVerb.CANCEL, str(gtt.gtt_id), "the GTT is not active"
            )
            return
        floor.gtts.remove(waiting)
        self._report_answer(ts, gtt.intent, RequestVerb.CANCEL, str(gtt.gtt_id))

    # market data

    def meet_tick(self, tick: Tick, at: i64 = 0) -> None:
        """Take in a tick at a time, ns UTC; 0: at its own.

        Requests that were due arrive first, then our orders meet the market.
        """
        ts = at if at > 0 else tick.ts
        self.advance(ts)
        floor = self.instrument_venues.get(int(tick.token))
        # A packet that repeats an earlier day's price would fill orders at a price that is not
        # there (docs/bars.md, rule 8).
        if floor is None or tick.ltp <= 0.0 or not tick.traded_since(self.today):
            return
        if len(tick.depth) == queue_position.DEPTH:
            seen = queue_position.read_book(floor, tick.depth, 0)
        else:
            seen = queue_position.set_best(
                floor, tick.bid, tick.bid_quantity, tick.ask, tick.ask_quantity
            )
        queue_position.meet_tick(floor, ts, floor.instrument.ticks(tick.ltp), tick.volume, seen)

    def open_bar(
        self, token: i64, ts: i64, open: float, high: float, low: float, volume: i64
    ) -> None:
        """Begin a bar at its open; `ts` is its start."""
        floor = self.instrument_venues[int(token)]
        i = floor.instrument
        intrabar.begin_bar(
            floor, ts, open=i.ticks(open), high=i.ticks(high), low=i.ticks(low), volume=volume
        )

    def move_price(self, token: i64, ts: i64, price: float) -> None:
        """Move the price inside a bar to the next point of its path (`intrabar.path_point`)."""
        floor = self.instrument_venues[int(token)]
        intrabar.walk_to(floor, ts, floor.instrument.ticks(price))

    def without_latency(self) -> None:
        """Let requests and reports take no time from here on, as a bar has no finer clock."""
        self.advance(NEVER)
        self._delay = 0
        self._jitter = None
        self.reports.delay = 0
        self.reports.jitter = None

    # reports

    @property
    def is_instant(self) -> bool:
        """Return whether requests and reports take no time."""
        return self._delay == 0 and self.reports.delay == 0 and self._jitter is None

    @property
    def has_pending(self) -> bool:
        """Return whether a request or a report is on its way."""
        return len(self._sent) > 0 or self.reports.due != NEVER

    @property
    def due(self) -> i64:
        """Return when the kernel gets the next event, `NEVER` while there is none."""
        return self.reports.due

    def next_event(self) -> object:
        """Return the next event for the kernel; raise IndexError where there is none."""
        return self.reports.take_report()


def _find_gtt(floor: InstrumentVenue, gtt_id: i64) -> RestingGtt | None:
    for waiting in floor.gtts:
        if waiting.gtt_id == gtt_id:
            return waiting
    return None
