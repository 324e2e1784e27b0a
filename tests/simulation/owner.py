"""Days on which the owner acts beside the desk, in the broker's app.

On what is his, on what is the desk's, at any moment.

He begins with ten shares of each name, which are ignored. He buys and sells, closes what the app
shows, converts products, changes and deletes orders and GTTs, the desk's and his own. `Owner` keeps
an account of what is his: what was his, what he has bought since, less what he has sold of it; what
is decided at the desk is so. After every trade of the desk's the account must hold that, unless he
has acted on the very share within the moments that the desk needs to see it. Whoever sits at the
desk knows what the owner has done.
"""

import json
import random
import re

from brokers.sandbox.account.portfolio import ShareHolding, isin
from tests.simulation.checks import Broken
from tests.simulation.day import limits_of, live, lived, weathered
from tests.simulation.hand import Operator
from tests.simulation.weather import Weather

__all__ = ["beside", "build", "live"]

OWNERS = 10
"""Shares of each name that are the owner's when it begins."""
SEEN_WITHIN_S = 5.0
"""Seconds after an order of the owner's in which a stop may still sell his shares."""
CONVERTED_WITHIN_S = 25.0
"""The same of a conversion, of which no order tells.

The books are compared every 20 seconds here.
"""
DEEDS = (
    *("buys",) * 2,
    *("sells",) * 3,
    *("closes",) * 6,
    *("sells_ours",) * 4,
    *("intraday",) * 2,
    "converts",
    "rests",
    "guards",
    *("changes",) * 3,
    *("cancels",) * 3,
    *("edits",) * 5,
    *("deletes",) * 4,
)
PLACE = "/orders/regular"


def give(portfolio, listing, shares):
    """Let the account have shares from earlier days."""
    held = ShareHolding(listing, shares, listing.instrument.close)
    portfolio.holdings[int(listing.instrument.token)] = portfolio._by_isin[isin(listing)] = held


class Owner:
    """The account's owner with the broker's app, and what is his."""

    def __init__(self, world, rng):
        self._world = world
        self._rng = rng
        self.his = {}
        """Shares that are his, by token and product."""
        self.acted = {}
        """Until when the desk may not have seen what he did, by token and product."""
        self.deeds = 0
        self.races = 0
        """Trades of the desk's within those moments that sold what was not there."""
        self.owed = {}
        """Shares he has taken of the desk's, signed as his orders, and not yet written off."""
        self._ours = set()
        """Orders of his that sell what is the desk's."""
        self._read = len(world.exchange.orders.trades)
        portfolio = world.exchange.portfolio
        for listing in world.exchange.market.listings:
            token = int(listing.instrument.token)
            give(portfolio, listing, OWNERS)
            self.his[token, "CNC"] = OWNERS
        world.attendants.append(self._follow)

    # what there is

    def there(self, at):
        """Return what the account holds of a token and product."""
        return self._world.checks.shares.account(at)

    def _follow(self):
        """Take in new trades: his own change what is his, the desk's must leave it."""
        trades = self._world.exchange.orders.trades
        for trade in trades[self._read :]:
            ask = trade.order.ask
            at, order_id = (int(ask.listing.instrument.token), ask.product), trade.order.order_id
            if order_id in self._world.checks.manual:
                self._acts(at, SEEN_WITHIN_S)
                self._trades(at, ask.side, trade.quantity, ours=order_id in self._ours)
            elif any(trade.order in p.exits for p in self._world.checks.rungs.values()):
                self._keeps(at, ask.side)
        self._read = len(trades)
        process, shares = self._world.process, self._world.checks.shares
        if process is not None and process.open:
            for at, his in self.his.items():
                apart = shares.apart(at)
                if (his != apart or self.owed.get(at, 0)) and shares.agree(at):
                    self._settled(at, apart)

    def _trades(self, at, side, quantity, *, ours):
        """Book what he has done."""
        his, own = self.his.get(at, 0), 0 if ours else quantity
        if side < 0 and at[1] == "CNC":
            own = min(own, max(his, 0))
        self.his[at] = his + side * own
        self.owed[at] = self.owed.get(at, 0) + side * (quantity - own)

    def _settled(self, at, his):
        """Take note that it is settled what is his."""
        self.his[at], self.owed[at] = his, 0
        self._world.checks.shares.settled(at)

    def decided(self, at, apart, told, side):
        """Take note of what was decided at the desk.

        What it has taken on, or, unless he has just acted, that so many are his.

        Where it has written off fewer than he has taken, or others, what is there beside the desk's
        is his; `side` is that of the desk's shares.
        """
        his = self.his.get(at, 0) + self.owed.get(at, 0)
        if gone := re.match(r"done: (\d+) \S+ written off", told):
            self._settled(at, his + side * int(gone[1]))
        elif taken := re.match(r"done: (?:leaving )?(-?\d+) \S+ (?:to |at the market)", told):
            self._settled(at, his - int(taken[1]))
        elif self._world.checks.shares.agree(at) or self._world.loop.seconds > self.acted.get(
            at, 0.0
        ):
            self._settled(at, apart)

    def _acts(self, at, seconds):
        self.acted[at] = max(self.acted.get(at, 0.0), self._world.loop.seconds + seconds)

    def _keeps(self, at, side):
        """Raise `Broken` where an exit of the desk's took the owner's shares, or sold short."""
        world, process = self._world, self._world.process
        over = self.his.get(at, 0) - self.there(at)
        if side < 0 and over <= world.checks.shares.desks(at, -1):
            return
        if side > 0 and -over <= world.checks.shares.desks(at, 1):
            return
        unknown = process is None or not process.open or process.desk.gateway.unresolved
        calm = world.storms == 0 and world.loop.seconds > world.calm_since + SEEN_WITHIN_S
        if calm and not unknown and world.loop.seconds > self.acted.get(at, 0.0):
            raise Broken(
                world,
                f"the owner has {self.his.get(at, 0)} of {at}, the account holds {self.there(at)}",
            )
        self.races += 1
        # it is done: from now on nothing more
        self.his[at], self.owed[at] = self.there(at) + side * world.checks.shares.desks(at, side), 0

    # what he does

    def act(self):
        """Do something in the app."""
        self.deeds += 1
        getattr(self, f"_{self._rng.choice(DEEDS)}")()

    def _listing(self):
        return self._rng.choice(self._world.exchange.market.listings)

    def _order(self, listing, side, quantity, product="CNC", *, ours=False, price=0.0):
        """Place an order; one that is `ours` sells, or buys back, what is the desk's."""
        world = self._world
        before = len(world.exchange.orders.orders)
        kind = {"order_type": "MARKET", "market_protection": "-1"}
        if price:
            kind = {"order_type": "LIMIT", "price": str(price)}
        trades = self._read
        done = world.outside(
            "POST",
            PLACE,
            {
                "exchange": "NSE",
                "tradingsymbol": listing.instrument.symbol,
                "transaction_type": side,
                "quantity": str(quantity),
                "product": product,
                "validity": "DAY",
                **kind,
            },
        )
        assert trades == self._read
        if done and ours:
            self._ours |= {o.order_id for o in list(world.exchange.orders.orders.values())[before:]}

    def _buys(self):
        self._order(self._listing(), "BUY", self._rng.randrange(1, 20))

    def _sells(self):
        """Sell of his own."""
        listing = self._listing()
        if (his := self.his.get((int(listing.instrument.token), "CNC"), 0)) > 0:
            self._order(listing, "SELL", self._rng.randrange(1, his + 1))

    def _sells_ours(self):
        """Sell what the desk holds for delivery, some or all of it."""
        listing = self._listing()
        at = int(listing.instrument.token), "CNC"
        if (ours := self.there(at) - max(self.his.get(at, 0), 0)) > 0:
            self._order(
                listing,
                "SELL",
                self._rng.choice((ours, self._rng.randrange(1, ours + 1))),
                ours=True,
            )

    def _closes(self):
        """Close an intraday position, or some of it, whoever has opened it."""
        portfolio, rng = self._world.exchange.portfolio, self._rng
        held = [
            p for (_, product), p in portfolio.positions.items() if product == "MIS" and p.quantity
        ]
        if held:
            position = rng.choice(held)
            at = int(position.listing.instrument.token), "MIS"
            size = abs(position.quantity)
            side = "SELL" if position.quantity > 0 else "BUY"
            ours = self.there(at) - self.his.get(at, 0)
            self._order(
                position.listing,
                side,
                rng.choice((size, size, rng.randrange(1, size + 1))),
                "MIS",
                ours=ours != 0,
            )

    def _intraday(self):
        self._order(
            self._listing(), self._rng.choice(("BUY", "SELL")), self._rng.randrange(1, 20), "MIS"
        )

    def _converts(self):
        """Make an intraday position one of delivery, or the reverse."""
        portfolio, rng, world = self._world.exchange.portfolio, self._rng, self._world
        held = [
            p
            for (_, product), p in portfolio.positions.items()
            if product in {"MIS", "CNC"} and p.quantity > 0
        ]
        if not held:
            return
        position = rng.choice(held)
        old = position.product
        new = "CNC" if old == "MIS" else "MIS"
        token, quantity = (
            int(position.listing.instrument.token),
            rng.randrange(1, position.quantity + 1),
        )
        own = min(quantity, max(self.his.get((token, old), 0), 0))
        done = world.outside(
            "PUT",
            "/portfolio/positions",
            {
                "exchange": "NSE",
                "tradingsymbol": position.listing.instrument.symbol,
                "transaction_type": "BUY",
                "position_type": "day",
                "quantity": str(quantity),
                "old_product": old,
                "new_product": new,
            },
        )
        if done:
            self.his[token, old] = self.his.get((token, old), 0) - own
            self.owed[token, old] = self.owed.get((token, old), 0) - (quantity - own)
            self.his[token, new] = self.his.get((token, new), 0) + quantity
            self._acts((token, old), CONVERTED_WITHIN_S)
            self._acts((token, new), CONVERTED_WITHIN_S)

    def _rests(self):
        """Leave an order of his own to wait."""
        listing, side = self._listing(), self._rng.choice(("BUY", "SELL"))
        away = 1.0 - (0.004 if side == "BUY" else -0.004) * self._rng.random()
        price = listing.instrument.snap(listing.ltp * away)
        his = self.his.get((int(listing.instrument.token), "CNC"), 0)
        if side == "BUY" or his > 0:
            quantity = self._rng.randrange(1, 20 if side == "BUY" else his + 1)
            self._order(listing, side, quantity, price=price)

    def _guards(self):
        """Place a GTT of his own, to buy or to sell of his own."""
        listing, side = self._listing(), self._rng.choice(("BUY", "SELL"))
        his = self.his.get((int(listing.instrument.token), "CNC"), 0)
        if side == "BUY" or his > 0:
            quantity = self._rng.randrange(1, 20 if side == "BUY" else his + 1)
            trigger = listing.instrument.snap(listing.ltp * self._rng.uniform(0.97, 0.996))
            self._trigger(
                "POST", "/gtt/triggers", listing, [(trigger, trigger * 0.995, side, quantity)]
            )

    def _trigger(self, method, path, listing, legs):
        instrument = listing.instrument
        named = {"exchange": "NSE", "tradingsymbol": instrument.symbol}
        orders = [
            {
                **named,
                "transaction_type": side,
                "quantity": quantity,
                "order_type": "LIMIT",
                "product": "CNC",
                "price": instrument.snap(price),
            }
            for _, price, side, quantity in legs
        ]
        condition = {**named, "trigger_values": [leg[0] for leg in legs], "last_price": listing.ltp}
        kind = "single" if len(legs) == 1 else "two-leg"
        return self._world.outside(
            method,
            path,
            {"type": kind, "condition": json.dumps(condition), "orders": json.dumps(orders)},
        )

    def _live(self):
        return [o for o in self._world.exchange.orders.live_orders() if o.ask.variety == "regular"]

    def _touch(self, order):
        """Know that he had his hand on an order: what it does next is seen a moment later."""
        self._acts((int(order.ask.listing.instrument.token), order.ask.product), SEEN_WITHIN_S)
        for position in self._world.checks.rungs.values():
            if order in position.exits or order in position.entries:
                position.meddled = True

    def _cancels(self):
        if live := self._live():
            order = self._rng.choice(live)
            self._world.outside("DELETE", f"{PLACE}/{order.order_id}", {})

    def _changes(self):
        """Change price, trigger or quantity of an order that works."""
        if not (live := self._live()):
            return
        rng = self._rng
        order = rng.choice(live)
        ask, snap = order.ask, order.ask.listing.instrument.snap
        form = {"order_type": ask.order_type, "quantity": str(ask.quantity), "validity": "DAY"}
        if ask.price:
            form["price"] = str(snap(ask.price * rng.uniform(0.997, 1.003)))
        if ask.trigger:
            form["trigger_price"] = str(snap(ask.trigger * rng.uniform(0.99, 1.006)))
        if rng.random() < 0.4:
            form["quantity"] = str(max(order.filled + 1, ask.quantity + rng.randrange(-10, 6)))
        self._touch(order)
        self._world.outside("PUT", f"{PLACE}/{order.order_id}", form)

    def _active(self):
        return [t for t in self._world.exchange.gtts.triggers.values() if t.status == "active"]

    def _edits(self):
        """Change triggers, limits or quantity of a GTT."""
        if not (active := self._active()):
            return
        rng, trigger = self._rng, self._rng.choice(active)
        listing = self._world.exchange.tokens[int(trigger.legs[0].listing.instrument.token)]
        more = rng.choice((0, 0, 0, -3, -8, 4))
        legs = []
        for value, leg in zip(trigger.condition.triggers, trigger.legs, strict=True):
            moved = listing.instrument.snap(value * rng.uniform(0.99, 1.008))
            side = "BUY" if leg.side > 0 else "SELL"
            legs.append(
                (
                    moved,
                    moved * (1.0 + leg.side * rng.choice((0.0, 0.001, 0.005))),
                    side,
                    max(1, leg.quantity + more),
                )
            )
        for position in self._world.checks.rungs.values():
            if trigger in position.triggers:
                position.meddled = True
                self._acts(position.where, SEEN_WITHIN_S)
        self._trigger("PUT", f"/gtt/triggers/{trigger.trigger_id}", listing, legs)

    def _deletes(self):
        if active := self._active():
            self._world.outside(
                "DELETE", f"/gtt/triggers/{self._rng.choice(active).trigger_id}", {}
            )


class Knowing(Operator):
    """Sits at the desk, and knows what the owner has done."""

    def __init__(self, world, rng, owner):
        super().__init__(world, rng)
        self._owner = owner

    def decide(self):
        """Settle one difference as it really is."""
        desk, rng = self._desk(), self._rng
        rows = (
            [row for row in desk.board.differences.rows[:] if not row.ignored and row.choices]
            if desk
            else ()
        )
        if not rows:
            return
        row = rng.choice(rows)
        if row.kind not in {"unmanaged", "missing", "quantity"}:
            choice = row.choices[0]
            if row.kind == "gtt" and "ignore" in row.choices:
                his = int(row.key.partition(":")[2]) in self._world.checks.strange
                choice = "ignore" if his and rng.random() < 0.8 else "flatten"
            self.reconcile(f"{row.key} {choice}")
            return
        listing = self._world.exchange.listings["NSE:" + row.symbol]
        at = int(listing.instrument.token), row.key.rpartition(":")[2]
        choice = self._choice(row, at, self._held(desk, at))
        words = f"{row.key} {choice}" + (" whim" if choice == "assign" else "")
        stands = desk._loop.reconciler.standing.get(row.key)
        side = -1 if stands is not None and stands.difference.amount > 0 else 1
        self.reconcile(words, lambda told: self._told(at, row.key, desk, told, side))

    def _held(self, desk, at):
        """Return the shares that the desk believes it holds."""
        return sum(
            int(ladder.sign * rung.quantity)
            for ladder in desk.kernel.state.ladders.values()
            if (int(ladder.instrument.token), ladder.plan.product.name) == at
            for rung in ladder.rungs
        )

    def _choice(self, row, at, held):
        """Return what to do about shares.

        What is the owner's is ignored, what is missing of ours written off.
        """
        able = [choice for choice in row.choices if choice != "ignore"]
        if "ignore" not in row.choices:
            return self._rng.choice(able)
        if "flatten" in row.choices or not able:
            return self._rng.choice(["ignore", "ignore", *able])
        owner = self._owner
        ours = owner.there(at) - owner.his.get(at, 0)
        return "ignore" if ours == held else "adopt"

    def _told(self, at, key, desk, told, side):
        if told.startswith("done"):
            self._owner.decided(at, desk._loop.reconciler._ignored.get(key, 0), told, side)


class Beside(Weather):
    """The usual weather, fewer storms of it, and an owner who does something every few seconds."""

    counts = (0, 0, 1, 2, 4)

    def __init__(self, world, until):
        super().__init__(world, until)
        rng = random.Random(f"{world.seed}:owner")
        self.owner = Owner(world, rng)
        self.operator = Knowing(world, rng, self.owner)
        self._at(3.0, self._ignore_his)
        for _ in range(rng.choice((3, 6, 10, 16))):
            self._at(rng.uniform(6.0, until), self._owner)

    def _ignore_his(self):
        """Say once at the start what is the owner's."""
        desk = self._desk()
        if desk is None or not desk.board.differences.rows:
            if self._world.loop.seconds < 30.0:
                self._world.loop.call_later(1.0, self._ignore_his)
            return
        self.operator.reconcile("all ignore")

    def _owner(self, _rng=None):
        self.owner.act()
        for _ in range(3):
            self._world.loop.call_later(self._rng.uniform(4.0, 25.0), self.operator.decide)

    def _outsider(self, _rng):
        self._owner()


def build(seed):
    """Return a day with the owner beside the desk, and the second its calm is to end."""
    rng = random.Random(f"{seed}:beside")
    return weathered(seed, rng, rng.uniform(40.0, 90.0), limits_of(rng), Beside)


def beside(seed):
    """Run the day of a seed to its end and return its figures."""
    return lived(*build(seed), live)
