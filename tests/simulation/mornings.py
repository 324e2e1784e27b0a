"""Days with the desk away, and nights in which shares, tokens and GTTs become others.

In a night a share is split, consolidated or multiplied (by the list the desk has, or without one; credited at once, or
a night later), a share gets another token, the broker turns GTTs off, and T1 rows come without an opening quantity.
Whoever sits at the desk knows what has happened. Judged as days with the desk away are; the desk may divide by the ratio of
the night alone.
"""

import dataclasses
from datetime import datetime
from fractions import Fraction
from math import floor

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brokers.sandbox import ist
from brokers.sandbox.carry import HeldShares
from brokers.sandbox.nights import split
from engine.trading.reconcile import Reconciler
from tests.simulation import away
from tests.simulation.away import DAYS, Away
from tests.simulation.world import SYMBOLS

RATIOS = (Fraction(5), Fraction(2), Fraction(3, 2), Fraction(10), Fraction(1, 5))
TEXTS = {
    Fraction(5): "Face Value Split - From Rs 10/- Per Share To Rs 2/- Per Share", Fraction(2): "Bonus 1:1",
    Fraction(3, 2): "Bonus 1:2", Fraction(10): "Face Value Split - From Rs 10/- Per Share To Rs 1/- Per Share",
    Fraction(1, 5): "Consolidation Of Shares From Rs 2/- Per Share To Rs 10/- Per Share",
}  # fmt: skip


class Mornings(Away):
    """A sequence of days of which no morning is as the evening was."""

    def __init__(self, seed):
        super().__init__(seed)
        self.list = [] if self.rng.random() < 0.5 else None
        """NSE's list of what happened, where the desk has it."""
        self.late = []
        """Shares to be credited in the next night: (key, shares)."""
        self.counts = dict.fromkeys(("split", "listed", "late", "token", "off", "t1"), 0)

    def hears(self, divides):
        """Return what divides as the desk does, and has it judged."""

        def divided(reconciler, division, symbol):
            self.world.checks.divides(division.token, division.ratio)
            return divides(reconciler, division, symbol)

        return divided

    def _over_night(self, carried):
        rng, number = self.rng, DAYS.index(carried.day) + 1
        for key, shares in self.late:
            carried = self._more(carried, key, shares)
        self.late = []
        opening = ist.midnight(DAYS[number])
        if rng.random() < 0.7:
            carried = self._split(carried, rng.choice(SYMBOLS), rng.choice(RATIOS), number, opening)
        if rng.random() < 0.3:
            self._renumber(rng.choice(SYMBOLS))
        if rng.random() < 0.3:
            self.counts["off"] += 1
            status = rng.choice(("expired", "disabled", "cancelled"))
            active = [each for each in carried.gtts if each.status == "active"]
            gone = rng.choice(active).trigger_id if active else 0
            carried = msgspec.structs.replace(carried, gtts=[
                msgspec.structs.replace(each, status=status, updated=opening) if each.trigger_id == gone else each
                for each in carried.gtts
            ])  # fmt: skip
        return carried

    def night(self, number):
        super().night(number)
        if self.rng.random() < 0.5:
            self.counts["t1"] += 1
            portfolio = self.world.exchange.portfolio
            rows = portfolio.holding_rows
            portfolio.holding_rows = lambda: [
                row | ({"opening_quantity": 0} if row["t1_quantity"] else {}) for row in rows()
            ]

    def _split(self, carried, symbol, ratio, number, opening):
        world, key = self.world, f"NSE:{symbol}"
        self.counts["split"] += 1
        world.note(f"in the night {symbol} is divided by {ratio}")
        token = int(world.exchange.listings[key].instrument.token)
        before = next((one for one in carried.holdings if one.key == key), HeldShares(key, 0, 0.0))
        after = split(carried, symbol, ratio, opening)
        total, there = floor((before.quantity + before.unsettled) * ratio), before.quantity + before.unsettled
        if ratio > 1 and there and number == 1 and self.rng.random() < 0.4:
            self.counts["late"] += 1
            world.note("its new shares are credited a night later")
            after = msgspec.structs.replace(
                after, holdings=[before if one.key == key else one for one in after.holdings]
            )
            self.late.append((key, total - there))
        self.owners[token] = floor(self.owners[token] * ratio) if not self.late else self.owners[token]
        world.checks.divide(token, ratio)
        if self.list is not None:
            self.counts["listed"] += 1
            file = world.folder / f"actions{number}.parquet"
            row = {
                "symbol": symbol,
                "series": "EQ",
                "exDate": datetime.fromisoformat(DAYS[number]),
                "subject": TEXTS[ratio],
            }
            self.list.append(row)
            pq.write_table(pa.Table.from_pylist(self.list), file)
            world.settings = dataclasses.replace(world.settings, actions=file)
        return after

    def _more(self, carried, key, shares):
        """Credit shares of a split of the night before."""

        def more(one):
            if one.key != key:
                return one
            total = one.quantity + one.unsettled
            return HeldShares(key, one.quantity + shares, one.average * total / (total + shares), one.unsettled)

        if all(one.key != key for one in carried.holdings):
            return msgspec.structs.replace(carried, holdings=[*carried.holdings, HeldShares(key, shares, 1.0)])
        return msgspec.structs.replace(carried, holdings=[more(one) for one in carried.holdings])

    def _renumber(self, symbol):
        world = self.world
        self.counts["token"] += 1
        old = int(world.exchange.listings[f"NSE:{symbol}"].instrument.token)
        world.tokens[symbol] = 70_000 + len(world.tokens) * 100 + self.rng.randrange(100)
        new = world.tokens[symbol] << 8 | 1
        world.note(f"in the night {symbol} gets the token {new}")
        self.owners[new] = self.owners.pop(old)
        world.checks.renumber(old, new)

    def _decide(self, until):
        rows = [row for row in self._rows() if row.kind == "division"]
        for row in rows:
            token = int(self.world.exchange.listings[f"NSE:{row.symbol}"].instrument.token)
            ratio = self.world.checks.ratios.get(token)
            word = f"adopt ratio={ratio.numerator}:{ratio.denominator}" if ratio else "ignore"
            self.operator._ask("reconcile", f"{row.key} {word}")
        if not rows:
            super()._decide(until)
        elif self.world.loop.seconds < until:
            self.world.loop.call_later(2.0, self._decide, until)


def live_through(seed):
    """Run the days of a seed and return what happened in their nights."""
    with pytest.MonkeyPatch.context() as patch:

        def kind(seed):
            made = Mornings(seed)
            patch.setattr(Reconciler, "divided", made.hears(Reconciler.divided))
            counts.append(made.counts)
            return made

        counts = []
        away.live_through(seed, kind)
        return counts[0]
