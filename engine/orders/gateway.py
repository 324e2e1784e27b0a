"""The way of a command to the broker: intent on disk, governor, send, and outcome.

A request either is done, is refused, or is unknown. Unknown ones are looked up in the broker's
books (`engine/orders/request_lookups.py`), never sent again, and given up only after repeated looks
over a settle time.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Container
from functools import partial

from compiled.model.events import (
    BrokerAnswer,
    CancelOrder,
    DeleteGtt,
    GttUpdate,
    KernelCommand,
    ModifyGtt,
    ModifyOrder,
    OrderUpdate,
    PlaceGtt,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
    is_transient,
)
from compiled.model.values import SECOND, Order, OrderPurpose, Product
from compiled.trading.kernel import Kernel
from engine.books.depository import AGAIN
from engine.config.schema import GatewaySettings
from engine.errors import (
    OperatorError,
    OrderRefused,
    OrderUnknown,
    PatangError,
    RetryableError,
    SaleUnauthorised,
    SessionLost,
)
from engine.orders.back_off import BUSY, BackOff, longest_wait
from engine.orders.durable_journal import DurableJournal
from engine.orders.governor import Governor
from engine.orders.killswitch import KillSwitch
from engine.orders.queued_requests import (
    PURPOSES,
    QueuedRequest,
    by_urgency,
    changed_intent,
    intent_of,
    is_entry,
    purpose_of,
    token_of,
)
from engine.orders.request_lookups import RequestLookups, UnresolvedRequest
from engine.ports import Broker, Clock, Journal, SlicedOrder
from engine.system.latency_book import DISK, LatencyBook

BACK_OFF = 1 * SECOND


def _tell_nobody(level: str, name: str, text: str) -> None:
    del level, name, text


class OrderGateway:
    """Sends commands by urgency, one journal commit ahead; `post` takes the answers as events."""

    def __init__(
        self,
        kernel: Kernel,
        broker: Broker,
        journal: Journal,
        clock: Clock,
        governor: Governor,
        kill: KillSwitch,
        settings: GatewaySettings,
        post: Callable[[object], None],
        jitter: random.Random | None = None,
        tell: Callable[[str, str, str], None] = _tell_nobody,
        products: Container[str] = frozenset(Product.__members__),
    ) -> None:
        self.kernel = kernel
        self.broker = broker
        self.times = LatencyBook()
        self.durable_journal = DurableJournal(
            journal, settings.entry_wait_s, tell, self.times.steps[DISK].add
        )
        self.clock = clock
        self.governor = governor
        self.kill = kill
        self.settings = settings
        self.post = post
        self.products = products
        """What the broker takes, by name."""
        self.unauthorised_tokens: set[int] = set()
        """Tokens of which a sale was refused for want of an authorisation at the depository."""
        self.back_off = BackOff(jitter or random.Random(0))  # noqa: S311  waits, no secrets
        self.lookups = RequestLookups(kernel, clock, settings, post)
        self.sent = 0
        self.wake = asyncio.Event()
        self.touched: dict[int, int] = {}
        self._moves = 0
        self._queue: list[tuple[int, int, KernelCommand, int]] = []
        self._number = 0
        self._in_flight = 0
        self._entering = 0
        self._asked: dict[int, int] = {}
        """When the requests at the broker have left, by intent."""
        self._lanes = 1

    @property
    def unresolved(self) -> dict[int, UnresolvedRequest]:
        """Return the requests of unknown outcome, by intent."""
        return self.lookups.unresolved

    @property
    def waiting(self) -> int:
        """Return how many requests wait for the governor."""
        return len(self._queue)

    @property
    def in_flight(self) -> int:
        """Return how many requests are at the broker."""
        return self._in_flight

    @property
    def moves(self) -> int:
        """Count the requests that have begun or ended; a book read in between may be old."""
        return self._moves

    def waiting_since(self) -> tuple[int, str]:
        """Return since when (ns) a request has waited for the broker's answer, and its text.

        It is 0 where nothing waits.
        """
        waits = [(asked, "a request under way") for asked in self._asked.values()]
        if (found := self.lookups.waiting_since())[0]:
            waits.append(found)
        since, what = min(waits, default=(0, ""))
        return since, self.lookups.failure if self.lookups.failing_since else what

    def put(self, command: KernelCommand) -> None:
        """Queue one command; cancels, deletions and exits first, then protection, then entries."""
        # Class first, then age: exits and cancellations pass entries that came before them, and
        # keep their own order.
        self._number += 1
        self.times.note_put(intent_of(command))
        self._queue.append(
            (PURPOSES.index(purpose_of(command)), self._number, command, self.clock.now())
        )
        self.wake.set()

    def queued_requests(self) -> tuple[QueuedRequest, ...]:
        """Return the requests that wait, the most urgent first."""
        now, found = self.clock.now(), []
        for _, _, command, since in sorted(self._queue, key=by_urgency):
            market = self.kernel.state.markets.get(token_of(command))
            symbol = market.instrument.symbol if market else ""
            due = self._command_due(command, now)
            found.append(
                QueuedRequest(purpose_of(command).name, type(command).__name__, symbol, since, due)
            )
        return tuple(found)

    def next_due(self) -> int | None:
        """Return when the most urgent request that waits for time only may leave (ns).

        It is None if there is none.
        """
        now = self.clock.now()
        free = [command for _, _, command, _ in self._queue if not self._is_held(command)]
        dues = [due for command in free if (due := self._command_due(command, now)) >= 0]
        return min(dues, default=None)

    def _command_due(self, command: KernelCommand, now: int) -> int:
        if isinstance(command, PlaceOrder):
            # Due at once, so that it is taken, refused and out of the queue instead of waiting for
            # its turn.
            if self._is_barred(command.order):
                return now
            return self.governor.order_due(command.order.purpose, now)
        return self.governor.call_due(purpose_of(command), now)

    def _take_command(self) -> KernelCommand | None:
        """Take the most urgent request that may leave now; one that must wait lets others pass.

        Entries leave one lane free: an exit never waits behind entries that hang. An entry that has
        waited too long is refused: its reason is a price of the past.
        """
        now = self.clock.now()
        # The whole queue is walked: a request that must wait for a limit or a proof does not hold
        # up the ones behind it.
        for _, _, command, since in sorted(self._queue, key=by_urgency):
            due = self._command_due(command, now)
            late = is_entry(command) and now - since > self.settings.entry_wait_s * SECOND
            held = is_entry(command) and not self.kernel.state.ready
            if due < 0 or late or held:
                self._drop_command(command)
                why = "the desk holds entries back" if held else "it waited too long to be sent"
                self._refuse_command(
                    command, why if held or late else "the day's order limit is used up"
                )
                continue
            if due <= now and not self._is_held(command):
                self._drop_command(command)
                return command
        return None

    def _is_held(self, command: KernelCommand) -> bool:
        """Return whether a request waits for an answer.

        An entry waits for a lane, a change for the proof of the order it changes.
        """
        if is_entry(command):
            # One lane is always left to exits: a broker that hangs would otherwise fill all with
            # entries.
            return 0 < self._lanes - 1 <= self._entering
        changed = changed_intent(command)
        return changed > 0 and self.lookups.awaits_proof(changed)

    def poll_due(self) -> int | None:
        """Return when the next look at the books is due (ns), None where nothing asks for one."""
        if any(
            self.lookups.awaits_proof(changed_intent(command)) for _, _, command, _ in self._queue
        ):
            return max(self.clock.now(), self.lookups.paused_until)
        return self.lookups.poll_due()

    def verify_ids(self, orders: list[OrderUpdate], gtts: list[GttUpdate] | None) -> None:
        """Compare the ids of answers with the books just read; release waiting requests."""
        self.lookups.verify_ids(orders, gtts)
        self.wake.set()

    def _drop_command(self, command: KernelCommand) -> None:
        self._queue = [item for item in self._queue if item[2] is not command]

    async def drain(self) -> bool:
        """Send, one after the other, everything that may leave now.

        Return whether anything was sent.
        """
        before = self.sent
        while (command := self._take_command()) is not None:
            await self._carry_out(command)
        return self.sent != before

    async def run(self, lanes: int) -> None:
        """Send as requests come, `lanes` at a time, until cancelled."""
        free = asyncio.Semaphore(lanes)
        self._lanes = lanes
        self.durable_journal.bounded = True
        async with asyncio.TaskGroup() as tasks:
            while True:
                self.wake.clear()
                # A lane first, then the request: between both a more urgent one may have come.
                await free.acquire()
                command = self._take_command()
                if command is None:
                    free.release()
                    await self._wait_for_work()
                    continue
                task = tasks.create_task(self._carry_out(command))
                self._entering += is_entry(command)
                task.add_done_callback(
                    partial(_lane_done, self._free_lane, free, entry=is_entry(command))
                )

    def _free_lane(self, free: asyncio.Semaphore, *, entry: bool) -> None:
        self._entering -= entry
        free.release()
        self.wake.set()

    async def _wait_for_work(self) -> None:
        due = self.next_due()
        waits: list[asyncio.Task[object]] = [asyncio.create_task(self.wake.wait())]
        if due is not None:
            waits.append(asyncio.create_task(self._sleep_until(due)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        # Either wait may be left over, and would wake the loop for a reason long gone.
        finally:
            for wait in waits:
                wait.cancel()

    async def _sleep_until(self, ts: int) -> None:
        await self.clock.sleep_until(ts)

    def _is_barred(self, order: Order) -> bool:
        return self.kill.latched and order.purpose is OrderPurpose.ENTRY

    async def _carry_out(self, command: KernelCommand) -> None:
        """Commit, check the latch once more, send, and post the outcome."""
        self._in_flight += 1
        self._moves += 1
        try:
            if isinstance(command, PlaceOrder):
                await self._try_order(command.order)
            elif isinstance(command, ModifyOrder):
                await self._modify_order(command)
            elif isinstance(command, CancelOrder):
                order = command.order
                request = self.broker.cancel(order.order_id)
                await self._await_change(
                    order.intent, RequestVerb.CANCEL, order.order_id, request, OrderPurpose.EXIT
                )
            elif isinstance(command, PlaceGtt | ModifyGtt | DeleteGtt):
                await self._send_gtt(command)
        finally:
            self._in_flight -= 1
            self._moves += 1

    async def _try_order(self, order: Order) -> None:
        """Place an order; refuse an entry that cannot be kept on disk.

        The journal's owner latches the desk then.
        """
        try:
            await self._place_order(order)
        except OperatorError as error:
            self._refuse_order(order, str(error))

    async def _place_order(self, order: Order) -> None:
        # Disk, then the latch once more: it may have fallen while the commit was waited for, and
        # nothing is awaited between this check and the request.
        await self.durable_journal.commit_for(order.purpose)
        if self._is_barred(order):
            self._refuse_order(order, "the kill switch is latched")
            return
        if order.product.name not in self.products:
            self._refuse_order(order, f"the broker does not take {order.product.name}")
            return
        if order.unwanted:
            self._refuse_order(order, "cancelled before it was sent")
            return
        # Counted before the answer: a request that hangs has left, and the broker counts it.
        self.governor.order_sent(self.clock.now())
        self._post_answer(order.intent, RequestVerb.PLACE, RequestOutcome.SENT)
        request = (
            self.broker.place_sliced(order) if order.terms.autoslice else self.broker.place(order)
        )
        await self._await_placement(order.intent, request, order.purpose)

    async def _modify_order(self, command: ModifyOrder) -> None:
        """Change an order, on disk first; an entry is not changed after the latch."""
        order, change = command.order, command.change
        try:
            await self.durable_journal.commit_for(order.purpose)
        except OperatorError as error:
            self._post_answer(
                order.intent, RequestVerb.MODIFY, RequestOutcome.REFUSED, order.order_id, str(error)
            )
            return
        if self._is_barred(order):
            self._post_answer(
                order.intent,
                RequestVerb.MODIFY,
                RequestOutcome.REFUSED,
                order.order_id,
                "the kill switch is latched",
            )
            return
        request = self.broker.modify(order.order_id, change)
        await self._await_change(
            order.intent, RequestVerb.MODIFY, order.order_id, request, order.purpose
        )

    async def _send_gtt(self, command: PlaceGtt | ModifyGtt | DeleteGtt) -> None:
        gtt = command.gtt
        # A list of GTTs read between this mark and the next may be older than the change, and is
        # not believed about it (`BrokerPoller`).
        self.touched[gtt.intent] = self._moves
        await self.durable_journal.commit_for(OrderPurpose.PROTECT)
        if isinstance(command, PlaceGtt):
            self.governor.call_sent(self.clock.now())
            self._post_answer(gtt.intent, RequestVerb.PLACE, RequestOutcome.SENT)
            await self._await_placement(
                gtt.intent, self.broker.place_gtt(gtt), OrderPurpose.PROTECT
            )
        elif isinstance(command, ModifyGtt):
            self.lookups.note_change(gtt.intent)
            request = self.broker.modify_gtt(gtt)
            await self._await_change(
                gtt.intent, RequestVerb.MODIFY, str(gtt.gtt_id), request, OrderPurpose.PROTECT
            )
        else:
            request = self.broker.delete_gtt(gtt.gtt_id)
            await self._await_change(
                gtt.intent, RequestVerb.CANCEL, str(gtt.gtt_id), request, OrderPurpose.EXIT
            )
        self.touched[gtt.intent] = self._moves + 1

    async def _await_placement(
        self, intent: int, request: Awaitable[str | int | SlicedOrder], purpose: OrderPurpose
    ) -> None:
        """Await a placement and post its outcome."""
        self.sent += 1
        self.lookups.note_sent(intent)
        self.times.note_sent(intent)
        self._asked[intent] = self.clock.now()
        try:
            made = await request
        except OrderUnknown as error:
            # A timeout is no refusal: the order may be in the book. It is looked up by its tag and
            # never sent again.
            self._post_unknown(intent, str(error))
        except (OrderRefused, RetryableError) as error:
            # Even this is believed only when a book read later does not show the order (ADR 5).
            self._note_refusal(intent, error, purpose)
        else:
            self.back_off.note_success((RequestVerb.PLACE, purpose))
            self._post_accepted(intent, made)
        finally:
            self._asked.pop(intent, None)
            self.times.note_answered(intent)
            self.lookups.note_answered(intent)

    def _note_refusal(self, intent: int, error: PatangError, purpose: OrderPurpose) -> None:
        """Have a refusal of something new believed when the books bear it out."""
        outcome, reason = _outcome_of(error)
        wait = self._refusal_wait(intent, RequestVerb.PLACE, error, purpose)
        self.lookups.note_refusal(intent, self._moves, outcome, reason, wait)

    def _post_unknown(self, intent: int, reason: str) -> None:
        self.lookups.look_for(intent)
        self._post_answer(intent, RequestVerb.PLACE, RequestOutcome.UNKNOWN, reason=reason)

    def _post_accepted(self, intent: int, made: str | int | SlicedOrder) -> None:
        named = made.order_ids[0] if isinstance(made, SlicedOrder) else str(made)
        # The id of another order in our answer (an answer mixed up on the way) would have us cancel
        # somebody else's.
        if self.lookups.is_foreign_id(intent, named):
            self._post_unknown(intent, f"the answer named {named}, which is another one's")
            return
        self.lookups.expect_proof(intent)
        if not isinstance(made, SlicedOrder):
            self._post_answer(intent, RequestVerb.PLACE, RequestOutcome.ACCEPTED, str(made))
            return
        # Some slices exist, so the order does: the missing ones are its open quantity, and part of
        # the reason.
        missing = [*made.refused, *made.unknown]
        reason = f"{len(missing)} slices are missing: {missing[0]}" if missing else ""
        self.post(
            BrokerAnswer(
                self.clock.now(),
                intent,
                verb=RequestVerb.PLACE,
                outcome=RequestOutcome.ACCEPTED,
                broker_id=made.order_ids[0],
                reason=reason,
                parts=len(made.order_ids),
            )
        )

    async def _await_change(
        self,
        intent: int,
        verb: RequestVerb,
        broker_id: str,
        request: Awaitable[None],
        purpose: OrderPurpose,
    ) -> None:
        """Await a change to something the broker already has, and post its outcome."""
        self.sent += 1
        self.times.note_sent(intent)
        self.governor.call_sent(self.clock.now())
        self._asked[intent] = self.clock.now()
        try:
            await request
        except (OrderRefused, OrderUnknown, RetryableError) as error:
            self._post_turned_away(intent, verb, broker_id, error, purpose)
        else:
            self.back_off.note_success((verb, purpose))
            self.back_off.note_success((verb, intent))
            self._post_answer(intent, verb, RequestOutcome.ACCEPTED, broker_id)
        finally:
            self._asked.pop(intent, None)
            self.times.note_answered(intent)

    def _post_answer(
        self,
        intent: int,
        verb: RequestVerb,
        outcome: RequestOutcome,
        broker_id: str = "",
        reason: str = "",
    ) -> None:
        self.post(
            BrokerAnswer(
                self.clock.now(),
                intent,
                verb=verb,
                outcome=outcome,
                broker_id=broker_id,
                reason=reason,
            )
        )

    def _post_turned_away(
        self,
        intent: int,
        verb: RequestVerb,
        broker_id: str,
        error: PatangError,
        purpose: OrderPurpose,
    ) -> None:
        """Post that a change came to nothing, and how long to wait before the next."""
        outcome, reason = _outcome_of(error)
        wait = self._refusal_wait(intent, verb, error, purpose)
        self.post(
            BrokerAnswer(
                self.clock.now(),
                intent,
                verb=verb,
                outcome=outcome,
                broker_id=broker_id,
                reason=reason,
                wait=wait,
            )
        )

    def _refusal_wait(
        self, intent: int, verb: RequestVerb, error: PatangError, purpose: OrderPurpose
    ) -> int:
        """Return the wait before the next request (ns); a busy broker is so for all of a kind.

        Refusals of a new order or GTT itself are counted by the kernel.
        """
        now, busy = self.clock.now(), is_transient(_outcome_of(error)[0])
        if isinstance(error, RetryableError):
            self.governor.back_off(purpose, now + BACK_OFF)
        what = self.kernel.order_store.orders.get(intent) or self.kernel.order_store.gtts.get(
            intent
        )
        # No backing off helps here: the shares stay bound until the owner has authorised their
        # sale.
        if what is not None and isinstance(error, SaleUnauthorised):
            self.unauthorised_tokens.add(int(what.token))
            return AGAIN
        market = self.kernel.state.markets.get(int(what.token)) if what is not None else None
        most = longest_wait(market.instrument.hours, purpose, now) if market is not None else BUSY
        # A busy broker turns away a whole class; a refusal of one order says nothing of the next.
        kind = (verb, purpose if busy else intent)
        return (
            self.back_off.count_refusal(kind, now, most)
            if busy or verb is not RequestVerb.PLACE
            else 0
        )

    def _refuse_order(self, order: Order, reason: str) -> None:
        self.times.note_answered(int(order.intent))
        self._post_answer(order.intent, RequestVerb.PLACE, RequestOutcome.REFUSED, reason=reason)

    def _refuse_command(self, command: KernelCommand, reason: str) -> None:
        if isinstance(command, PlaceOrder):
            self._refuse_order(command.order, reason)


def _outcome_of(error: PatangError) -> tuple[RequestOutcome, str]:
    """Return the outcome of a request by the error of its call, and the reason."""
    if isinstance(error, OrderUnknown):
        return RequestOutcome.UNKNOWN, str(error)
    if isinstance(error, RetryableError):
        return RequestOutcome.BUSY, f"busy: {error}"
    lost = isinstance(error, SessionLost)
    return RequestOutcome.SESSION_LOST if lost else RequestOutcome.REFUSED, str(error)


def _lane_done(
    freed: Callable[..., None], free: asyncio.Semaphore, task: asyncio.Task[None], *, entry: bool
) -> None:
    del task
    freed(free, entry=entry)
