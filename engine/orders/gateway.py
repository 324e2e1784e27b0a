"""From a command to the broker: intent on disk, governor, send, and what became of it.

A request either is done, is refused, or is unknown. Unknown ones are looked up in the broker's books
(`engine/trading/lookups.py`), never sent again, and given up only after repeated looks over a settle time.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial

from compiled.answers import passing
from compiled.events import (
    Answer,
    CancelOrder,
    Command,
    DeleteGtt,
    GttUpdate,
    ModifyGtt,
    ModifyOrder,
    OrderUpdate,
    Outcome,
    PlaceGtt,
    PlaceOrder,
    Verb,
)
from compiled.kernel import Kernel
from compiled.model import SECOND, Order, Purpose
from engine.errors import OperatorError, OrderRefused, OrderUnknown, RetryableError
from engine.ports import Broker, Clock, Journal, Slices
from engine.trading.backoff import BUSY, BackOff, longest
from engine.trading.depository import AGAIN, unauthorised
from engine.trading.durable import Record
from engine.trading.governor import Governor
from engine.trading.killswitch import KillSwitch
from engine.trading.lookups import Lookups, Patience, Unresolved
from engine.trading.requests import PURPOSES, Queued, by_urgency, changes, is_entry, purpose_of, token_of

BACK_OFF = 1 * SECOND


def _untold(level: str, name: str, text: str) -> None:
    del level, name, text


class Gateway:
    """Sends commands by urgency, one journal commit ahead; `post` takes the answers as events."""

    def __init__(
        self,
        kernel: Kernel,
        broker: Broker,
        journal: Journal,
        clock: Clock,
        governor: Governor,
        kill: KillSwitch,
        patience: Patience,
        post: Callable[[object], None],
        jitter: random.Random | None = None,
        tell: Callable[[str, str, str], None] = _untold,
    ) -> None:
        self.kernel = kernel
        self.broker = broker
        self.record = Record(journal, patience.entry_wait_s, tell)
        self.clock = clock
        self.governor = governor
        self.kill = kill
        self.patience = patience
        self.post = post
        self.unauthorised: set[int] = set()
        """Tokens of which a sale was refused for want of an authorisation at the depository."""
        self.back_off = BackOff(jitter or random.Random(0))  # noqa: S311  waits, no secrets
        self.lookups = Lookups(kernel, clock, patience, post)
        self.sent = 0
        self.wake = asyncio.Event()
        self.touched: dict[int, int] = {}
        self._moves = 0
        self._queue: list[tuple[int, int, Command, int]] = []
        self._number = 0
        self._in_flight = 0
        self._entering = 0
        self._asked: dict[int, int] = {}
        """When the requests at the broker have left, by intent."""
        self._lanes = 1

    @property
    def unresolved(self) -> dict[int, Unresolved]:
        """Return what nobody knows the outcome of, by intent."""
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

    def silence(self) -> tuple[int, str]:
        """Return since when (ns) something has waited for the broker's answer, and what; 0: nothing does."""
        waits = [(asked, "a request under way") for asked in self._asked.values()]
        if (found := self.lookups.silence())[0]:
            waits.append(found)
        since, what = min(waits, default=(0, ""))
        return since, self.lookups.failure if self.lookups.failing else what

    def put(self, command: Command) -> None:
        """Queue one command; cancels, deletions and exits first, then protection, then entries."""
        self._number += 1
        self._queue.append((PURPOSES.index(purpose_of(command)), self._number, command, self.clock.now()))
        self.wake.set()

    def queue(self) -> tuple[Queued, ...]:
        """Return the requests that wait, the most urgent first."""
        now, found = self.clock.now(), []
        for _, _, command, since in sorted(self._queue, key=by_urgency):
            market = self.kernel.markets.get(token_of(command))
            symbol = market.instrument.symbol if market else ""
            due = self._due(command, now)
            found.append(Queued(purpose_of(command).name, type(command).__name__, symbol, since, due))
        return tuple(found)

    def due(self) -> int | None:
        """Return when the most urgent request that waits for time only may leave (ns), None if there is none."""
        now = self.clock.now()
        free = [command for _, _, command, _ in self._queue if not self._held(command)]
        dues = [due for command in free if (due := self._due(command, now)) >= 0]
        return min(dues, default=None)

    def _due(self, command: Command, now: int) -> int:
        if isinstance(command, PlaceOrder):
            if self._barred(command.order):
                return now
            return self.governor.order_due(command.order.purpose, now)
        return self.governor.call_due(purpose_of(command), now)

    def _take(self) -> Command | None:
        """Take the most urgent request that may leave now; one that must wait lets less urgent ones pass.

        Entries leave one lane free: an exit never waits behind entries that hang. An entry that has waited too long is
        refused: its reason is a price of the past.
        """
        now = self.clock.now()
        for _, _, command, since in sorted(self._queue, key=by_urgency):
            due = self._due(command, now)
            late = is_entry(command) and now - since > self.patience.entry_wait_s * SECOND
            held = is_entry(command) and not self.kernel.ready
            if due < 0 or late or held:
                self._drop(command)
                why = "the desk holds entries back" if held else "it waited too long to be sent"
                self._refuse(command, why if held or late else "the day's order limit is used up")
                continue
            if due <= now and not self._held(command):
                self._drop(command)
                return command
        return None

    def _held(self, command: Command) -> bool:
        """Tell whether a request waits for an answer: an entry for a lane, a change for the proof of what it changes."""
        if is_entry(command):
            return 0 < self._lanes - 1 <= self._entering
        changed = changes(command)
        return changed > 0 and self.lookups.proves(changed)

    def look_due(self) -> int | None:
        """Return when the next look at the books is due (ns), None where nothing asks for one."""
        if any(self.lookups.proves(changes(command)) for _, _, command, _ in self._queue):
            return max(self.clock.now(), self.lookups.rests)
        return self.lookups.look_due()

    def proven(self, orders: list[OrderUpdate], gtts: list[GttUpdate] | None) -> None:
        """Compare the ids of answers with the books just read; what has waited for it may leave."""
        self.lookups.verify(orders, gtts)
        self.wake.set()

    def _drop(self, command: Command) -> None:
        self._queue = [item for item in self._queue if item[2] is not command]

    async def drain(self) -> bool:
        """Send, one after the other, everything that may leave now; return whether anything was sent."""
        before = self.sent
        while (command := self._take()) is not None:
            await self._do(command)
        return self.sent != before

    async def run(self, lanes: int) -> None:
        """Send as requests come, `lanes` at a time, until cancelled."""
        free = asyncio.Semaphore(lanes)
        self._lanes = lanes
        self.record.bounded = True
        async with asyncio.TaskGroup() as tasks:
            while True:
                self.wake.clear()
                await free.acquire()
                command = self._take()
                if command is None:
                    free.release()
                    await self._nap()
                    continue
                task = tasks.create_task(self._do(command))
                self._entering += is_entry(command)
                task.add_done_callback(partial(_done, self._freed, free, entry=is_entry(command)))

    def _freed(self, free: asyncio.Semaphore, *, entry: bool) -> None:
        self._entering -= entry
        free.release()
        self.wake.set()

    async def _nap(self) -> None:
        due = self.due()
        waits: list[asyncio.Task[object]] = [asyncio.create_task(self.wake.wait())]
        if due is not None:
            waits.append(asyncio.create_task(self._sleep(due)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _sleep(self, ts: int) -> None:
        await self.clock.sleep_until(ts)

    def _barred(self, order: Order) -> bool:
        return self.kill.latched and order.purpose is Purpose.ENTRY

    async def _do(self, command: Command) -> None:
        """Commit, check the latch once more, send, and post the outcome."""
        self._in_flight += 1
        self._moves += 1
        try:
            if isinstance(command, PlaceOrder):
                await self._try(command.order)
            elif isinstance(command, ModifyOrder):
                await self._modify(command)
            elif isinstance(command, CancelOrder):
                order = command.order
                request = self.broker.cancel(order.order_id)
                await self._call(order.intent, Verb.CANCEL, order.order_id, request, Purpose.EXIT)
            elif isinstance(command, PlaceGtt | ModifyGtt | DeleteGtt):
                await self._gtt(command)
        finally:
            self._in_flight -= 1
            self._moves += 1

    async def _try(self, order: Order) -> None:
        """Place an order; an entry that cannot be kept on disk is refused, and the journal's owner latches the desk."""
        try:
            await self._place(order)
        except OperatorError as error:
            self._refuse_order(order, str(error))

    async def _place(self, order: Order) -> None:
        await self.record.keep(order.purpose)
        if self._barred(order):
            self._refuse_order(order, "the kill switch is latched")
            return
        if order.unwanted:
            self._refuse_order(order, "cancelled before it was sent")
            return
        self.governor.order_sent(self.clock.now())
        self._answer(order.intent, Verb.PLACE, Outcome.SENT)
        request = self.broker.place_sliced(order) if order.terms.autoslice else self.broker.place(order)
        await self._send(order.intent, request, order.purpose)

    async def _modify(self, command: ModifyOrder) -> None:
        """Change an order, on disk first; an entry is not changed after the latch."""
        order, change = command.order, command.change
        try:
            await self.record.keep(order.purpose)
        except OperatorError as error:
            self._answer(order.intent, Verb.MODIFY, Outcome.REFUSED, order.order_id, str(error))
            return
        if self._barred(order):
            self._answer(order.intent, Verb.MODIFY, Outcome.REFUSED, order.order_id, "the kill switch is latched")
            return
        request = self.broker.modify(order.order_id, change)
        await self._call(order.intent, Verb.MODIFY, order.order_id, request, order.purpose)

    async def _gtt(self, command: PlaceGtt | ModifyGtt | DeleteGtt) -> None:
        gtt = command.gtt
        self.touched[gtt.intent] = self._moves
        await self.record.keep(Purpose.PROTECT)
        if isinstance(command, PlaceGtt):
            self.governor.call_sent(self.clock.now())
            self._answer(gtt.intent, Verb.PLACE, Outcome.SENT)
            await self._send(gtt.intent, self.broker.place_gtt(gtt), Purpose.PROTECT)
        elif isinstance(command, ModifyGtt):
            self.lookups.changed(gtt.intent)
            request = self.broker.modify_gtt(gtt)
            await self._call(gtt.intent, Verb.MODIFY, str(gtt.gtt_id), request, Purpose.PROTECT)
        else:
            request = self.broker.delete_gtt(gtt.gtt_id)
            await self._call(gtt.intent, Verb.CANCEL, str(gtt.gtt_id), request, Purpose.EXIT)
        self.touched[gtt.intent] = self._moves + 1

    async def _send(self, intent: int, request: Awaitable[str | int | Slices], purpose: Purpose) -> None:
        """Await a placement and post its outcome."""
        self.sent += 1
        self.lookups.sent(intent)
        self._asked[intent] = self.clock.now()
        try:
            made = await request
        except OrderRefused as error:
            self._refused(intent, f"{error.code}: {error.reason}", purpose)
        except OrderUnknown as error:
            self._unknown(intent, str(error))
        except RetryableError as error:
            self.governor.back_off(purpose, self.clock.now() + BACK_OFF)
            self._refused(intent, f"busy: {error}", purpose)
        else:
            self.back_off.done((Verb.PLACE, purpose))
            self._accept(intent, made)
        finally:
            self._asked.pop(intent, None)
            self.lookups.answered(intent)

    def _refused(self, intent: int, reason: str, purpose: Purpose) -> None:
        """Have a refusal of something new believed when the books bear it out."""
        self.lookups.refused(intent, self._moves, reason, self._wait(intent, Verb.PLACE, reason, purpose))

    def _unknown(self, intent: int, reason: str) -> None:
        self.lookups.look_for(intent)
        self._answer(intent, Verb.PLACE, Outcome.UNKNOWN, reason=reason)

    def _accept(self, intent: int, made: str | int | Slices) -> None:
        named = made.order_ids[0] if isinstance(made, Slices) else str(made)
        if self.lookups.foreign(intent, named):
            self._unknown(intent, f"the answer named {named}, which is another one's")
            return
        self.lookups.prove(intent)
        if not isinstance(made, Slices):
            self._answer(intent, Verb.PLACE, Outcome.ACCEPTED, str(made))
            return
        missing = [*made.refused, *made.unknown]
        reason = f"{len(missing)} slices are missing: {missing[0]}" if missing else ""
        self.post(Answer(
            self.clock.now(), intent, Verb.PLACE, Outcome.ACCEPTED, made.order_ids[0], reason, len(made.order_ids)
        ))  # fmt: skip

    async def _call(self, intent: int, verb: Verb, broker_id: str, request: Awaitable[None], purpose: Purpose) -> None:
        """Await a change to something the broker already has, and post its outcome."""
        self.sent += 1
        self.governor.call_sent(self.clock.now())
        self._asked[intent] = self.clock.now()
        try:
            await request
        except OrderRefused as error:
            self._turned_away(intent, verb, broker_id, f"{error.code}: {error.reason}", purpose)
        except OrderUnknown as error:
            self._turned_away(intent, verb, broker_id, str(error), purpose, Outcome.UNKNOWN)
        except RetryableError as error:
            self.governor.back_off(purpose, self.clock.now() + BACK_OFF)
            self._turned_away(intent, verb, broker_id, f"busy: {error}", purpose)
        else:
            self.back_off.done((verb, purpose))
            self.back_off.done((verb, intent))
            self._answer(intent, verb, Outcome.ACCEPTED, broker_id)
        finally:
            self._asked.pop(intent, None)

    def _answer(self, intent: int, verb: Verb, outcome: Outcome, broker_id: str = "", reason: str = "") -> None:
        self.post(Answer(self.clock.now(), intent, verb, outcome, broker_id, reason))

    def _turned_away(
        self, intent: int, verb: Verb, broker_id: str, reason: str, purpose: Purpose, outcome: Outcome = Outcome.REFUSED
    ) -> None:
        """Post that a change came to nothing, and how long to wait before the next."""
        wait = self._wait(intent, verb, reason, purpose)
        self.post(Answer(self.clock.now(), intent, verb, outcome, broker_id, reason, wait=wait))

    def _wait(self, intent: int, verb: Verb, reason: str, purpose: Purpose) -> int:
        """Return how long to wait before the next request (ns): a busy broker is so for all of a kind.

        How often the broker has said no to a new order or GTT itself, the kernel counts.
        """
        now, busy = self.clock.now(), passing(reason)
        what = self.kernel.out.orders.get(intent) or self.kernel.out.gtts.get(intent)
        if what is not None and unauthorised(reason):
            self.unauthorised.add(int(what.token))
            return AGAIN
        market = self.kernel.markets.get(int(what.token)) if what is not None else None
        most = longest(market.instrument.hours, purpose, now) if market is not None else BUSY
        kind = (verb, purpose if busy else intent)
        return self.back_off.refused(kind, now, most) if busy or verb is not Verb.PLACE else 0

    def _refuse_order(self, order: Order, reason: str) -> None:
        self._answer(order.intent, Verb.PLACE, Outcome.REFUSED, reason=reason)

    def _refuse(self, command: Command, reason: str) -> None:
        if isinstance(command, PlaceOrder):
            self._refuse_order(command.order, reason)


def _done(freed: Callable[..., None], free: asyncio.Semaphore, task: asyncio.Task[None], *, entry: bool) -> None:
    del task
    freed(free, entry=entry)
