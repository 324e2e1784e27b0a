"""Checks after every step of a simulated day, from the exchange's books, disk and wire."""

from collections import Counter, deque
from contextlib import contextmanager
from math import floor

from brokers.kite.zerodha_sandbox import KITE_RULES
from brokers.sandbox.market.session_phases import CONTINUOUS
from compiled.model.values import OrderPurpose
from compiled.trading.order_states import CORRECTION
from compiled.trading.strategy import OPERATOR
from engine.books.book_difference import DifferenceKind
from engine.orders.killswitch import FLATTEN
from engine.reconcile.reconciler import Reconciler
from tests.simulation.positions import Position
from tests.simulation.shares import Shares

PROTECTED_WITHIN_S = 30.0
"""Seconds of fair weather after which nothing the desk holds may be unprotected."""
SHUT_WITHIN_S = 240.0
"""The same while nothing can trade: what is turned away then is asked for ever less often."""
HALTED_WITHIN_S = 0.6
TOLD_WITHIN_S = 60.0
DECIDED_WITHIN_S = 12.0
"""How long before it leaves an entry may have been decided."""
SQUARED_OFF_WITHIN_S = 60.0
"""Fair weather before the square-off; then nothing intraday of ours may be left."""
PER_SECOND, PER_MINUTE = 10, 400
NEAR = KITE_RULES.trigger_distance.with_clearance()
"""How near to the last price the desk sends no trigger."""
SLACK = 0.5
"""Rupees by which the price may have moved while a request was on its way."""


class Broken(AssertionError):
    """A promise that was not kept, with the seed that shows it again."""

    def __init__(self, world, text):
        super().__init__(
            f"seed {world.seed}, second {world.loop.seconds:.3f}, step {world.loop.steps}: {text}"
        )


class Checks:
    """Follows the exchange's books and everything that leaves the desk."""

    def __init__(self, world):
        self.world = world
        self.departed = {}
        """What has left, by tag (orders) or intent (GTTs)."""
        self._free = set()
        """What of it was never on disk, and not taken by the exchange before a crash.

        Its number may be used again.
        """
        self.rungs = {}
        self._bare = {}
        self.unwritten = set()
        """Intents that left while the disk did not take them."""
        self.forgotten = set()
        """Those of them that a crash then lost."""
        self.by_hand = False
        self.manual = set()
        """Orders of the account that are not the desk's."""
        self.strange = set()
        """GTTs that are not the desk's."""
        self.shares = Shares(world, self)
        self.hand_stops = {}
        """Where the operator has asked for stops of rungs, by their number."""
        self.bare = set()
        """What was asked for by hand without a stop: symbol and shares."""
        self.base = {}
        """Shares carried from the day before, by token."""
        self.past = set()
        """Trades of earlier days."""
        self._left = {}
        self._corrected = {}
        self._orders = {}
        self._triggers = {}
        self._made = {}
        """The intents that GTTs were made for."""
        self._owners = {}
        self._sent = deque()
        self._astray = {}
        """When entries arrived that the network had made of a request again, or much later."""
        self.ratios = {}
        """By how much shares were divided over night, by token, until the desk has divided its own.
        """
        self.added = {}
        """Shares that divisions have added, by rung."""
        self._taken = []
        """What the desk has divided today: (token, ratio, shares added by rung)."""
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
            elif kind == "change" and what.purpose is OrderPurpose.ENTRY and process.kill.latched:
                self._broken(f"entry {what.tag} is changed after the latch")
            elif kind == "gtt":
                self._once(what.intent, what)
                self._durable(process, what.intent, OrderPurpose.PROTECT)

    @contextmanager
    def _noting(self):
        """Keep what is broken for the driver: raised here, the desk would catch it."""
        try:
            yield
        except Broken as broken:
            self.world.trouble.append(broken)

    def _order_departs(self, process, order):
        if order.purpose is OrderPurpose.ENTRY and process.kill.latched:
            self._broken(f"entry {order.tag} leaves after the latch")
        self._once(order.tag, order)
        self._durable(process, order.intent, order.purpose)
        now = self.world.loop.time()
        self._left[order.tag] = now
        self._sent.append(now)
        while self._sent[0] <= now - 60.0:
            self._sent.popleft()
        if len(self._sent) > PER_MINUTE or sum(at > now - 1.0 for at in self._sent) > PER_SECOND:
            self._broken("more orders than the exchange takes")

    def _once(self, key, what):
        if key in self.departed and key not in self._free:
            self._broken(f"{key} is sent twice")
        self._free.discard(key)
        self.departed[key] = what

    def _durable(self, process, intent, purpose):
        if process.journal.excused and purpose is not OrderPurpose.ENTRY:
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
        self._changed(self.world.network.job)
        self.shares.follow(exchange)
        now = self.world.loop.time()
        for number, position in self.rungs.items():
            excused = position.forgot or position.meddled
            if position.held < 0 and self.world.network.liar is None and not excused:
                self._broken(f"rung {number} is oversold: {position.held}")
            self._stops(position, self.hand_stops.get(number, ()))
            if not self._amiss(position):
                position.bare_since = None
                self._bare.pop(number, None)
            elif position.bare_since is None:
                position.bare_since = now
                self._bare[number] = position

    def _amiss(self, position):
        """Tell whether a rung is not protected as it should be.

        Where the account holds less for the desk, all of it together.
        """
        if position.held <= 0 or position.squared:
            return position.amiss
        there = self._there(position)
        if position.where[1] != "CNC":  # the account nets what is long and what is short
            there += sum(
                p.held
                for p in self.rungs.values()
                if p.where == position.where and p.sign != position.sign
            )
        there = max(0, there)
        beside = [
            p
            for p in self.rungs.values()
            if p.where == position.where and p.sign == position.sign and p.held > 0
        ]
        if there >= sum(each.held for each in beside):
            return position.amiss
        wanted = min(there, sum(each.held for each in beside if not each.bare))
        return (
            sum(each.covered for each in beside) < wanted
            or sum(each.offered for each in beside) > there
        )

    def _there(self, position):
        """Return the shares of the account where a rung stands, less those that are not ours."""
        where, sign, shares = position.where, position.sign, self.shares
        return sign * (shares.account(where) - shares.apart(where)) - shares.bought[where, sign]

    def _new_triggers(self, exchange):
        if len(exchange.gtts.triggers) == len(self._triggers):
            return
        job = self.world.network.job
        for number, trigger in exchange.gtts.triggers.items():
            if number in self._triggers:
                continue
            self._triggers[number] = trigger
            if self.by_hand:
                self.strange.add(number)
            elif job is None or job.asked is None or job.asked[0] != "gtt":
                self._broken(f"GTT {number} has no intent")
            else:
                self._made[number] = int(job.asked[1].intent)
                self._rung(job.asked[1].rung).triggers.append(trigger)

    def _new_order(self, order):
        tag = order.ask.tag
        if order.ask.by:
            self._squared_off(order)
        elif order.ask.parent:
            self._owner(order.ask.parent).exits.append(order)
        elif tag:
            intent = self.departed.get(tag)
            if intent is None:
                self._broken(f"order {order.order_id} with tag {tag} has no intent")
            astray = self.world.network.job is not None and self.world.network.job.astray
            if tag in self._owners and not intent.terms.makes_several_orders and not astray:
                self._broken(f"two orders at the broker for {tag}")
            self._owners.setdefault(tag, order)
            self._mine(order, intent, astray=astray)
        elif not self._fired(order):
            if not self.by_hand:
                self._broken(f"order {order.order_id} is nobody's")
            self.manual.add(order.order_id)

    def _mine(self, order, intent, *, astray):
        position = self._rung(intent.rung)
        position.where = int(order.ask.listing.instrument.token), order.ask.product
        if intent.purpose is OrderPurpose.ENTRY:
            position.entries.append(order)
            asked = order.ask.listing.instrument.symbol, int(intent.whole)
            position.bare = position.bare or (intent.strategy == OPERATOR and asked in self.bare)
            if astray:
                self._astray[order] = self.world.loop.time()
            else:
                self._limits(order)
        else:
            position.exits.append(order)

    def _owner(self, order_id):
        """Return the rung whose entry an order is."""
        return next(
            p for p in self.rungs.values() if any(order.order_id == order_id for order in p.entries)
        )

    def _squared_off(self, order):
        """Take note of what the broker closes by itself.

        What is the desk's should be gone by then.
        """
        self.manual.add(order.order_id)
        where = int(order.ask.listing.instrument.token), order.ask.product
        process, fair = self.world.process, self.world.loop.time() - self.world.calm_since
        due = (
            self.world.storms == 0
            and fair >= SQUARED_OFF_WITHIN_S
            and process is not None
            and process.open
        )
        for number, position in self.rungs.items():
            if position.where == where and position.held:
                position.squared = True
                if due and process.kernel.state.ready:
                    self._broken(f"rung {number} is left to the broker to square off")

    def _fired(self, order):
        """Tell whether a GTT has sent an order, and whose it is."""
        for position in self.rungs.values():
            for trigger in position.triggers:
                if _sent_by(trigger, order):
                    position.exits.append(order)
                    position.forgot = position.forgot or trigger.trigger_id in position.lost
                    return True
        if any(_sent_by(self._triggers[number], order) for number in self.strange):
            self.manual.add(order.order_id)
            return True
        return False

    def _changed(self, job):
        """Judge an entry that has grown."""
        if (
            job is not None
            and job.asked is not None
            and job.asked[0] == "change"
            and job.asked[1].purpose is OrderPurpose.ENTRY
        ):
            order, wanted = self._owners.get(job.asked[1].tag), job.asked[1].pending
            if order is not None and order.is_live and wanted is not None and wanted.quantity:
                self._limits(order)

    def _limits(self, order):
        """Count what is held and what is coming against the operator's limits."""
        since = self._left[order.ask.tag] - DECIDED_WITHIN_S
        most = self.world.allowed("max_positions", since)
        most_exposure = self.world.allowed("max_exposure", since)
        decided, later = int(self.departed[order.ask.tag].intent), Counter()
        for intent, (_, quantity, purpose, number) in self._corrected.items():
            if purpose is OrderPurpose.ENTRY and intent > decided:  # taken on since
                later[number] += abs(quantity)
        busy, exposure = 0, 0.0
        for number, position in self.rungs.items():
            unknown = sum(
                _size(order) for order in position.entries if self._astray.get(order, 0.0) > since
            )
            amount = position.held + position.coming - unknown - later[number]
            if amount > 0:
                busy += 1
                exposure += amount * self.world.exchange.tokens[position.where[0]].ltp
        if most and busy > most:
            self._broken(f"{busy} positions with {order.ask.tag}, {most:g} allowed")
        if most_exposure and exposure > most_exposure * 1.02:
            self._broken(
                f"exposure {exposure:.0f} with {order.ask.tag}, {most_exposure:.0f} allowed"
            )

    def _stops(self, position, by_hand):
        """Stops only ever move in their position's favour: up for a long one, down for a short one.

        Somebody at the desk may put one elsewhere, `by_hand`: exactly there.

        Where the price is beyond the stop and the exit was refused, a new stop can only stand
        beyond the price.
        """
        if self.forgotten and not position.held:
            # sold by a stop that a full disk and a crash together have made the desk forget:
            # nothing is lowered
            return
        sign, job = position.sign, self.world.network.job
        for name, stop in position.stops():
            if position.stood.get(name) == stop:
                continue
            position.stood[name] = stop
            if stop in by_hand:
                position.stop = stop
            if job is not None and job.astray:
                position.stop = (
                    stop  # an old change has come late: what the desk asked for is undone
                )
            # somebody has moved it; one that is nearer to the price the desk may never have seen
            if self.by_hand:
                position.stop = min(position.stop, stop) if sign > 0 else max(position.stop, stop)
                continue
            if self.forgotten:
                position.stop = stop  # a crash on a full disk may have lost where it stood
            process = self.world.process
            if process is not None and process.alive and process.journal.excused:
                position.ahead = self.world.disk.commits
            if position.stop and sign * (stop - position.stop) < -1e-9:
                last = self.world.exchange.tokens[position.where[0]].ltp
                if sign * (last - position.stop) > NEAR.least(last) + SLACK:
                    self._broken(f"{name} moves its stop from {position.stop} to {stop}")
                position.stop = stop
            position.stop = (
                max(position.stop, stop) if sign > 0 else min(position.stop or stop, stop)
            )

    # the desk

    def step(self):
        """Judge the desk after a turn of the loop."""
        process = self.world.process
        if process is None or not process.open:
            self._latched_at = None
            return
        kernel = process.kernel
        if self._applied != (kernel, len(kernel.order_reports.applied)):
            self._applied = (kernel, len(kernel.order_reports.applied))
            self._corrections(kernel)
            self._ledger(kernel)
            self._sums(kernel)
        self._halting(process, kernel)
        self._protection(process, kernel)

    def divide(self, token, ratio):
        """Take note that shares have been divided over night; the desk has to find out."""
        self.ratios[token] = self.ratios.get(token, 1) * ratio

    def hear_divisions(self, patch):
        """Have every division that the desk takes in judged."""
        take_in = Reconciler.record_division

        def divided(reconciler, division, symbol):
            self.divides(division.token, division.ratio)
            return take_in(reconciler, division, symbol)

        patch.setattr(Reconciler, "record_division", divided)

    def divides(self, token, ratio):
        """Judge by which ratio the desk divides what it holds, and follow it."""
        with self._noting():
            if ratio != self.ratios.pop(token, 1):
                self._broken(f"the desk divides {token} by {ratio}")
        before, added = 0, {}
        for number in sorted(
            n for n, p in self.rungs.items() if p.where == (token, "CNC") and isinstance(n, int)
        ):
            position = self.rungs[number]
            if position.held > 0 and not position.entries:
                after = floor((before + position.held) * ratio) - floor(before * ratio)
                before += position.held
                added[number] = after - position.held
                position.stop = 0.0
        self._add(token, added, 1)
        self._taken.append((token, ratio, added))

    def _add(self, token, added, sign):
        for number, shares in added.items():
            self.base[token] = self.base.get(token, 0) + sign * shares
            self.added[number] = self.added.get(number, 0) + sign * shares
            self.rungs[number].given += sign * shares

    def _lose_divisions(self):
        """Take back what was divided, and never reached the disk: it will be found again."""
        kept = {
            str(row["key"]).split(":")[1]
            for row in self.world.disk.rows("meta", "key LIKE 'division:%'")
        }
        for token, ratio, added in self._taken:
            if str(token) not in kept:
                self._add(token, added, -1)
                self.divide(token, ratio)
        self._taken = [each for each in self._taken if str(each[0]) in kept]

    def renumber(self, old, new):
        """Follow a share to another token."""
        for position in self.rungs.values():
            if position.where and position.where[0] == old:
                position.where = new, position.where[1]
        for kept in (self.base, self.ratios):
            if old in kept:
                kept[new] = kept.pop(old)

    def _doubted(self, position):
        """Return whether a rung stands still until it is decided whether its share was divided."""
        process = self.world.process
        doubts = (
            process.desk._loop.reconciler.doubts() if process is not None and process.open else {}
        )
        return position.where is not None and position.where[0] in doubts

    def _ledger(self, kernel):
        """Every fill of ours is a trade of the exchange's; with corrections they are the ledger."""
        applied = {
            key for key in kernel.order_reports.applied if not key.startswith(CORRECTION)
        } - self.past
        sums = dict(self.base)
        for trade in self.world.exchange.orders.trades:
            key = f"{trade.order.order_id} {trade.trade_id}"
            if key in applied:
                applied.discard(key)
                ask = trade.order.ask
                token = int(ask.listing.instrument.token)
                sums[token] = sums.get(token, 0) + ask.side * trade.quantity
        if applied:
            self._broken(f"fills nobody made: {applied}")
        for token, quantity, purpose, rung in self._corrected.values():
            del purpose, rung
            sums[token] = sums.get(token, 0) + quantity
        for token, quantity in sums.items():
            position = kernel.ledger.account(token)
            if (0 if position is None else int(position.quantity)) != quantity:
                self._broken(
                    f"ledger of {token}: {position and int(position.quantity)}, its fills make "
                    f"{quantity}"
                )

    def _sums(self, kernel):
        """The account is the sum of its strategies, and each of them that of its rungs."""
        ledger, positions = kernel.ledger, kernel.ledger.positions()
        for figure, found in (
            ("realised", ledger.realised),
            ("marked", ledger.unrealised),
            ("charges", ledger.charges),
        ):
            summed = sum(getattr(each, figure) for each in positions)
            if found != summed:
                self._broken(f"{figure} of the account: {found}, its positions make {summed}")
        held = Counter()
        for ladder in kernel.state.owners.values():
            for rung in ladder.rungs:
                held[ladder.strategy, int(ladder.instrument.token)] += ladder.sign * rung.quantity
                if not 0 <= rung.absent <= max(rung.quantity, 0):
                    self._broken(f"{rung.absent} of {rung.quantity} shares lack")
        by_token = Counter()
        for each in positions:
            by_token[int(each.token)] += each.quantity
            if each.quantity != held.pop((each.strategy, int(each.token)), 0):
                self._broken(
                    f"{each.strategy} holds {each.quantity} of {each.token}, not its rungs'"
                )
        if any(held.values()):
            self._broken(f"shares of rungs in no position: {held}")
        for account in ledger.account_positions():
            if account.quantity != by_token[int(account.token)]:
                self._broken(f"account of {account.token}: {account.quantity}")

    def _corrections(self, kernel):
        """Follow what the operator has had taken on or written off today.

        No order at the broker stands for it.
        """
        made = [o for o in kernel.order_store.orders.values() if o.order_id.startswith(CORRECTION)]
        today = self.world.exchange.today
        found = {
            int(o.intent): (int(o.token), int(o.side) * int(o.quantity), o.purpose, int(o.rung))
            for o in made
            if o.created >= today
        }
        for intent, (token, quantity, purpose, number) in found.items():
            if intent not in self._corrected:
                position = self._rung(number)
                if purpose is OrderPurpose.ENTRY:
                    position.side = 1 if quantity > 0 else -1
                    product = kernel.state.owners[
                        kernel.state.rungs[number].ladder_id
                    ].plan.product.name
                    position.where = token, product
                position.given += position.sign * quantity
                self._take_trigger(kernel.state.rungs[number], position)
        self._corrected = found

    def _take_trigger(self, rung, position):
        gtt = rung.gtt
        if gtt is not None and int(gtt.gtt_id) in self.strange:
            self.strange.discard(int(gtt.gtt_id))
            position.triggers.append(self._triggers[int(gtt.gtt_id)])

    def _halting(self, process, kernel):
        now = self.world.loop.time()
        if not process.kill.latched or process.desk._stopping:
            self._latched_at = None
        elif self._latched_at is None:
            self._latched_at = now
        if self._latched_at is not None and not kernel.state.halted:
            self.worst_halt = max(self.worst_halt, now - self._latched_at)
            if now - self._latched_at > HALTED_WITHIN_S:
                self._broken("latched, and the kernel goes on")

    def _protection(self, process, kernel):
        now = self.world.loop.time()
        for number, position in self._bare.items():
            if self._doubted(position):
                continue  # it is told, and stands still
            takes = self._takes_its_stop(position)
            if not takes:
                position.shut_until = now
            fair = now - max(position.bare_since, position.shut_until, self.world.calm_since)
            if self.world.storms == 0 and not process.desk._stopping and takes:
                self.worst_bare = max(self.worst_bare, fair)
                if fair > self._bound():
                    self._broken(
                        f"rung {number} holds {position.held}, {position.is_covered} of it "
                        f"protected, for {fair:.1f} s"
                    )
            elif now - position.bare_since > TOLD_WITHIN_S and not self._told(process, kernel):
                self._broken(f"rung {number} is unprotected, and nobody has been told")

    def _takes_its_stop(self, position):
        """Tell whether the exchange takes now what would protect it.

        An order while trading goes on, a GTT not beside the price.

        Shares whose price was at their stop or target before the opening leave at the opening.
        """
        token, product = position.where
        listing = self.world.exchange.tokens[token]
        near = NEAR.least(listing.ltp) + SLACK
        beside = position.stop > 0.0 and position.sign * (listing.ltp - position.stop) <= near
        beside = beside or any(abs(listing.ltp - price) <= near for price in position.waiting)
        position.pinned = listing.phase != CONTINUOUS and (position.pinned or beside)
        return listing.phase == CONTINUOUS or (product not in {"MIS", "CO"} and not position.pinned)

    def _bound(self):
        exchange = self.world.exchange
        return (
            SHUT_WITHIN_S
            if exchange.is_over or exchange.now < exchange.market.opens
            else PROTECTED_WITHIN_S
        )

    @staticmethod
    def _told(process, kernel):
        loop = process.desk._loop
        unknown = (
            process.desk.gateway.unresolved or loop.reconciler.unreadable or "broker" in loop.holds
        )
        return kernel.view.naked() > 0 or process.kill.latched or bool(unknown)

    # at the end of a day that had time to settle

    def final(self):
        """Judge the desk at rest: equal books on both sides, everything protected exactly once."""
        process = self.world.process
        if process is None or not process.open:
            self._broken("the desk does not run after the weather has cleared")
        kernel = process.kernel
        if process.desk._loop.differences:
            self._broken(f"the operator still has to decide: {process.desk._loop.differences}")
        missing = {
            f"{trade.order.order_id} {trade.trade_id}"
            for trade in self.world.exchange.orders.trades
            if trade.order.order_id not in self.manual and not self._left_alone(process, trade)
        } - set(kernel.order_reports.applied)
        if missing:
            self._broken(f"trades that the desk has not booked: {missing}")
        self._ledger(kernel)
        if process.desk.gateway.unresolved:
            self._broken(f"still unknown: {list(process.desk.gateway.unresolved)}")
        level = process.kill.latch.level if process.kill.latch else ""
        for number, position in self.rungs.items():
            self._final_rung(number, position, level)
        self._portfolio(process, kernel)

    def _left_alone(self, process, trade):
        """Return whether the desk forgot the order, and the operator ignores the difference."""
        ask, reconciler = trade.order.ask, process.desk._loop.reconciler
        where = int(ask.listing.instrument.token), ask.product
        if any(
            position.forgot and trade.order in position.exits for position in self.rungs.values()
        ):
            return True
        return bool(self.forgotten) and any(
            (each.token, each.product) == where and reconciler.is_ignored(each)
            for each, _ in reconciler.standing.values()
        )

    def _ignored(self, position):
        """Return whether the operator ignores that the account differs where a rung stands."""
        reconciler = self.world.process.desk._loop.reconciler
        return any(
            (each.token, each.product) == position.where and reconciler.is_ignored(each)
            for each, _ in reconciler.standing.values()
        )

    def _portfolio(self, process, kernel):
        """The account holds what our rungs hold, and the differences the operator ignores."""
        theirs, ours = {}, {}
        portfolio = self.world.exchange.portfolio
        for where, position in portfolio.positions.items():
            theirs[where] = theirs.get(where, 0) + position.quantity
        for token, holding in portfolio.holdings.items():
            theirs[token, "CNC"] = theirs.get((token, "CNC"), 0) + holding.total
        for ladder in kernel.state.ladders.values():
            product = "CO" if ladder.plan.cover else ladder.plan.product.name
            where = int(ladder.instrument.token), product
            ours[where] = ours.get(where, 0) + sum(
                int(ladder.sign * rung.quantity) for rung in ladder.rungs
            )
        reconciler = process.desk._loop.reconciler
        for each, _ in reconciler.standing.values():
            if each.product and reconciler.is_ignored(each):
                beside = (
                    each.figure + each.apart if each.kind is DifferenceKind.AWAITED else each.amount
                )
                ours[each.token, each.product] = ours.get((each.token, each.product), 0) + beside
        for where in theirs.keys() | ours.keys():
            if theirs.get(where, 0) != ours.get(where, 0):
                self._broken(
                    f"{where}: the account holds {theirs.get(where, 0)}, the desk knows of "
                    f"{ours.get(where, 0)}"
                )

    def over_night(self, exchange):
        """Go on with the exchange of the next day.

        What is held is carried, and what was traded is past.

        What traded on a day on which no desk came back is in no book of the next one: there the
        desk's own word counts, and the account differs from it.
        """
        process, booked = self.world.process, {}
        if process is None or not process.alive:
            for row in self.world.disk.rows("fills"):
                signed = row["quantity"] if row["side"] == "BUY" else -row["quantity"]
                booked[row["rung"]] = booked.get(row["rung"], 0) + signed
        self.past |= {f"{t.order.order_id} {t.trade_id}" for t in self.world.exchange.orders.trades}
        self.base = {}
        for number, position in self.rungs.items():
            position.carry(exchange.gtts.triggers)
            if process is None or not process.alive:
                position.given = position.sign * booked.get(number, 0) + self.added.get(number, 0)
            if position.given:
                token = position.where[0]
                self.base[token] = self.base.get(token, 0) + position.sign * position.given
        self.rungs = {number: position for number, position in self.rungs.items() if position.given}
        carried = {position.where for position in self.rungs.values() if position.given > 0}
        self.ratios = {
            token: ratio for token, ratio in self.ratios.items() if (token, "CNC") in carried
        }
        self._triggers = dict(exchange.gtts.triggers)
        self.strange &= self._triggers.keys()
        self._orders, self._owners, self._corrected, self._bare = {}, {}, {}, {}
        self._taken = []
        self._applied = (None, 0)
        self.shares.over_night()

    def closed(self):
        """Judge the end of a session.

        Nothing intraday is left, and no order of the day works any more.
        """
        for (token, product), position in self.world.exchange.portfolio.positions.items():
            if product in {"MIS", "CO"} and position.quantity:
                self._broken(f"{position.quantity} of {token} are left intraday")
        ours = [
            order for order in self.world.process.kernel.order_store.orders.values() if order.live
        ]
        if ours:
            self._broken(f"orders still work after the close: {[order.order_id for order in ours]}")

    def died(self):
        """Take note of what a dead process never had on disk, because it was full."""
        lost = self.unwritten - self.world.disk.intents().keys()
        self.forgotten |= lost
        known = {order.ask.tag for order in self.world.exchange.orders.orders.values()}
        for key, what in self.departed.items():
            if int(what.intent) in lost and key not in known:
                self._free.add(key)
        for position in self.rungs.values():
            tags = {order.ask.tag for order in position.exits} & self.departed.keys()
            position.lost |= {
                t.trigger_id
                for t in position.triggers
                if self._made.get(t.trigger_id) in self.forgotten
            }
            position.forgot = position.forgot or any(
                int(self.departed[tag].intent) in lost for tag in tags
            )
            # the commit under way may have begun before
            if position.ahead >= self.world.disk.commits - 1:
                position.stop, position.ahead = 0.0, -2
            fired = [t for t in position.triggers if t.trigger_id in position.lost]
            position.forgot = position.forgot or any(
                _sent_by(t, order) for t in fired for order in position.exits
            )
        self._lose_corrections()
        self._lose_divisions()

    def _lose_corrections(self):
        """Take back what was taken on or written off, and never reached the disk.

        The difference will stand again.
        """
        kept = self.world.disk.intents().keys()
        for intent in self._corrected.keys() - kept:
            _, quantity, _, number = self._corrected.pop(intent)
            position = self.rungs[number]
            position.given -= position.sign * quantity
            if not (position.given or position.entries):
                self.strange |= {t.trigger_id for t in position.triggers}
                del self.rungs[number]
                self._bare.pop(number, None)
                if position.exits:  # the desk may use its number again
                    self.rungs[f"{number}, forgotten with {intent}"] = position

    def _blocked(self, position):
        """Return whether another's order offers a rung's shares: the exchange takes no second."""
        return any(
            order.order_id in self.manual
            and (int(order.ask.listing.instrument.token), order.ask.product) == position.where
            for order in self.world.exchange.orders.live_orders()
        )

    def _final_rung(self, number, position, level):
        held = position.held
        if position.bare or position.squared or (held < 0 and position.forgot):
            return
        lacks = held > 0 and position.where[1] == "CNC" and self._there(position) < held
        short = held > position.covered or (
            position.offered > held and not any(o.pending for o in position.exits)
        )
        if self._amiss(position) if lacks else short:
            self._broken(
                f"rung {number} holds {held}, {position.covered} of it protected at the end"
            )
        if level and any(order.is_live for order in position.entries):
            self._broken(f"rung {number} still enters although the desk is halted")
        over = self.world.exchange.now >= self.world.exchange.closes or self._blocked(position)
        if level == FLATTEN and held and not lacks and not over and not self._ignored(position):
            self._broken(f"rung {number} still holds {held} although the desk was flattened")


def _size(order):
    legs = order.ask.iceberg.remaining if order.is_live and order.ask.iceberg else 0
    return order.filled + order.pending + legs


def _sent_by(trigger, order):
    return any(
        leg is not None and leg["order_result"]["order_id"] == order.order_id
        for leg in trigger.results
    )
