"""Two days with a night between them, for a script.

The owner acts in the broker's app, the broker has moods, shares become others.

`Account` is kept from the exchange's trades alone and says what is the desk's and what the owner's;
it knows nothing of the desk.
"""

import json
from collections import Counter

from brokers.sandbox import kite_times
from brokers.sandbox.assumptions import KiteAssumptions
from brokers.sandbox.corporate_actions import split_shares
from brokers.sandbox.universe import known_shares
from compiled.model.values import SECOND, Product, Side
from compiled.trading.ladder import LadderPlan, RungPlan
from compiled.trading.order_states import CORRECTION
from compiled.trading.strategy import Strategy
from tests.asking import decision
from tests.engine.market.test_hours import at
from tests.simulation.moody import Moody
from tests.simulation.names import Names, renamed
from tests.simulation.owner import give
from tests.simulation.session import InSession
from tests.simulation.world import Wild

ONE, TWO = "2026-11-19", "2026-11-20"
STARTS = "09:20"
"""When the desk is started on the second day, five minutes after GTTs may fire."""
AFTER_S = 30
"""How long after its start the strategy enters."""
NAMES = ("SBIN", "WIPRO", "ITC", "INFY", "TCS", "NTPC")
PLACE = "/orders/regular"


class Climb(Strategy):
    """Builds one ladder from `at` (ns) on; rungs follow as those before rise by a percentage."""

    def __init__(self, token, at, rises):
        super().__init__("climb", 60, wants_ticks=True)
        self._token, self._at, self._rises = token, at, rises
        self._done = False

    def on_tick(self, ctx, tick):
        if tick.token == self._token and ctx.now >= self._at and not self._done:
            self._done = True
            rungs = [RungPlan(0.0, 2.0, 8.0), *(RungPlan(rise, 2.0) for rise in self._rises)]
            ctx.ladder(
                tick.token, Side.BUY, LadderPlan(rungs, 0, Product.CNC, trail=True, quantity=30)
            )


class Account:
    """An account of the exchange's trades, shares by (symbol, product), money in paise.

    `his` are the owner's.
    """

    def __init__(self, world, his):
        self._world = world
        self.desks, self.his = Counter(), Counter(his)
        self.bought, self.sold = Counter(), Counter()
        """Of the desk's trades, by symbol: what they have cost, and brought in."""
        self.moved = 0
        """What the desk's trades of the day have brought in."""
        self.all_moved = 0
        """What all trades of the day have brought in."""
        self.his_orders, self.his_triggers = set(), set()
        self.takes = set()
        """Orders of the owner's that sell, or buy back, what is the desk's."""
        self._read = 0
        world.attendants.append(self.follow)

    def follow(self):
        """Take in what has traded since.

        No trade of the desk's may take what is the owner's, or more than the desk has.
        """
        trades = self._world.exchange.orders.trades
        for trade in trades[self._read :]:
            self._take(trade)
        self._read = len(trades)

    def _take(self, trade):
        ask, order_id = trade.order.ask, trade.order.order_id
        where = symbol, product = ask.listing.instrument.symbol, ask.product
        paise = trade.ticks * round(ask.listing.instrument.tick * 100) * trade.quantity
        self.all_moved -= ask.side * paise
        if order_id in self.takes:
            self.desks[where] += ask.side * trade.quantity
        elif self._owners(order_id):
            self.his[where] += ask.side * trade.quantity
        else:
            self.desks[where] += ask.side * trade.quantity
            (self.bought if ask.side > 0 else self.sold)[symbol] += paise
            self.moved -= ask.side * paise
            assert product != "CNC" or self.desks[where] >= 0, (
                f"{order_id} sells what is not the desk's"
            )

    def _owners(self, order_id):
        gtts = self._world.exchange.gtts.triggers
        sent = {
            leg["order_result"]["order_id"]
            for n in self.his_triggers
            if n in gtts
            for leg in gtts[n].results
            if leg
        }
        return order_id in self.his_orders | sent

    def over_night(self, ratios, names):
        """Go into the next day: nothing has traded yet, shares are others.

        `ratios` and new `names` by symbol.
        """
        assert all(
            product == "CNC" for (_, product), shares in (self.desks + self.his).items() if shares
        )
        self._read, self.moved, self.all_moved = 0, 0, 0
        for kept in (self.desks, self.his):
            for (symbol, product), shares in list(kept.items()):
                del kept[symbol, product]
                kept[names.get(symbol, symbol), product] = shares * ratios.get(symbol, 1)
        for kept in (self.bought, self.sold):
            for old, new in names.items():
                kept[new] = kept.pop(old, 0)


class Still(Wild):
    """A fair value that moves only when it is told to."""

    def step(self, market, heat, seconds=1):
        del market, heat, seconds
        return self._close * (1.0 + self._level)


class TwoDays(InSession, Moody):
    """The world of the script."""

    def __init__(self, monkeypatch, his, holdings):
        super().__init__(
            (),
            day=ONE,
            symbols=NAMES,
            cash=50_000_000,
            choices=KiteAssumptions(holdings=holdings),
            limits={"stale_after": 10**10},
        )
        self.make = self._strategies
        self.keep_session(monkeypatch)
        self.account = Account(self, his)
        for (symbol, _), shares in his.items():
            give(self.exchange.portfolio, self.listing(symbol), shares)
        self.earlier, self.realised = Counter(), Counter()
        """What corrections were worth, and what was gained, on the day before, by symbol."""
        self.names = Names(monkeypatch)
        self.checks.hear_divisions(monkeypatch)
        self.start()

    def _strategies(self):
        first = self.clock.true() < at(ONE, "16:00")
        token, rises = (self.token("SBIN"), (0.3, 0.6)) if first else (self.token("TCS"), (0.4,))
        return [Climb(token, self.clock.true() + AFTER_S * SECOND, rises)]

    def _furnish(self, exchange):
        super()._furnish(exchange)
        for trader in exchange.market._traders:
            trader._fair = Still(trader.listing.instrument.close, None, 0.0)

    # what the script asks for

    def listing(self, symbol):
        return self.exchange.listings[f"NSE:{symbol}"]

    def second(self, clock):
        """Return the second of a time of the second day."""
        return (at(TWO, clock) - self.clock.start) / SECOND

    def later(self, seconds):
        self.run(self.loop.seconds + seconds)

    def drift(self, symbol, share, steps=20):
        """Let a price move by a part of itself within `steps` half-seconds, and a moment pass."""
        (fair,) = [
            each._fair
            for each in self.exchange.market._traders
            if each.listing.instrument.symbol == symbol
        ]
        for step in range(steps):
            self.loop.call_later(step / 2, fair.jump, share / steps)
        self.later(steps / 2 + 3.0)

    def decide(self, **choices):
        """Have the operator decide about all that comes to stand, each once.

        `choices` by the kind or the symbol of the key.
        """
        left = dict(choices)
        self.later(20.0)
        while rows := self.standing():
            key = min(rows, key=lambda each: each == "funds")  # cash is the last to be counted
            told = self.ask(decision(f"{key} {left.pop(key.partition(':')[0])}"))
            assert told.startswith("done"), told
            self.later(25.0)
        assert left == {}

    def standing(self):
        return [row.key for row in self.process.board.differences.rows if not row.ignored]

    # what the owner does in the app

    def owner(self, symbol, side, quantity, product="CNC", *, ours=False):
        """Buy or sell at the market; `ours`: what is the desk's."""
        before = set(self.exchange.orders.orders)
        assert self.outside(
            "POST",
            PLACE,
            {
                "exchange": "NSE",
                "tradingsymbol": symbol,
                "transaction_type": side,
                "quantity": str(quantity),
                "product": product,
                "validity": "DAY",
                "order_type": "MARKET",
                "market_protection": "-1",
            },
        )
        known = self.account.takes if ours else self.account.his_orders
        known |= set(self.exchange.orders.orders) - before

    def triggers(self, symbol):
        """Return the numbers of the GTTs that stand on a share."""
        return [
            number
            for number, each in self.exchange.gtts.triggers.items()
            if each.status == "active" and each.condition.listing.instrument.symbol == symbol
        ]

    def set_trigger(self, method, path, symbol, side, quantity, trigger):
        """Place or change a GTT of one leg."""
        listing = self.listing(symbol)
        named = {"exchange": "NSE", "tradingsymbol": symbol}
        price = listing.instrument.snap(trigger * (1.005 if side == "BUY" else 0.985))
        leg = {
            **named,
            "transaction_type": side,
            "quantity": quantity,
            "order_type": "LIMIT",
            "product": "CNC",
            "price": price,
        }
        condition = {**named, "trigger_values": [trigger], "last_price": listing.ltp}
        before = set(self.exchange.gtts.triggers)
        form = {"type": "single", "condition": json.dumps(condition), "orders": json.dumps([leg])}
        assert self.outside(method, path, form)
        return set(self.exchange.gtts.triggers) - before

    # the night

    def evening(self):
        """Stop the desk as its operator does, end the day, open the next exchange.

        The desk starts at `STARTS`.
        """
        process, ledger = self.process, self.process.kernel.ledger
        symbols = {
            token: market.instrument.symbol
            for token, market in process.kernel.state.markets.items()
        }
        self.earlier = self.written(symbols)
        self.realised = Counter(
            {symbols[each.token]: int(each.realised) for each in ledger.account_positions()}
        )
        self.restarts.append(self.second(STARTS) - self.loop.seconds)
        process.desk.stop()
        while process.alive:
            self.later(1.0)
        assert process.desk.error is None
        self.exchange._next = self.exchange.closes

    def night(self, ratios, names):
        """Live through it: shares split by `ratios`, and get `names` and tokens new to GTTs."""
        self.evening()
        opening = kite_times.midnight(TWO)
        tokens = {old: self.token(old) for old in names}
        for old, new in names.items():
            self.names.rename(old, new, known_shares.KNOWN[old].exchange_token + 50_000)

        def become(carried):
            for symbol, ratio in ratios.items():
                carried = split_shares(carried, symbol, ratio, opening)
                self.checks.divide(self.token(symbol), ratio)
            return renamed(carried, names)

        self.account.follow()
        listed = tuple(names.get(each, each) for each in NAMES)
        self.next_exchange(TWO, "09:00", night=become, symbols=listed)
        self.account.over_night(ratios, names)
        for old, new in names.items():
            self.checks.renumber(tokens[old], self.token(new))
            for kept in (self.earlier, self.realised):
                kept[new] = kept.pop(old, 0)
        self.run(self.second("09:00"))

    # judging

    def corrections(self, *products):
        """Return the desk's own orders of today that stand for no trade, of some products."""
        orders, today = self.process.kernel.order_store.orders.values(), self.exchange.today
        made = [o for o in orders if o.order_id.startswith(CORRECTION) and o.created >= today]
        return [o for o in made if o.product.name in products]

    def agrees(self):
        """Compare the desk's books with the account made from trades, and the broker's with both.

        The desk lives.
        """
        self.account.follow()
        process, kernel, desks = self.process, self.process.kernel, self.account.desks
        assert (process.task.done(), process.kill.latch, self.deaths) == (False, None, 0)
        symbols = {
            token: market.instrument.symbol for token, market in kernel.state.markets.items()
        }
        held, there, booked, total = Counter(), Counter(), Counter(), Counter()
        for ladder in kernel.state.ladders.values():
            where = ladder.instrument.symbol, ladder.plan.product.name
            held[where] += sum(int(ladder.sign * rung.quantity) for rung in ladder.rungs)
        portfolio = self.exchange.portfolio
        for (_, product), position in portfolio.positions.items():
            there[position.listing.instrument.symbol, product] += position.quantity
        for holding in portfolio.holdings.values():
            there[holding.listing.instrument.symbol, "CNC"] += holding.total
        for position in kernel.ledger.account_positions():
            booked[symbols[position.token]] += int(position.quantity)
        for (symbol, _), shares in desks.items():
            total[symbol] += shares
        there.subtract(self.account.his)
        assert held == desks
        assert there == desks
        assert booked == total
        self._money(kernel, symbols)

    def _money(self, kernel, symbols):
        """The desk's gain on all days, and its cash, are those of its trades and corrections."""
        account, ledger, written = self.account, kernel.ledger, self.written(symbols)
        intraday = sum(-int(o.side) * int(o.value) for o in self.corrections("MIS"))
        assert int(ledger.cash + ledger.charges - ledger.start_cash) == account.moved + intraday
        for each in ledger.account_positions():
            symbol = symbols[each.token]
            told = self.realised[symbol] + int(each.realised + each.unrealised)
            worth = round(each.last * 100) * int(each.quantity)
            assert (
                told == account.sold[symbol] - account.bought[symbol] - written[symbol] + worth
            ), symbol

    def written(self, symbols):
        """Return the worth of all days' corrections, by symbol, as if they had been bought."""
        found = Counter(self.earlier)
        for order in self.corrections("CNC", "MIS"):
            found[symbols[int(order.token)]] += int(order.side) * int(order.value)
        return found
