"""Owners of the account's shares.

Set apart by the operator, the desk's, or bought by others beside it.
"""

from collections import Counter

from engine.books.share_register import IGNORED


class Shares:
    """Reckons by token and product, from the exchange's books and the desk's orders.

    `checks` know whose an order is.
    """

    def __init__(self, world, checks):
        self._world = world
        self._checks = checks
        self.bought = Counter()
        """Shares others have bought (sold: -1) beside the desk's belief, by token, product, side.
        """
        self._read = 0

    def account(self, where):
        """Return what the account holds."""
        portfolio = self._world.exchange.portfolio
        at, held = (
            portfolio.positions.get(where),
            portfolio.holdings.get(where[0]) if where[1] == "CNC" else None,
        )
        return (at.quantity if at is not None else 0) + (held.total if held is not None else 0)

    def apart(self, where):
        """Return how many of them the operator has set apart as not the desk's."""
        (token, product), process = where, self._world.process
        key = f"{self._world.exchange.tokens[token].instrument.symbol}:{product}"
        if process is not None and process.open:
            apart = process.desk._loop.reconciler._ignored.get(key, 0)
        else:
            apart = sum(
                int(row["value"] or 0)
                for row in self._world.disk.rows("meta", "key = ?", (IGNORED + key,))
            )
        return max(apart, 0) if product == "CNC" else apart

    def desks(self, where, sign):
        """Return what the desk has bought, or sold short, and not left.

        By its orders, whatever it believes.
        """
        rungs = self._checks.rungs.values()
        return sum(max(p.held, 0) for p in rungs if p.where == where and p.sign == sign)

    def agree(self, where):
        """Tell whether the account holds just what is set apart and what the desk has.

        Whose they are is settled.
        """
        return self.account(where) == self.apart(where) + self.desks(where, 1) - self.desks(
            where, -1
        )

    def settled(self, where):
        """Take note that what others have bought is reckoned in."""
        for side in (1, -1):
            self.bought.pop((where, side), 0)

    def follow(self, exchange):
        """Take in what others have traded."""
        for trade in exchange.orders.trades[self._read :]:
            if trade.order.order_id in self._checks.manual:
                ask = trade.order.ask
                self.bought[(int(ask.listing.instrument.token), ask.product), ask.side] += (
                    trade.quantity
                )
        self._read = len(exchange.orders.trades)
        if self.bought and self._world.process is not None and self._world.process.open:
            for where in {where for where, _ in self.bought}:
                if self.agree(where):
                    self.settled(where)

    def over_night(self):
        """Begin another day, on which nobody has traded."""
        self.bought.clear()
        self._read = 0
