"""What must hold after every step of a simulated day, judged from the exchange's books, the disk and the wire."""

from collections import deque
from contextlib import contextmanager

from compiled.model import Purpose
from engine.trading.killswitch import FLATTEN

PROTECTED_WITHIN_S = 30.0
"""Seconds of fair weather after which nothing the desk holds may be unprotected."""
HALTED_WITHIN_S = 0.6
TOLD_WITHIN_S = 60.0
PER_SECOND, PER_MINUTE = 10, 400


class Broken(AssertionError):
    """A promise that was not kept, with the seed that shows it again."""

    def __init__(self, world, text):
        super().__init__(f"seed {world.seed}, second {world.loop.seconds:.3f}, step {world.loop.steps}: {text}")


class Position:
    """One rung as the exchange sees it."""

    def __init__(self):
        self.entries = []
        self.exits = []
        self.triggers = []
        self.stop = 0.0
        self.stood = {}
        """Where each stop stood when it was last looked at; one that nobody remembers stays where it is."""
        self.bare_since = None

    @property
    def held(self):
        return sum(order.filled for order in self.entries) - sum(order.filled for order in self.exits)

    @property
    def coming(self):
        return sum(order.pending for order in self.entries)

    @property
    def sign(self):
        return self.entries[0].ask.side if self.entries else 1

    @property
    def covered(self):
        guarded = sum(t.legs[0].quantity for t in self.triggers if t.status == "active")
        return guarded + sum(order.pending for order in self.exits)

    def stops(self):
        """Return (name, price) of every stop that waits at the exchange."""
        index = 0 if self.sign > 0 else -1
        active = [(f"GTT {t.trigger_id}", t.condition.triggers[index]) for t in self.triggers if t.status == "active"]
        waiting = [order for order in self.exits if order.status == "TRIGGER PENDING"]
        return active + [(f"order {order.order_id}", order.ask.trigger) for order in waiting]


class Checks:
    """Follows the exchange's books and everything that leaves the desk."""

    def __init__(self, world):
        self.world = world
        self.departed = {}
        """What has left, by tag (orders) or intent (GTTs)."""
        self.rungs = {}
        self._bare = {}
        self.unwritten = set()
        """Intents that left while the disk was full."""
        self.forgotten = set()
        """Those of them that a crash then lost."""
        self.by_hand = False
        self.manual = set()
        self._orders = {}
        self._triggers = {}
        self._owners = {}
        self._sent = deque()
        self._applied = (None, 0)
        self._latched_at = None
        self.worst_bare = 0.0
        self.worst_halt = 0.0

    def _broken(self, text):
        raise Broken(self.world, text)

    def _rung(self, number):
        return self.rungs.setdefault(int(number), Position())

    # what leaves

    def departs(self, process, job):
        """Judge a request as it leaves the desk."""
        if job.asked is None:
            return
        kind, what = job.asked
        with self._noting():
            if kind == "order":
                self._order_departs(process, what)
            elif kind == "change" and what.purpose is Purpose.ENTRY and process.kill.latched:
                self._broken(f"entry {what.tag} is changed after the latch")
            elif kind == "gtt":
                self._once(what.intent, what)
                self._durable(what.intent, Purpose.PROTECT)

    @contextmanager
    def _noting(self):
        """Keep what is broken for the driver: raised here, the desk would catch it."""
        try:
            yield
        except Broken as broken:
            self.world.trouble.append(broken)

    def _order_departs(self, process, order):
        if order.purpose is Purpose.ENTRY and process.kill.latched:
            self._broken(f"entry {order.tag} leaves after the latch")
        self._once(order.tag, order)
        self._durable(order.intent, order.purpose)
        now = self.world.loop.time()
        self._sent.append(now)
        while self._sent[0] <= now - 60.0:
            self._sent.popleft()
        if len(self._sent) > PER_MINUTE or sum(at > now - 1.0 for at in self._sent) > PER_SECOND:
            self._broken("more orders than the exchange takes")

    def _once(self, key, what):
        if key in self.departed:
            self._broken(f"{key} is sent twice")
        self.departed[key] = what

    def _durable(self, intent, purpose):
        if self.world.disk.full and purpose is not Purpose.ENTRY:
            self.unwritten.add(int(intent))
            return  # exits and protection leave all the same
        if not self.world.disk.rows("intents", "intent = ?", (int(intent),)):
            self._broken(f"intent {intent} leaves before it is on disk")

    # the exchange's books

    def books(self):
        """Judge what has changed at the exchange."""
        with self._noting():
            self._books(self.world.exchange)

    def _books(self, exchange):
        self._new_triggers(exchange)
        if len(exchange.orders.orders) > len(self._orders):
            for order in list(exchange.orders.orders.values())[len(self._orders) :]:
                self._orders[order.order_id] = order
                self._new_order(order)
        now = self.world.loop.time()
        for number, position in self.rungs.items():
            held = position.held
            if held < 0:
                self._broken(f"rung {number} is oversold: {held}")
            self._stops(position)
            if held <= 0 or position.covered >= held:
                position.bare_since = None
                self._bare.pop(number, None)
            elif position.bare_since is None:
                position.bare_since = now
                self._bare[number] = position

    def _new_triggers(self, exchange):
        if len(exchange.gtts.triggers) == len(self._triggers):
            return
        job = self.world.network.job
        for number, trigger in exchange.gtts.triggers.items():
            if number not in self._triggers:
                if job is None or job.asked is None or job.asked[0] != "gtt":
                    self._broken(f"GTT {number} has no intent")
                self._triggers[number] = trigger
                position = self._rung(job.asked[1].rung)
                position.triggers.append(trigger)

    def _new_order(self, order):
        tag = order.ask.tag
        if self.by_hand:
            self.manual.add(order.order_id)
        elif tag:
            intent = self.departed.get(tag)
            if intent is None:
                self._broken(f"order {order.order_id} with tag {tag} has no intent")
            if tag in self._owners and not intent.terms.several:
                self._broken(f"two orders at the broker for {tag}")
            self._owners[tag] = order
            self._mine(order, intent)
        else:
            self._fired(order)

    def _mine(self, order, intent):
        position = self._rung(intent.rung)
        if intent.purpose is Purpose.ENTRY:
            position.entries.append(order)
            self._limits(order)
        else:
            position.exits.append(order)

    def _fired(self, order):
        """Find the GTT that has sent an order; while it is being sent, it is the one that has just triggered."""
        for position in self.rungs.values():
            for trigger in position.triggers:
                if any(
                    leg is not None and leg["order_result"]["order_id"] == order.order_id for leg in trigger.results
                ):
                    position.exits.append(order)
                    return
        self._broken(f"order {order.order_id} is nobody's")

    def _limits(self, order):
        """Count what is held and what is coming against the operator's limits."""
        limits = self.world.settings.limits
        busy, exposure = 0, 0.0
        for position in self.rungs.values():
            amount = position.held + position.coming
            if amount > 0:
                busy += 1
                exposure += amount * position.entries[0].ask.listing.ltp * 100.0
        if limits.max_positions and busy > limits.max_positions:
            self._broken(f"{busy} positions with {order.ask.tag}, {limits.max_positions} allowed")
        if limits.max_exposure and exposure > limits.max_exposure * 1.02:
            self._broken(f"exposure {exposure / 100:.0f} with {order.ask.tag}, {limits.max_exposure / 100:.0f} allowed")

    def _stops(self, position):
        """Stops only ever move in their position's favour: up for a long one, down for a short one."""
        if self.world.exchange.now >= self.world.exchange.closes:
            return
        if self.forgotten and not position.held:
            return  # sold by a stop that a full disk and a crash together have made the desk forget: nothing is lowered
        sign = position.sign
        for name, stop in position.stops():
            if position.stood.get(name) == stop:
                continue
            position.stood[name] = stop
            if position.stop and sign * (stop - position.stop) < -1e-9:
                self._broken(f"{name} moves its stop from {position.stop} to {stop}")
            position.stop = max(position.stop, stop) if sign > 0 else min(position.stop or stop, stop)

    # the desk

    def step(self):
        """Judge the desk after a turn of the loop."""
        process = self.world.process
        if process is None or not process.open:
            self._latched_at = None
            return
        kernel = process.kernel
        if self._applied != (kernel, len(kernel.applied)):
            self._applied = (kernel, len(kernel.applied))
            self._ledger(kernel)
        self._halting(process, kernel)
        self._protection(process, kernel)

    def _ledger(self, kernel):
        """Every fill of ours is a trade of the exchange's, and together they are what the ledger holds."""
        applied, sums = set(kernel.applied), {}
        for trade in self.world.exchange.orders.trades:
            key = f"{trade.order.order_id} {trade.trade_id}"
            if key in applied:
                applied.discard(key)
                ask = trade.order.ask
                token = int(ask.listing.instrument.token)
                sums[token] = sums.get(token, 0) + ask.side * trade.quantity
        if applied:
            self._broken(f"fills nobody made: {applied}")
        for token, quantity in sums.items():
            position = kernel.ledger.account(token)
            if (0 if position is None else int(position.quantity)) != quantity:
                self._broken(f"ledger of {token}: {position and int(position.quantity)}, its fills make {quantity}")

    def _halting(self, process, kernel):
        now = self.world.loop.time()
        if not process.kill.latched or process.desk._stopping:
            self._latched_at = None
        elif self._latched_at is None:
            self._latched_at = now
        if self._latched_at is not None and not kernel.halted:
            self.worst_halt = max(self.worst_halt, now - self._latched_at)
            if now - self._latched_at > HALTED_WITHIN_S:
                self._broken("latched, and the kernel goes on")

    def _protection(self, process, kernel):
        now = self.world.loop.time()
        for number, position in self._bare.items():
            fair = now - max(position.bare_since, self.world.calm_since)
            if self.world.storms == 0 and not process.desk._stopping:
                self.worst_bare = max(self.worst_bare, fair)
                if fair > PROTECTED_WITHIN_S:
                    self._broken(
                        f"rung {number} holds {position.held}, {position.covered} of it protected, for {fair:.1f} s"
                    )
            elif now - position.bare_since > TOLD_WITHIN_S and not self._told(process, kernel):
                self._broken(f"rung {number} is unprotected, and nobody has been told")

    @staticmethod
    def _told(process, kernel):
        return kernel.naked() > 0 or process.kill.latched or bool(process.desk.gateway.unresolved)

    # at the end of a day that had time to settle

    def final(self):
        """Judge the desk at rest: both sides' books are equal and everything held is protected exactly once."""
        process = self.world.process
        if process is None or not process.open:
            self._broken("the desk does not run after the weather has cleared")
        kernel = process.kernel
        if self.forgotten and process.desk._loop.state == "read-only":
            return  # a full disk and a crash together: the difference is the operator's, and he is shown it
        ours = [t for t in self.world.exchange.orders.trades if t.order.order_id not in self.manual]
        missing = {f"{t.order.order_id} {t.trade_id}" for t in ours} - set(kernel.applied)
        if missing:
            self._broken(f"trades that the desk has not booked: {missing}")
        self._ledger(kernel)
        if process.desk.gateway.unresolved:
            self._broken(f"still unknown: {list(process.desk.gateway.unresolved)}")
        level = process.kill.latch.level if process.kill.latch else ""
        for number, position in self.rungs.items():
            self._final_rung(number, position, level)

    def died(self):
        """Take note of what a dead process never had on disk, because it was full."""
        lost = self.unwritten - self.world.disk.intents().keys()
        self.forgotten |= lost
        for intent in lost:
            self.departed.pop(intent, None)

    def _final_rung(self, number, position, level):
        held = position.held
        if held != position.covered and not (position.covered > held and any(o.pending for o in position.exits)):
            self._broken(f"rung {number} holds {held}, {position.covered} of it protected at the end")
        if level and any(order.live for order in position.entries):
            self._broken(f"rung {number} still enters although the desk is halted")
        if level == FLATTEN and held and self.world.exchange.now < self.world.exchange.closes:
            self._broken(f"rung {number} still holds {held} although the desk was flattened")
