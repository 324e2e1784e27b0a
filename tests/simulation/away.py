"""Nights in a row with the desk away.

For a part of a day, a whole one or several, beside shares of the owner's.

The owner holds ten of each name, and has them ignored. On three trading days, of which the first
minutes are lived, the desk is there, dies, comes late or stays away; meanwhile prices run through
its stops, stops are deleted, and the owner trades. Whoever sits at the desk decides on differences
towards the end of a day, or only on the last one. `live_through(seed)` raises `Broken` as a day
does, and when the account ever holds fewer shares than the owner has left.
"""

import random

from compiled.model.values import SECOND
from tests.engine.market.test_hours import at
from tests.simulation.checks import Broken
from tests.simulation.day import settle
from tests.simulation.hand import Operator, Outsider
from tests.simulation.owner import give
from tests.simulation.trader import Whim
from tests.simulation.world import NEVER_S, World

DAYS = ("2026-11-19", "2026-11-20", "2026-11-23")
OWNERS = 10
"""Shares of each name that are the owner's when it begins."""
WINDOW_S, DECIDES_S, CALM_S = 100.0, 40.0, 45.0
"""Seconds of a day that are lived, before its end for decisions, and then of quiet."""
PRESENCE = ("whole", "dies", "dies", "late", "absent")


class Away:
    """A world that is lived day by day, with the desk or without it."""

    def __init__(self, seed):
        self.rng = rng = random.Random(f"{seed}:away")
        self.runs = 0
        self.world = world = World(
            seed, self._strategies, day=DAYS[0], limits={"max_positions": rng.choice((0, 4))}
        )
        self.operator = Operator(world, random.Random(f"{seed}:operator"))
        self.outsider = Outsider(world, random.Random(f"{seed}:owner"))
        self.owners = {}
        portfolio = world.exchange.portfolio
        for listing in world.exchange.market.listings:
            token = int(listing.instrument.token)
            give(portfolio, listing, OWNERS)
            self.owners[token] = OWNERS
        world.attendants.append(self._owner_keeps)
        self.decides_each_day = rng.random() < 0.6
        self.away = self.fired = 0

    def _strategies(self):
        self.runs += 1
        day = max(
            (day for day in DAYS if at(day, "09:15") <= self.world.clock.true()), default=DAYS[0]
        )
        ends = at(day, "09:15") + int((WINDOW_S - CALM_S) * SECOND)
        return [Whim(f"{self.world.seed}:{self.runs}", 0.1, ends)]

    def _owner_keeps(self):
        """Raise `Broken` where the account holds fewer shares than are the owner's."""
        portfolio = self.world.exchange.portfolio
        for token, owned in self.owners.items():
            there = portfolio.holdings[token].total if token in portfolio.holdings else 0
            position = portfolio.positions.get((token, "CNC"))
            there += position.quantity if position is not None else 0
            if there < owned:
                raise Broken(
                    self.world, f"the owner has {owned} of {token}, the account holds {there}"
                )

    # a day

    def day(self, number):
        """Live the first minutes of a day, and let the rest of it pass without anybody."""
        world, rng, opened = self.world, self.rng, self._second(DAYS[number])
        last = number == len(DAYS) - 1
        presence = "whole" if last else rng.choice(PRESENCE[:3] if number == 0 else PRESENCE)
        world.note(f"{DAYS[number]}: the desk: {presence}")
        end = opened + WINDOW_S
        if presence in {"whole", "dies"}:
            world.loop.call_at(
                max(world.loop.seconds, opened - rng.choice((0.0, 5.0, 120.0))), world.start
            )
        if presence == "late":
            world.loop.call_at(opened + rng.uniform(5.0, WINDOW_S - CALM_S), world.start)
        if presence == "dies":
            world.loop.call_at(opened + rng.uniform(8.0, WINDOW_S - CALM_S), self._dies)
        self._happen(opened, last=last)
        world.loop.call_at(opened + 3.0, self._ignore_owners, opened + 20.0)
        if last or self.decides_each_day:
            world.loop.call_at(end - DECIDES_S, self._decide, end + CALM_S)
        world.calm_since = end - CALM_S
        world.run(end)
        if last or (presence == "whole" and self.decides_each_day):
            settle(world)

    def night(self, number, **changes):
        """Have the desk killed, the day end in silence, the next exchange open with `changes`."""
        world = self.world
        world.kill_process()
        self.away += 1
        world.exchange._next = world.exchange.closes
        world.next_exchange(DAYS[number + 1], "09:00", night=self._over_night, **changes)
        morning = self._second(DAYS[number + 1]) - 300.0
        world.loop.call_at(morning, lambda: None)
        world.run(morning)

    def _over_night(self, carried):
        """Return what the account brings into the next day."""
        return carried

    def _second(self, day):
        return (at(day, "09:15") - self.world.clock.start) / SECOND

    def _dies(self):
        self.world.crash_due = NEVER_S

    def _happen(self, opened, *, last):
        """Let prices run through stops, and people act, whether the desk looks or not."""
        rng, loop = self.rng, self.world.loop
        for _ in range(rng.choice((2, 4, 6))):
            loop.call_at(opened + rng.uniform(6.0, WINDOW_S - CALM_S), self._jump)
        for deed, chance in (
            (self.outsider._delete, 0.4),
            (self._owner_trades, 0.5),
            (self._owner_trades, 0.3),
        ):
            if rng.random() < chance:
                loop.call_at(opened + rng.uniform(6.0, WINDOW_S - CALM_S - 5.0 * last), deed)

    def _jump(self):
        self.rng.choice(self.world.exchange.market._traders)._fair.jump(
            self.rng.choice((-0.025, -0.015, 0.02))
        )

    def _owner_trades(self):
        """Have the owner buy, or sell of his own."""
        rng = self.rng
        listing = rng.choice(self.world.exchange.market.listings)
        token, symbol = int(listing.instrument.token), listing.instrument.symbol
        if rng.random() < 0.5 or not self.owners[token]:
            self.outsider._order(symbol, "BUY", 3)
            return
        sold = rng.randrange(1, self.owners[token] + 1)
        self.owners[token] -= sold
        self.outsider._order(symbol, "SELL", sold)

    # who sits at the desk

    def _rows(self):
        process = self.world.process
        if process is None or not process.open:
            return ()
        return [
            row for row in process.desk.board.differences.rows[:] if not row.ignored and row.choices
        ]

    def _ignore_owners(self, until):
        """Ignore what the account has more than the desk knows of."""
        for row in self._rows():
            if row.kind == "unmanaged":
                self.operator.reconcile(f"{row.key} ignore")
        if self.world.loop.seconds < until:
            self.world.loop.call_later(2.0, self._ignore_owners, until)

    def _decide(self, until):
        """Take what lacks as sold, and leave what is more to the owner."""
        for row in self._rows()[:1]:
            more = "flatten" in row.choices and row.kind in {"unmanaged", "quantity"}
            self.operator.reconcile(f"{row.key} {'ignore' if more else row.choices[0]}")
        if self.world.loop.seconds < until:
            self.world.loop.call_later(2.0, self._decide, until)


def live_through(seed, kind=Away):
    """Run the days of a seed and return what was found of them."""
    away = kind(seed)
    try:
        for number in range(len(DAYS)):
            away.day(number)
            if number + 1 < len(DAYS):
                away.night(number)
        return away.world.checks
    finally:
        away.world.close()


def tell(seed, kind=Away):
    """Run the days of a seed; return the diary and what it came to."""
    away, told = kind(seed), "every promise kept"
    try:
        for number in range(len(DAYS)):
            away.day(number)
            if number + 1 < len(DAYS):
                away.night(number)
    except Broken as broken:
        told = str(broken)
    lines = list(away.world.diary)
    lines += [
        ((row["ts"] - away.world.clock.start) / SECOND, f"desk: {row['level']} {row['text']}")
        for row in away.world.disk.rows("events")
    ]
    away.world.close()
    return [*(f"{at:12.3f}  {text}" for at, text in sorted(lines, key=lambda line: line[0])), told]
