"""A financial year (April to March) for the tax return: gains, intraday and derivatives.

Rates, holding periods and the rule of turnover are dated rows of `tax.json`. Amounts are paise. A
delivery sale is a capital gain: short or long by the holding period, STT is no cost of it. Intraday
is speculative business, derivatives are business that is not; there every charge is a cost.
Turnover is the sum of the differences, gains and losses alike (ICAI, Guidance Note on Tax Audit
under section 44AB).
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple, Self

import msgspec

from engine.errors import ConfigError
from engine.market.accounts.deals import Quantity
from engine.market.accounts.lot_matching import (
    DELIVERY,
    DERIVATIVES,
    INTRADAY,
    ClosedLot,
    MatchedLots,
)
from engine.market.asset_classes import AssetClass
from engine.market.dated_rows import PeriodRow, read_table, row_on

FILE = Path(__file__).with_name("tax.json")


SLAB: Final = -1.0
"""The percent of a gain that is taxed at the taxpayer's own slab rate, which nobody here knows."""
EQUITY: Final = (AssetClass.SHARE, AssetClass.EQUITY_FUND)


class GainsRule(PeriodRow, frozen=True, kw_only=True):
    """A rule of taxation of gains: the longest short-term holding, and the rates.

    `months` is the longest short-term holding, a percent of None the slab rate.
    """

    assets: tuple[AssetClass, ...] = EQUITY
    bought_from: date = date.min
    bought_until: date = date.max
    months: int
    months_unlisted: int = 0
    short_percent: float | None
    long_percent: float | None


class _ExemptionRow(PeriodRow, frozen=True, kw_only=True):
    amount: int


class _TurnoverRow(PeriodRow, frozen=True, kw_only=True):
    premium: bool


class _TaxTable(msgspec.Struct, forbid_unknown_fields=True):
    about: str
    read: date
    sources: dict[str, str]
    gains: list[GainsRule]
    other_gains: list[GainsRule]
    exemption: list[_ExemptionRow]
    turnover: list[_TurnoverRow]


class FinancialYear(NamedTuple):
    """A financial year, both days included."""

    first: date
    last: date

    @property
    def name(self) -> str:
        """Return its name, as "2025-26"."""
        return f"{self.first.year}-{self.last.year % 100:02}"


class TaxEntry(NamedTuple):
    """One closed part as the return wants it.

    `gain` is after the charges that count, `percent` the rate of a gain.
    """

    line: ClosedLot
    term: str
    percent: float
    gain: int
    turnover: int


class GainsBucket(NamedTuple):
    """All gains of one term and rate, less losses.

    `equity` says that they are on shares and equity funds, whose gains are free up to an amount.
    """

    term: str
    percent: float
    gain: int
    equity: bool = True


class BusinessIncome(NamedTuple):
    """Intraday (speculative) or derivatives (not) business income.

    It has turnover, profit before charges, charges, and profit.
    """

    section: str
    turnover: int
    difference: int
    charges: int
    profit: int


class TaxReport(NamedTuple):
    """One financial year.

    `tax` on gains is before surcharge and cess, without the slab rate's and earlier losses.
    """

    year: FinancialYear
    entries: list[TaxEntry]
    gains: list[GainsBucket]
    exemption: int
    taxable: list[GainsBucket]
    tax: int
    business: list[BusinessIncome]
    unmatched: Quantity


class TaxRules:
    """The rates and rules of every day the table covers."""

    def __init__(self, table: _TaxTable) -> None:
        self._table = table

    @classmethod
    def load(cls, file: Path = FILE) -> Self:
        """Read the table; raise `DataError` where it is missing or malformed."""
        return cls(read_table(file, _TaxTable))

    def gains(
        self, sold: date, asset: AssetClass = AssetClass.SHARE, bought: date = date.max
    ) -> GainsRule:
        """Return how a gain of that day is taxed."""
        rows = self._table.gains if asset in EQUITY else self._table.other_gains
        chosen = [
            row
            for row in rows
            if asset in row.assets and row.bought_from <= bought <= row.bought_until
        ]
        return row_on(chosen, sold, "capital gains rate", FILE)

    def exemption(self, year: FinancialYear) -> int:
        """Return how much long-term gain of a year is free, in paise."""
        return row_on(self._table.exemption, year.last, "exemption", FILE).amount * 100

    def premium_counts(self, day: date) -> bool:
        """Return whether the premium of options sold counts into turnover."""
        return row_on(self._table.turnover, day, "rule of turnover", FILE).premium

    def term(self, line: ClosedLot) -> str:
        """Return "long" or "short".

        Long-term is a holding of more than the months of the day of sale.
        """
        rule = self.gains(line.closed, line.asset, line.opened)
        # Units bought off the exchange are not listed, and are held longer before they are long-
        # term.
        months = rule.months if line.listed else max(rule.months, rule.months_unlisted)
        return "long" if line.closed > _months_after(line.opened, months) else "short"

    def entry(self, line: ClosedLot) -> TaxEntry:
        """Return a closed part as the return wants it."""
        if line.section == DELIVERY:
            term, rule = self.term(line), self.gains(line.closed, line.asset, line.opened)
            percent = rule.long_percent if term == "long" else rule.short_percent
            return TaxEntry(
                line,
                term,
                SLAB if percent is None else percent,
                # STT is no cost of a capital gain; in business it is.
                line.difference - line.charges + line.stt,
                0,
            )
        turnover = abs(line.difference)
        if line.option and self.premium_counts(line.closed):
            turnover += line.proceeds
        return TaxEntry(line, "", 0.0, line.difference - line.charges, turnover)

    def report(self, matched: MatchedLots, year: FinancialYear) -> TaxReport:
        """Return one financial year of matched lots; an earlier year's sales stay out of it."""
        entries = [
            self.entry(line) for line in matched.lines if year.first <= line.closed <= year.last
        ]
        gains = _gains_buckets(entries)
        exemption = self.exemption(year)
        taxable = _taxable_gains(gains, exemption)
        tax = sum(
            round(bucket.gain * bucket.percent / 100.0)
            for bucket in taxable
            if bucket.percent != SLAB
        )
        business = [_business_income(section, entries) for section in (INTRADAY, DERIVATIVES)]
        unmatched = sum(
            lot.quantity for lot in matched.unmatched if year.first <= lot.day <= year.last
        )
        return TaxReport(
            year,
            entries,
            gains=gains,
            exemption=exemption,
            taxable=taxable,
            tax=tax,
            business=business,
            unmatched=unmatched,
        )


def financial_year(text: str) -> FinancialYear:
    """Return the year a name such as "2025-26" stands for; raise `ConfigError`."""
    head, _, tail = text.partition("-")
    if not (
        text.isascii()
        and head.isdecimal()
        and len(head) == 4
        and tail.isdecimal()
        and len(tail) == 2
    ):
        raise ConfigError(f'financial year {text!r}: expected two years as in "2025-26"')
    first = int(head)
    # 2025-27 is a slip of the pen, not a year.
    if (first + 1) % 100 != int(tail):
        raise ConfigError(f"financial year {text!r}: {first} is followed by {(first + 1) % 100:02}")
    return FinancialYear(date(first, 4, 1), date(first + 1, 3, 31))


def year_of(day: date) -> FinancialYear:
    """Return the financial year of a day."""
    first = day.year if day.month >= 4 else day.year - 1
    return FinancialYear(date(first, 4, 1), date(first + 1, 3, 31))


def _gains_buckets(entries: Iterable[TaxEntry]) -> list[GainsBucket]:
    sums: defaultdict[tuple[str, float, bool], int] = defaultdict(int)
    for entry in entries:
        if entry.line.section == DELIVERY:
            sums[entry.term, entry.percent, entry.line.asset in EQUITY] += entry.gain
    return [
        GainsBucket(term, percent, gain, equity)
        for (term, percent, equity), gain in sorted(sums.items())
    ]


def _taxable_gains(gains: list[GainsBucket], exemption: int) -> list[GainsBucket]:
    """Return the taxable gains: losses, then the exemption, come off the highest rate first.

    A short-term loss is set off against gains of both terms, a long-term loss against long-term
    gains alone; what is left of a loss is carried to later years and is not in the result. Gains at
    the slab rate come last; the exemption is for shares and equity funds alone.
    """
    left = sorted(
        (bucket for bucket in gains if bucket.gain > 0),
        # "long" before "short" and the highest rate first: a loss is worth most there.
        key=lambda bucket: (bucket.term, -bucket.percent),
    )
    loss = {
        term: -sum(b.gain for b in gains if b.term == term and b.gain < 0)
        for term in ("short", "long")
    }
    # Long-term losses first: they have no other use, short-term ones may go on.
    left, _ = _take_off_amount(left, loss["long"], "long")
    left, short = _take_off_amount(left, loss["short"], "short")
    left, _ = _take_off_amount(left, short, "long")
    left, _ = _take_off_amount(left, exemption, "long", equity=True)
    return left


def _take_off_amount(
    gains: list[GainsBucket], amount: int, term: str, *, equity: bool = False
) -> tuple[list[GainsBucket], int]:
    kept = []
    for bucket in gains:
        taken = (
            min(bucket.gain, amount) if bucket.term == term and (bucket.equity or not equity) else 0
        )
        amount -= taken
        kept.append(bucket._replace(gain=bucket.gain - taken))
    return kept, amount


def _business_income(section: str, entries: Iterable[TaxEntry]) -> BusinessIncome:
    chosen = [entry for entry in entries if entry.line.section == section]
    return BusinessIncome(
        section,
        sum(entry.turnover for entry in chosen),
        sum(entry.line.difference for entry in chosen),
        sum(entry.line.charges for entry in chosen),
        sum(entry.gain for entry in chosen),
    )


def _months_after(day: date, months: int) -> date:
    """Return the same day of a later month, its last day where it has fewer."""
    years, month = divmod(day.month - 1 + months, 12)
    # A year from 29 February ends on the 28th.
    for number in range(day.day, 27, -1):
        try:
            return date(day.year + years, month + 1, number)
        except ValueError:
            continue
    return date(day.year + years, month + 1, day.day)
