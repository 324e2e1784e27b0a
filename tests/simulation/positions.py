"""One rung as the exchange and the operator's decisions have it, whatever the desk says of it."""


class Position:
    """Trades and guards of one rung, and what the operator had taken on or written off."""

    def __init__(self):
        self.entries = []
        self.exits = []
        self.triggers = []
        self.given = 0
        """Shares it holds by a correction, or from the day before."""
        self.side = 0
        """The side of `given`, before there is an entry."""
        self.where = None
        """(token, product) at the exchange."""
        self.stop = 0.0
        self.stood = {}
        """Where each stop stood when it was last looked at.

        One that nobody remembers stays where it is.
        """
        self.ahead = -2
        """How many commits there had been when a stop last moved ahead of its record."""
        self.bare_since = None
        self.shut_until = 0.0
        """When the exchange last took no order that could protect it."""
        self.bare = False
        """It has no stop, on purpose."""
        self.pinned = False
        """Its price was at its stop while nothing traded."""
        self.squared = False
        """The broker has squared off what is intraday there."""
        self.lost = set()
        """GTTs that a crash on a full disk has made the desk forget, or where they stand.

        Differences to be decided on.
        """
        self.meddled = False
        """Somebody has changed an order or a GTT of it by hand.

        It may have sold more than it holds.
        """
        self.forgot = False
        """A crash on a full disk has lost an exit of it: what it sold is written off as well."""

    @property
    def held(self):
        """Return the shares it holds.

        What came back after too much had left was bought (of a short one: sold) by an exit.
        """
        left = sum(-self.sign * order.ask.side * order.filled for order in self.exits)
        return self.given + sum(order.filled for order in self.entries) - left

    @property
    def coming(self):
        legs = sum(
            order.ask.iceberg.remaining
            for order in self.entries
            if order.is_live and order.ask.iceberg
        )
        return legs + sum(order.pending for order in self.entries)

    @property
    def sign(self):
        return self.entries[0].ask.side if self.entries else self.side or 1

    @property
    def covered(self):
        """Return the shares that something would sell that could fill."""
        index = 0 if self.sign > 0 else -1
        guarded = sum(
            t.legs[index].quantity
            for t in self.triggers
            if t.status == "active" and serves(t, index)
        )
        return guarded + sum(
            order.pending for order in self.exits if order.ask.side != self.sign and meets(order)
        )

    @property
    def offered(self):
        """Return the shares that anything would sell, wherever it stands."""
        known = [t for t in self.triggers if t.status == "active" and t.trigger_id not in self.lost]
        guarded = sum(t.legs[0].quantity for t in known)
        return guarded + sum(order.pending for order in self.exits if order.ask.side != self.sign)

    @property
    def amiss(self):
        """Return whether it holds unguarded shares, or more would be sold than it holds."""
        held = self.held
        if held < 0 and self.forgot:
            return False
        return not self.squared and (
            held < 0 or self.offered > held or (held > self.covered and not self.bare)
        )

    def stops(self):
        """Return (name, price) of every stop that waits at the exchange."""
        index = 0 if self.sign > 0 else -1
        active = [
            (f"GTT {t.trigger_id}", t.condition.triggers[index])
            for t in self.triggers
            if t.status == "active"
        ]
        waiting = [order for order in self.exits if order.status == "TRIGGER PENDING"]
        return active + [(f"order {order.order_id}", order.ask.trigger) for order in waiting]

    @property
    def waiting(self):
        """Return the prices that its GTTs wait for."""
        return [
            price for t in self.triggers if t.status == "active" for price in t.condition.triggers
        ]

    def carry(self, triggers):
        """Go into the next day with what is held; `triggers` are the GTTs of its exchange by id."""
        self.side, self.given = self.sign, self.held
        self.triggers = [triggers[t.trigger_id] for t in self.triggers if t.trigger_id in triggers]
        self.entries, self.exits = [], []
        # the broker has settled it over night
        self.squared = self.where is not None and self.where[1] in {"MIS", "CO"}


def could_fill(ask, trigger):
    """Tell whether an order that a trigger sends would be taken and could trade.

    Beyond its trigger, and in the band.
    """
    made = ask.listing.instrument
    if ask.side * (ask.price - trigger) < -1e-9:
        return False
    return not made.lower <= trigger <= made.upper or made.lower <= ask.price <= made.upper


def serves(trigger, leg):
    """Tell whether a leg of a GTT could fill if the price got there."""
    return could_fill(trigger.legs[leg], trigger.condition.triggers[leg])


def meets(order):
    """Tell whether an exit could fill where the price is, or a stop where it triggers."""
    ask = order.ask
    if order.status == "TRIGGER PENDING":
        return ask.order_type != "SL" or could_fill(ask, ask.trigger)
    return order.status != "OPEN" or ask.side * (ask.price - ask.listing.ltp) >= 0
