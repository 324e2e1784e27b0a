"""Splits, bonuses and consolidations of carried shares: known ones, doubts, and records."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from math import floor, prod
from typing import Final, NamedTuple, Protocol

from compiled.model.events import CarriedDivision
from compiled.model.number_bounds import HELD, LAST, NUMBER, PRICE
from compiled.model.values import GttStatus
from compiled.trading.desk_state import InstrumentState
from compiled.trading.kernel import Kernel
from compiled.trading.ladder import Rung
from compiled.trading.reports.share_division import concerns_rung
from engine.books.journal_rows import check_number
from engine.market.calendar import ist_day, midnight
from engine.market.corporate_actions.action_list import SHARES, CorporateActions
from engine.ports import BrokerHolding, Journal

NOTED: Final = "division:"
"""The prefix of a division's key in the journal's `meta`, before its token and first day."""
MOST: Final = 100
"""The most shares for one that are believed without a date."""
BEYOND, DAYS_MOVE = 0.9, 1.25
"""Of a stop, and of the highest price, beyond which a close says that the share was divided."""
BETWEEN, CLOSE = 0.05, 0.02
"""The margin around stop and highest price for a divided close, and around the divided costs."""

Levels = tuple[float, float, float]
"""A rung's stop, target and most favourable price, rupees."""


class ShareDivision(NamedTuple):
    """A division: `shares` of an instrument stand where `per` did from `since` (ns) on.

    It was taken in `at` (ns). `levels` are those of the rungs before it, `awaited` the shares that
    were not credited then: (ours, all) by product. One for one: the operator says that there was
    none.
    """

    token: int
    since: int
    shares: int
    per: int
    at: int
    levels: dict[int, Levels]
    awaited: dict[str, tuple[int, int]]

    @property
    def ratio(self) -> Fraction:
        """Return the shares after for one before."""
        return Fraction(self.shares, self.per)

    def note(self, journal: Journal) -> None:
        """Write it down."""
        fields = {
            "shares": self.shares,
            "per": self.per,
            "at": self.at,
            "levels": self.levels,
            "awaited": self.awaited,
        }
        journal.append(
            "meta", {"key": f"{NOTED}{self.token}:{self.since}", "value": json.dumps(fields)}
        )


def kept_divisions(journal: Journal) -> list[ShareDivision]:
    """Return the written divisions, by day; raise `DataError` for impossible ones."""
    found = []
    for row in journal.load("meta", "key LIKE ? AND value IS NOT NULL", (NOTED + "%",)):
        where, fields = f"meta, row {row['key']}:", json.loads(str(row["value"]))
        _, token, since = str(row["key"]).split(":")
        for value in (fields["shares"], fields["per"]):
            check_number(where, value, 1, int(HELD))
        check_number(where, int(token), 1, int(NUMBER))
        for value in (int(since), fields["at"]):
            check_number(where, value, 0, int(LAST))
        levels = {
            int(rung): (float(a), float(b), float(c))
            for rung, (a, b, c) in fields["levels"].items()
        }
        for each in levels.values():
            for value in each:
                check_number(where, value, 0.0, PRICE)
        awaited = {
            product: (int(ours), int(total)) for product, (ours, total) in fields["awaited"].items()
        }
        found.append(
            ShareDivision(
                int(token),
                int(since),
                shares=fields["shares"],
                per=fields["per"],
                at=fields["at"],
                levels=levels,
                awaited=awaited,
            )
        )
    return sorted(found, key=lambda each: each.since)


def carried_rungs(market: InstrumentState, before: int) -> list[Rung]:
    """Return the rungs that hold delivered shares of earlier days than `before` (ns)."""
    return [
        rung
        for ladder in market.ladders
        for rung in ladder.rungs
        if concerns_rung(ladder, rung, before)
    ]


def carried_shares(market: InstrumentState, before: int, *, there: bool = False) -> dict[str, int]:
    """Return our rungs' shares of earlier days than `before` (ns), by product.

    `there`: those whose stop has not fired.
    """
    found: Counter[str] = Counter()
    for ladder in market.ladders:
        for rung in ladder.rungs:
            if concerns_rung(ladder, rung, before) and not (there and rung.fired_earlier):
                found[ladder.plan.product.name] += int(rung.quantity)
    return dict(found)


def make_division(
    market: InstrumentState,
    ratio: Fraction,
    since: int,
    now: int,
    books: Mapping[str, int],
    apart: Mapping[str, int],
) -> ShareDivision:
    """Return the division of carried shares, to be noted.

    `books` has the broker's shares, `apart` the owner's, by product. Of shares that the broker has
    not credited yet it has ours and all. Unobserved sales by a stop are not awaited.
    """
    awaited = {}
    for product, ours in carried_shares(market, since, there=True).items():
        before = ours + apart.get(product, 0)
        total = floor(before * ratio) - before
        if total > 0 and books.get(product, 0) == before:
            awaited[product] = (floor(ours * ratio) - ours, total)
    levels = {
        int(rung.rung_id): (rung.stop, rung.target, rung.high)
        for rung in carried_rungs(market, since)
    }
    return ShareDivision(
        int(market.token),
        since,
        shares=ratio.numerator,
        per=ratio.denominator,
        at=now,
        levels=levels,
        awaited=awaited,
    )


def divide_event(division: ShareDivision) -> CarriedDivision:
    """Return the division's event for the kernel."""
    return CarriedDivision(
        division.at, division.token, division.shares, division.per, division.since
    )


def dated_ratio(
    actions: CorporateActions, symbol: str, after: date, until: date
) -> tuple[Fraction, str, date]:
    """Return the list's ratio with an ex-date in (after, until], its text, and its day."""
    found = [
        each
        for each in actions.of_symbol(symbol, after + timedelta(days=1), until)
        if each.kind in SHARES and each.ratio > 0
    ]
    ratio = prod(
        (Fraction(each.ratio).limit_denominator(1_000) for each in found), start=Fraction(1)
    )
    return (
        ratio,
        ", ".join(f"{each.text} of {each.ex}" for each in found),
        found[-1].ex if found else until,
    )


def books_ratio(books: int, ours: int) -> Fraction:
    """Return how many times ours the broker's books have, 1 where that is no whole number.

    The rest of fractions is not known.
    """
    if books <= 0 or ours <= 0:
        return Fraction(1)
    ratio = Fraction(books, ours)
    return ratio if ratio.denominator == 1 and ratio <= MOST else Fraction(1)


def has_jumped(market: InstrumentState, rungs: Iterable[Rung]) -> bool:
    """Return whether yesterday's close is so far beyond stop or high as hardly any day moves."""
    close = market.instrument.close
    return close > 0.0 and any(
        rung.stop > 0.0 and not rung.stop * BEYOND <= close <= rung.high * DAYS_MOVE
        for rung in rungs
    )


def explains_close(ratio: Fraction, market: InstrumentState, rungs: Sequence[Rung]) -> bool:
    """Return whether yesterday's close fits the prices between stop and high after a ratio."""
    close = market.instrument.close * float(ratio)
    least, most = 1.0 - BETWEEN, 1.0 + BETWEEN
    return all(rung.stop * least <= close <= rung.high * most for rung in rungs if rung.stop > 0.0)


def costs_the_same(ratio: Fraction, rungs: Sequence[Rung], average: float) -> bool:
    """Return whether the broker's average price (rupees) is ours after the ratio."""
    shares = sum(int(rung.quantity) for rung in rungs)
    ours = sum(int(rung.quantity) * rung.average for rung in rungs) / shares
    return abs(average * float(ratio) / ours - 1.0) <= CLOSE


def disabled_gtts(kernel: Kernel) -> dict[int, str]:
    """Return the tokens of rungs whose GTT the broker has disabled, and the GTTs.

    It does so for a corporate action.
    """
    return {
        int(ladder.instrument.token): f"the broker has disabled GTT {rung.gtt.gtt_id}"
        for ladder in kernel.state.ladders.values()
        for rung in ladder.rungs
        if rung.quantity > 0 and rung.gtt is not None and rung.gtt.status is GttStatus.DISABLED
    }


class OwnerShareKeeper(Protocol):
    """The keeper of the owner's shares and of doubts."""

    doubted: dict[int, str]

    def apart(self, symbol: str, product: str) -> int:
        """Return how many shares are the owner's."""
        ...


def recognise_divisions(
    kernel: Kernel,
    actions: CorporateActions | None,
    holdings: Iterable[BrokerHolding],
    reconciler: OwnerShareKeeper,
    last: date,
    day: date,
    now: int,
) -> list[tuple[ShareDivision, str]]:
    """Return the divisions since the day `last` of shares carried into `day`, with their texts.

    The list of actions is believed; without it the broker's shares, its average and yesterday's
    close have to agree. Where they do not, and a price or a disabled GTT says that something has
    happened, it is `doubted`.
    """
    found, since, off = [], midnight(day), disabled_gtts(kernel)
    for token, market in kernel.state.markets.items():
        rungs, symbol = carried_rungs(market, since), market.instrument.symbol
        if not rungs:
            continue
        mine = [each for each in holdings if each.token == token]
        books = {each.product: each.quantity for each in mine}
        apart = {product: reconciler.apart(symbol, product) for product in books}
        ratio, text, begins = (
            dated_ratio(actions, symbol, last, day)
            if actions is not None
            else (Fraction(1), "", day)
        )
        if ratio == 1:
            ratio = _ratio_by_books(market, rungs, mine, apart)
            text = f"by the broker's shares and yesterday's close of {market.instrument.close:.2f}"
        if ratio != 1:
            division = make_division(
                market, ratio, since=midnight(begins), now=now, books=books, apart=apart
            )
            ours = sum(carried_shares(market, since).values())
            shares = (
                f"{ratio.numerator} for {ratio.denominator}, {text}: {ours} shares become "
                f"{floor(ours * ratio)}"
            )
            found.append((division, f"{symbol}: {shares}, their stops and averages with them"))
        elif token in off or has_jumped(market, rungs):
            why = off.get(
                token, f"yesterday's close of {market.instrument.close:.2f} is far beyond its stop"
            )
            reconciler.doubted[token] = (
                f"{why}: was it split? nothing of it is sold until that is decided"
            )
    return found


def _ratio_by_books(
    market: InstrumentState,
    rungs: Sequence[Rung],
    mine: Sequence[BrokerHolding],
    apart: Mapping[str, int],
) -> Fraction:
    """Return the ratio the broker's books and yesterday's close agree on, 1 if they do not."""
    ours = sum(int(rung.quantity) for rung in rungs) + sum(apart.values())
    ratio = books_ratio(sum(each.quantity for each in mine), ours)
    if ratio == 1 or not has_jumped(market, rungs) or not explains_close(ratio, market, rungs):
        return Fraction(1)
    if not any(apart.values()) and not costs_the_same(ratio, rungs, mine[0].average):
        return Fraction(1)
    return ratio


def last_opening_day(journal: Journal, day: date) -> date:
    """Return the day on which the desk was opened last before a day.

    It is a week before where that is not known.
    """
    for row in journal.load("meta", "key = ?", ("opened",)):
        last = ist_day(int(str(row["value"])))
        return min(last, day)
    return day - timedelta(days=7)
