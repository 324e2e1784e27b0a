"""A financial year (April to March) as the tax return asks for it: capital gains, intraday and derivatives.

Rates, holding periods and the rule of turnover are dated rows of `tax.json`. Amounts are paise. A delivery sale is a
capital gain: short or long by the holding period, STT is no cost of it. Intraday is speculative business, derivatives
are business that is not; there every charge is a cost. Turnover is the sum of the differences, gains and losses alike
(ICAI, Guidance Note on Tax Audit under section 44AB).
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple, Self

import msgspec

from engine.errors import ConfigError
from engine.market.assets import Asset
from engine.market.dated import Row, on, read
from engine.market.deals import Quantity
from engine.market.lots import DELIVERY, DERIVATIVES, INTRADAY, Line, Matched

FILE = Path(__file__).with_name("tax.json")


SLAB: Final = -1.0
"""The percent of a gain that is taxed at the taxpayer's own slab rate, which nobody here knows."""
EQUITY: Final = (Asset.SHARE, Asset.EQUITY_FUND)


class Gains(Row, frozen=True, kw_only=True):
    """How gains are taxed; `months` is the longest short-term holding, a percent of None the slab rate."""

    assets: tuple[Asset, ...] = EQUITY
    bought_from: date = date.min
    bought_until: date = date.max
    months: int
    months_unlisted: int = 0
    short_percent: float | None
    long_percent: float | None


class _Exemption(Row, frozen=True, kw_only=True):
    amount: int


class _Turnover(Row, frozen=True, kw_only=True):
    premium: bool


class _File(msgspec.Struct, forbid_unknown_fields=True):
    about: str
    read: date
    sources: dict[str, str]
    gains: list[Gains]
    other_gains: list[Gains]
    exemption: list[_Exemption]
    turnover: list[_Turnover]


class Year(NamedTuple):
    """A financial year, both days included."""

    first: date
    last: date

    @property
    def name(self) -> str:
        """Return its name, as "2025-26"."""
        return f"{self.first.year}-{self.last.year % 100:02}"


class Entry(NamedTuple):
    """One closed part as the return wants it: `gain` after the charges that count, `percent` the rate of a gain."""

    line: Line
    term: str
    percent: float
    gain: int
    turnover: int


class Bucket(NamedTuple):
    """All gains of one term and rate, losses taken off; `equity`: on shares and equity funds, of which some are free."""

    term: str
    percent: float
    gain: int
    equity: bool = True


class Business(NamedTuple):
    """Intraday (speculative) or derivatives (not): turnover, profit before charges, charges, profit."""

    section: str
    turnover: int
    difference: int
    charges: int
    profit: int


class Report(NamedTuple):
    """One financial year; `tax` on gains is before surcharge and cess, without the slab rate's and earlier losses."""

    year: Year
    entries: list[Entry]
    gains: list[Bucket]
    exemption: int
    taxable: list[Bucket]
    tax: int
    business: list[Business]
    unmatched: Quantity


class TaxRules:
    """The rates and rules of every day the table covers."""

    def __init__(self, table: _File) -> None:
        self._table = table

    @classmethod
    def load(cls, file: Path = FILE) -> Self:
        """Read the table; raise `DataError` where it is missing or malformed."""
        return cls(read(file, _File))

    def gains(self, sold: date, asset: Asset = Asset.SHARE, bought: date = date.max) -> Gains:
        """Return how a gain of that day is taxed."""
        rows = self._table.gains if asset in EQUITY else self._table.other_gains
        chosen = [row for row in rows if asset in row.assets and row.bought_from <= bought <= row.bought_until]
        return on(chosen, sold, "capital gains rate", FILE)

    def exemption(self, year: Year) -> int:
        """Return how much long-term gain of a year is free, in paise."""
        return on(self._table.exemption, year.last, "exemption", FILE).amount * 100

    def premium_counts(self, day: date) -> bool:
        """Tell whether the premium of options sold counts into turnover."""
        return on(self._table.turnover, day, "rule of turnover", FILE).premium

    def term(self, line: Line) -> str:
        """Return "long" or "short": long-term is a holding of more than the months of the day of sale."""
        rule = self.gains(line.closed, line.asset, line.opened)
        months = rule.months if line.listed else max(rule.months, rule.months_unlisted)
        return "long" if line.closed > _months_after(line.opened, months) else "short"

    def entry(self, line: Line) -> Entry:
        """Return a closed part as the return wants it."""
        if line.section == DELIVERY:
            term, rule = self.term(line), self.gains(line.closed, line.asset, line.opened)
            percent = rule.long_percent if term == "long" else rule.short_percent
            return Entry(line, term, SLAB if percent is None else percent, line.difference - line.charges + line.stt, 0)
        turnover = abs(line.difference)
        if line.option and self.premium_counts(line.closed):
            turnover += line.proceeds
        return Entry(line, "", 0.0, line.difference - line.charges, turnover)

    def report(self, matched: Matched, year: Year) -> Report:
        """Return one financial year of what was matched; an earlier year's sales stay out of it."""
        entries = [self.entry(line) for line in matched.lines if year.first <= line.closed <= year.last]
        gains = _buckets(entries)
        exemption = self.exemption(year)
        taxable = _taxable(gains, exemption)
        tax = sum(round(bucket.gain * bucket.percent / 100.0) for bucket in taxable if bucket.percent != SLAB)
        business = [_business(section, entries) for section in (INTRADAY, DERIVATIVES)]
        unmatched = sum(lot.quantity for lot in matched.unmatched if year.first <= lot.day <= year.last)
        return Report(year, entries, gains, exemption, taxable, tax, business, unmatched)


def financial_year(text: str) -> Year:
    """Return the year a name such as "2025-26" stands for; raise `ConfigError`."""
    head, _, tail = text.partition("-")
    if not (text.isascii() and head.isdecimal() and len(head) == 4 and tail.isdecimal() and len(tail) == 2):
        raise ConfigError(f'financial year {text!r}: expected two years as in "2025-26"')
    first = int(head)
    if (first + 1) % 100 != int(tail):
        raise ConfigError(f"financial year {text!r}: {first} is followed by {(first + 1) % 100:02}")
    return Year(date(first, 4, 1), date(first + 1, 3, 31))


def year_of(day: date) -> Year:
    """Return the financial year of a day."""
    first = day.year if day.month >= 4 else day.year - 1
    return Year(date(first, 4, 1), date(first + 1, 3, 31))


def _buckets(entries: Iterable[Entry]) -> list[Bucket]:
    sums: defaultdict[tuple[str, float, bool], int] = defaultdict(int)
    for entry in entries:
        if entry.line.section == DELIVERY:
            sums[entry.term, entry.percent, entry.line.asset in EQUITY] += entry.gain
    return [Bucket(term, percent, gain, equity) for (term, percent, equity), gain in sorted(sums.items())]


def _taxable(gains: list[Bucket], exemption: int) -> list[Bucket]:
    """Return what is taxed: losses, then the exemption, come off the gains with the highest rate first.

    A short-term loss is set off against gains of both terms, a long-term loss against long-term gains alone; what is
    left of a loss is carried to later years and is not in the result. What is taxed at the slab rate comes last; the
    exemption is for shares and equity funds alone.
    """
    left = sorted((bucket for bucket in gains if bucket.gain > 0), key=lambda bucket: (bucket.term, -bucket.percent))
    loss = {term: -sum(b.gain for b in gains if b.term == term and b.gain < 0) for term in ("short", "long")}
    left, _ = _take_off(left, loss["long"], "long")
    left, short = _take_off(left, loss["short"], "short")
    left, _ = _take_off(left, short, "long")
    left, _ = _take_off(left, exemption, "long", equity=True)
    return left


def _take_off(gains: list[Bucket], amount: int, term: str, *, equity: bool = False) -> tuple[list[Bucket], int]:
    kept = []
    for bucket in gains:
        taken = min(bucket.gain, amount) if bucket.term == term and (bucket.equity or not equity) else 0
        amount -= taken
        kept.append(bucket._replace(gain=bucket.gain - taken))
    return kept, amount


def _business(section: str, entries: Iterable[Entry]) -> Business:
    chosen = [entry for entry in entries if entry.line.section == section]
    return Business(
        section,
        sum(entry.turnover for entry in chosen),
        sum(entry.line.difference for entry in chosen),
        sum(entry.line.charges for entry in chosen),
        sum(entry.gain for entry in chosen),
    )


def _months_after(day: date, months: int) -> date:
    """Return the same day of a later month, its last day where it has fewer."""
    years, month = divmod(day.month - 1 + months, 12)
    for number in range(day.day, 27, -1):
        try:
            return date(day.year + years, month + 1, number)
        except ValueError:
            continue
    return date(day.year + years, month + 1, day.day)
