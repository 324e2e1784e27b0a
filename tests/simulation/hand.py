"""People on a simulated day.

The operator at his own desk, and somebody else on the same account.
"""

import json

from compiled.model.values import OrderPurpose
from engine.operator_requests import (
    CancelRequest,
    ExitRequest,
    LimitRequest,
    request_act,
)
from tests import asking
from tests.asking import asked, decision

IGNORES = 0.15
"""How often the operator ignores a difference he could settle."""
DECIDES_S = 2.0
DEEDS = ("trade", "trade", "sell", "intraday", "rest", "trigger", "meddle", "delete")
KINDS = ("market", "limit", "limit", "trigger", "iceberg", "cover", "amo", "sliced")


class Operator:
    """Orders by hand of every kind, changes, limits, and decisions about differences."""

    def __init__(self, world, rng):
        self._world = world
        self._rng = rng
        self._asked = {}
        world.attendants.append(self._listen)

    def _desk(self):
        process = self._world.process
        return process.desk if process is not None and process.open else None

    def _ask(self, request, then=lambda told: None):
        desk = self._desk()
        if desk is not None:
            self._world.note(f"operator: {request}")
            self._asked[desk.submit(request)] = desk, request_act(request), then

    def reconcile(self, words, then=lambda told: None):
        """Decide a difference, as `tests.asking.decision` reads it."""
        self._ask(decision(words), then)

    def _listen(self):
        for number, (desk, act, then) in list(self._asked.items()):
            if desk is not self._desk():
                del self._asked[number]
            elif told := asking.answer_of(desk, number):
                del self._asked[number]
                self._world.note(f"desk, asked for {act}: {told}")
                then(told)

    # orders

    def order(self, kind=""):
        """Place an order by hand, of a kind or of any."""
        rng, market = self._rng, self._world.exchange.market
        listing = rng.choice(market.listings)
        last = listing.ltp
        product = rng.choice(("CNC", "CNC", "MIS"))
        side = rng.choice(("BUY", "SELL")) if product == "MIS" else "BUY"
        bare = rng.random() < 0.1
        ticket = {
            "symbol": listing.instrument.symbol,
            "side": side,
            "quantity": rng.randrange(1, 60),
            "product": product,
            "stop": 0.0 if bare else round(rng.uniform(0.4, 2.0), 2),
            "trail": rng.random() < 0.5,
            "target": 0.0 if bare else rng.choice((0.0, 0.0, round(rng.uniform(0.5, 2.0), 2))),
        }
        kind = kind or rng.choice(KINDS)
        ticket |= getattr(self, f"_{kind}")(listing.instrument, last, 1 if side == "BUY" else -1)
        if not ticket["stop"]:
            self._world.checks.bare.add((ticket["symbol"], ticket["quantity"]))
        self._ask(asked("preview" if rng.random() < 0.1 else "order", **ticket))

    def _near(self, instrument, last, sign):
        return instrument.snap(last * (1.0 + self._rng.uniform(-0.004, 0.001) * sign))

    def _beyond(self, instrument, last, sign):
        return instrument.snap(last * (1.0 + self._rng.uniform(0.001, 0.004) * sign))

    def _market(self, instrument, last, sign):
        del instrument, last, sign
        return {"protection": self._rng.choice((-1.0, 0.5, 2.0))}

    def _limit(self, instrument, last, sign):
        validity = self._rng.choice(("DAY", "DAY", "IOC", "TTL"))
        return {
            "price": self._near(instrument, last, sign),
            "validity": validity,
            "minutes": 1 if validity == "TTL" else 0,
        }

    def _trigger(self, instrument, last, sign):
        trigger = self._beyond(instrument, last, sign)
        limited = self._rng.random() < 0.5
        return {
            "trigger": trigger,
            "price": instrument.snap(trigger * (1.0 + 0.002 * sign)) if limited else 0.0,
        }

    def _iceberg(self, instrument, last, sign):
        return {
            "variety": "iceberg",
            "legs": self._rng.randrange(2, 6),
            "quantity": self._rng.randrange(10, 60),
            "price": self._near(instrument, last, sign),
        }

    def _cover(self, instrument, last, sign):
        price = self._near(instrument, last, sign) if self._rng.random() < 0.4 else 0.0
        return {
            "variety": "co",
            "product": "MIS",
            "stop": round(self._rng.uniform(0.4, 2.0), 2),
            "price": price,
        }

    def _amo(self, instrument, last, sign):
        return {"variety": "amo", "price": self._near(instrument, last, sign)}

    def _sliced(self, instrument, last, sign):
        del sign
        most = int(instrument.freeze)
        return {
            "slices": True,
            "quantity": most + self._rng.randrange(1, 2 * most),
            "stop": 0.0,
            "target": 0.0,
        }

    def _working(self):
        desk = self._desk()
        orders = desk.kernel.order_store.orders.values() if desk is not None else ()
        return [order for order in orders if order.live and order.tag]

    def change(self):
        """Change a working entry or exit, and sometimes take it back in the same breath."""
        rng = self._rng
        orders = [order for order in self._working() if order.purpose is not OrderPurpose.PROTECT]
        if not orders:
            return
        order = rng.choice(orders)
        instrument = self._world.exchange.tokens[int(order.token)].instrument
        last = self._world.exchange.tokens[int(order.token)].ltp
        wanted = {"order": str(order.intent)}
        if rng.random() < 0.6:
            wanted["price"] = self._near(instrument, last, int(order.side))
        if rng.random() < 0.5 and order.purpose is OrderPurpose.ENTRY:
            wanted["quantity"] = rng.randrange(1, 80)
        if order.trigger > 0.0 and rng.random() < 0.3:
            wanted["trigger"] = self._beyond(instrument, last, int(order.side))
        self._ask(asked("modify", **wanted))
        if rng.random() < 0.3:
            self._ask(CancelRequest(str(order.intent)))

    def cancel(self):
        """Take a working order back, a stop that rests included."""
        if orders := self._working():
            self._ask(CancelRequest(str(self._rng.choice(orders).intent)))

    def leave(self):
        """Leave everything in one instrument."""
        desk = self._desk()
        if desk is not None:
            listing = self._rng.choice(self._world.exchange.market.listings)
            desk.submit(ExitRequest(int(listing.instrument.token)))

    # limits

    def limit(self):
        """Change a limit for the rest of the day."""
        desk, rng = self._desk(), self._rng
        if desk is None:
            return
        name = rng.choice(("max_positions", "max_exposure", "max_daily_loss"))
        value = rng.choice(
            {
                "max_positions": (1, 2, 3, 6),
                "max_exposure": (20_000, 60_000, 200_000),
                "max_daily_loss": (100, 1_000),
            }[name]
        )
        self._ask(
            LimitRequest(name, value, "simulated", "operator", confirmed=True),
            lambda told: told.startswith("done") and self._world.allow(name, value),
        )

    # differences

    def decide(self):
        """Settle one difference, some way that is offered for it."""
        desk, rng = self._desk(), self._rng
        rows = (
            [row for row in desk.board.differences.rows[:] if not row.ignored and row.choices]
            if desk
            else ()
        )
        if not rows:
            return
        row = rng.choice(rows)
        able = [choice for choice in row.choices if choice != "ignore"]
        if not able or ("ignore" in row.choices and rng.random() < IGNORES):
            able = ["ignore"]
        choice = rng.choice(able)
        words = f"{row.key} {choice}" + (" whim" if choice == "assign" else "")
        if choice in {"adopt", "assign"} and rng.random() < 0.3:
            words += f" stop={rng.uniform(0.5, 3.0):.2f}"
        self.reconcile(words)

    def decide_until(self, end):
        """Settle whatever comes up, every two seconds, until second `end`."""
        self.decide()
        if self._world.loop.seconds < end:
            self._world.loop.call_later(DECIDES_S, self.decide_until, end)


class Outsider:
    """Somebody else at the same account, with a terminal of his own."""

    def __init__(self, world, rng):
        self._world = world
        self._rng = rng

    def act(self):
        """Do something that the desk knows nothing of."""
        getattr(self, f"_{self._rng.choice(DEEDS)}")()

    def _order(self, symbol, side, quantity, product="CNC", price=0.0):
        kind = {"order_type": "MARKET", "market_protection": "-1"}
        if price:
            kind = {"order_type": "LIMIT", "price": str(price)}
        self._world.outside(
            "POST",
            "/orders/regular",
            {
                "exchange": "NSE",
                "tradingsymbol": symbol,
                "transaction_type": side,
                "quantity": str(quantity),
                "product": product,
                "validity": "DAY",
                **kind,
            },
        )

    def _listing(self):
        return self._rng.choice(self._world.exchange.market.listings)

    def _trade(self):
        self._order(self._listing().instrument.symbol, "BUY", self._rng.randrange(1, 20))

    def _sell(self):
        """Sell delivery shares that the account holds, most of them the desk's."""
        portfolio = self._world.exchange.portfolio
        held = [
            p
            for (_, product), p in portfolio.positions.items()
            if product == "CNC" and p.quantity > 0
        ]
        if held:
            position = self._rng.choice(held)
            symbol, quantity = (
                position.listing.instrument.symbol,
                self._rng.randrange(1, position.quantity + 1),
            )
            self._order(symbol, "SELL", quantity)

    def _intraday(self):
        side = self._rng.choice(("BUY", "SELL"))
        self._order(self._listing().instrument.symbol, side, self._rng.randrange(1, 20), "MIS")

    def _rest(self):
        instrument = self._listing().instrument
        price = instrument.snap(
            self._world.exchange.tokens[int(instrument.token)].ltp * self._rng.uniform(0.98, 1.0)
        )
        self._order(instrument.symbol, "BUY", self._rng.randrange(1, 20), price=price)

    def _trigger(self):
        listing = self._listing()
        instrument, last, quantity = listing.instrument, listing.ltp, self._rng.randrange(1, 30)
        trigger = instrument.snap(last * self._rng.uniform(0.96, 0.995))
        leg = {
            "exchange": "NSE",
            "tradingsymbol": instrument.symbol,
            "transaction_type": "SELL",
            "quantity": quantity,
            "order_type": "LIMIT",
            "product": "CNC",
            "price": instrument.snap(trigger * 0.995),
        }
        condition = {
            "exchange": "NSE",
            "tradingsymbol": instrument.symbol,
            "trigger_values": [trigger],
            "last_price": last,
        }
        self._world.outside(
            "POST",
            "/gtt/triggers",
            {
                "type": "single",
                "condition": json.dumps(condition),
                "orders": json.dumps([leg]),
            },
        )

    def _meddle(self):
        """Cancel whatever order works."""
        if live := self._world.exchange.orders.live_orders():
            order = self._rng.choice(live)
            self._world.outside("DELETE", f"/orders/{order.ask.variety}/{order.order_id}", {})

    def _delete(self):
        """Delete whatever GTT stands."""
        active = [t for t in self._world.exchange.gtts.triggers.values() if t.status == "active"]
        if active:
            self._world.outside(
                "DELETE", f"/gtt/triggers/{self._rng.choice(active).trigger_id}", {}
            )
