"""Days with the desk away, and nights in which shares, tokens and GTTs become others.

In a night a share is split, consolidated or multiplied (by the list the desk has, or without one;
credited at once, or a night later), a share gets another token, or another name besides, dividends
and rights take something off the price and cancel GTTs, the broker turns GTTs off, and T1 rows come
without an opening quantity. Whoever sits at the desk knows what has happened. Judged as days with
the desk away are; the desk may divide by the ratio of the night alone.
"""

import dataclasses
import random
from datetime import datetime
from fractions import Fraction
from math import floor

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brokers.sandbox import kite_times
from brokers.sandbox.account.carried_account import CarriedHolding
from brokers.sandbox.corporate_actions import split_shares, without_gtts
from tests.simulation import away
from tests.simulation.away import DAYS, Away
from tests.simulation.names import Names, renamed
from tests.simulation.world import SYMBOLS

RATIOS = (Fraction(5), Fraction(2), Fraction(3, 2), Fraction(10), Fraction(1, 5))
TEXTS = {
    Fraction(5): "Face Value Split - From Rs 10/- Per Share To Rs 2/- Per Share",
    Fraction(2): "Bonus 1:1",
    Fraction(3, 2): "Bonus 1:2",
    Fraction(10): "Face Value Split - From Rs 10/- Per Share To Rs 1/- Per Share",
    Fraction(1, 5): "Consolidation Of Shares From Rs 2/- Per Share To Rs 10/- Per Share",
}


class Mornings(Away):
    """A sequence of days of which no morning is as the evening was."""

    def __init__(self, seed, patch):
        super().__init__(seed)
        self.world.checks.hear_divisions(patch)
        self.more = random.Random(f"{seed}:more")
        self.names, self.renames = list(SYMBOLS), {}
        """What the shares are called today."""
        self._listing = Names(patch)
        self.list = [] if self.rng.random() < 0.5 else None
        """NSE's list of what happened, where the desk has it."""
        self._given = 0
        self.late = []
        """Shares to be credited in the next night: (key, shares)."""
        self.counts = dict.fromkeys(
            ("split", "listed", "late", "token", "name", "paid", "off", "t1"), 0
        )

    def _over_night(self, carried):
        rng, number = self.rng, DAYS.index(carried.day) + 1
        for key, shares in self.late:
            carried = self._more(carried, key, shares)
        self.late = []
        opening = kite_times.midnight(DAYS[number])
        if rng.random() < 0.7:
            carried = self._split(
                carried, rng.choice(self.names), rng.choice(RATIOS), number, opening
            )
        if self.more.random() < 0.3:
            carried = self._pay(carried, self.more.choice(self.names), number, opening)
        if rng.random() < 0.3:
            self._renumber(rng.choice(self.names))
        if rng.random() < 0.3:
            self.counts["off"] += 1
            status = rng.choice(("expired", "disabled", "cancelled"))
            active = [each for each in carried.gtts if each.status == "active"]
            gone = rng.choice(active).trigger_id if active else 0
            carried = msgspec.structs.replace(
                carried,
                gtts=[
                    msgspec.structs.replace(each, status=status, updated=opening)
                    if each.trigger_id == gone
                    else each
                    for each in carried.gtts
                ],
            )
        self._rename()
        self._hand_out(number)
        return renamed(carried, self.renames)

    def night(self, number):
        often, old = self.more.random() < 0.4, self.more.choice(self.names)
        his = self.owners[int(self.world.exchange.listings[f"NSE:{old}"].instrument.token)]
        # ITC's freeze quantity goes by its name, and nothing but a holding says what a share was
        # called
        self.renames = {old: f"{old}X"} if often and old != "ITC" and his else {}
        super().night(number, symbols=tuple(self.renames.get(each, each) for each in self.names))
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
        before = next(
            (one for one in carried.holdings if one.key == key), CarriedHolding(key, 0, 0.0)
        )
        after = split_shares(carried, symbol, ratio, opening)
        total, there = (
            floor((before.quantity + before.unsettled) * ratio),
            before.quantity + before.unsettled,
        )
        if ratio > 1 and there and number == 1 and self.rng.random() < 0.4:
            self.counts["late"] += 1
            world.note("its new shares are credited a night later")
            after = msgspec.structs.replace(
                after, holdings=[before if one.key == key else one for one in after.holdings]
            )
            self.late.append((key, total - there))
        self.owners[token] = (
            floor(self.owners[token] * ratio) if not self.late else self.owners[token]
        )
        world.checks.divide(token, ratio)
        self._tell(symbol, TEXTS[ratio], number)
        return after

    def _tell(self, symbol, subject, number):
        """Put an action into the list, where the desk has one."""
        if self.list is not None:
            self.counts["listed"] += 1
            day = datetime.fromisoformat(DAYS[number])
            self.list.append({"symbol": symbol, "series": "EQ", "exDate": day, "subject": subject})

    def _hand_out(self, number):
        """Have the desk read the list, which knows every share by its name of today."""
        if self.list:
            world, file = self.world, self.world.folder / f"actions{number}.parquet"
            rows = [
                row | {"symbol": self.renames.get(row["symbol"], row["symbol"])}
                for row in self.list
            ]
            self.list = rows
            pq.write_table(pa.Table.from_pylist(rows), file)
            world.settings = dataclasses.replace(world.settings, actions=file)

    def _pay(self, carried, symbol, number, opening):
        """Take a dividend, or what a rights issue is worth, off the price.

        GTTs are cancelled where it is much.
        """
        self.counts["paid"] += 1
        key, share = f"NSE:{symbol}", self.more.choice((0.01, 0.04, 0.12))
        close = carried.closes[key]
        amount = round(close * share, 1)
        rights = self.more.random() < 0.3
        self._tell(
            symbol,
            "Rights 1:10 @ Premium Rs 5/-" if rights else f"Dividend - Rs {amount} Per Share",
            number,
        )
        self.world.note(f"in the night {symbol} loses {amount} of {close:.2f}")
        if rights or share > 0.02:
            carried = without_gtts(carried, symbol, "cancelled", opening)
        return msgspec.structs.replace(carried, closes={**carried.closes, key: close - amount})

    def _more(self, carried, key, shares):
        """Credit shares of a split of the night before."""

        def more(one):
            if one.key != key:
                return one
            total = one.quantity + one.unsettled
            return CarriedHolding(
                key, one.quantity + shares, one.average * total / (total + shares), one.unsettled
            )

        if all(one.key != key for one in carried.holdings):
            return msgspec.structs.replace(
                carried, holdings=[*carried.holdings, CarriedHolding(key, shares, 1.0)]
            )
        return msgspec.structs.replace(carried, holdings=[more(one) for one in carried.holdings])

    def _renumber(self, symbol):
        if symbol in self.renames:
            return  # it gets another token anyway
        self.counts["token"] += 1
        number = self.world.tokens[symbol] = self._number()
        self._moves(symbol, number)

    def _rename(self):
        """Have shares listed under other names."""
        for old, new in self.renames.items():
            self.counts["name"] += 1
            self.world.note(f"in the night {old} becomes {new}")
            number = self._number()
            self._listing.rename(old, new, number)
            self.world.tokens.pop(old, None)
            self._moves(old, number)
            self.names[self.names.index(old)] = new
            self.late = [
                (key.replace(f"NSE:{old}", f"NSE:{new}"), shares) for key, shares in self.late
            ]

    def _number(self):
        self._given += 1
        return 70_000 + self._given * 100 + self.rng.randrange(100)

    def _moves(self, symbol, number):
        """Follow a share to another token."""
        old, new = (
            int(self.world.exchange.listings[f"NSE:{symbol}"].instrument.token),
            number << 8 | 1,
        )
        self.world.note(f"in the night {symbol} gets the token {new}")
        self.owners[new] = self.owners.pop(old)
        self.world.checks.renumber(old, new)

    def _decide(self, until):
        rows = [row for row in self._rows() if row.kind == "division"]
        for row in rows:
            token = int(self.world.exchange.listings[f"NSE:{row.symbol}"].instrument.token)
            ratio = self.world.checks.ratios.get(token)
            word = f"adopt ratio={ratio.numerator}:{ratio.denominator}" if ratio else "ignore"
            self.operator.reconcile(f"{row.key} {word}")
        if not rows:
            super()._decide(until)
        elif self.world.loop.seconds < until:
            self.world.loop.call_later(2.0, self._decide, until)


def live_through(seed):
    """Run the days of a seed and return what happened in their nights."""
    with pytest.MonkeyPatch.context() as patch:

        def kind(seed):
            made = Mornings(seed, patch)
            counts.append(made.counts)
            return made

        counts = []
        away.live_through(seed, kind)
        return counts[0]
