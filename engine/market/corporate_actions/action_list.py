"""Corporate actions by date, applied to prices, positions, bars, and standing orders.

Splits, bonuses and dividends are read from NSE's list; what that leaves out (what a demerger took
away, which dividend is extraordinary) stands in `corporate_actions.json`. An action whose effect is
not known raises `DataError` instead of passing for none. Rights issues and other schemes are not
adjusted for: `not_adjusted` lists them.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Literal, NamedTuple, Self

import msgspec

from engine.errors import DataError
from engine.market.corporate_actions.action_subject import ActionKind, subject_effects
from engine.market.dated_rows import PeriodRow, read_table, row_on

FILE = Path(__file__).with_name("corporate_actions.json")

SHARES = frozenset({ActionKind.SPLIT, ActionKind.CONSOLIDATION, ActionKind.BONUS})
"""What changes the number of shares."""
CONSEQUENCES = {
    ActionKind.SPLIT: "the broker disables the GTT: place it again at the new prices",
    ActionKind.CONSOLIDATION: "the broker disables the GTT: place it again at the new prices",
    ActionKind.BONUS: "the broker disables the GTT: place it again at the new prices",
    ActionKind.DIVIDEND: "the broker cancels the GTT: place it again",
    ActionKind.RIGHTS: "the broker cancels the GTT: place it again",
    ActionKind.DEMERGER: (
        "the price falls by what is split off; what the broker does with the GTT is not known: look"
    ),
    ActionKind.SCHEME: "what the scheme does to the price and the GTT is not known: look",
}


class CorporateAction(NamedTuple):
    """One corporate action of a share.

    `ratio` is shares after per share before, `amount` rupees per share.
    """

    symbol: str
    ex: date
    kind: ActionKind
    ratio: float
    amount: float
    text: str


class AdjustmentStep(NamedTuple):
    """The adjustment of the bars before a day.

    Prices are divided by `price`, volumes multiplied by `shares`.
    """

    ex: date
    price: float
    shares: float


class StandingItem(NamedTuple):
    """A GTT or a ladder that waits at a price of today: its share, its prices in rupees."""

    what: str
    symbol: str
    prices: tuple[float, ...] = ()


class ActionFlag(NamedTuple):
    """The effect of an action on a standing item.

    `prices` are where it would stand afterwards.
    """

    what: str
    action: CorporateAction
    consequence: str
    prices: tuple[float, ...]


class DemergerTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The split of a demerged share: `share` of the cost stays.

    `ratio` shares of `into` come of one share.
    """

    symbol: str
    ex: date
    share: float
    into: str
    ratio: float
    source: list[str]
    confidence: Literal["high", "medium", "low"]
    note: str = ""


class _ExtraordinaryRule(PeriodRow, frozen=True, kw_only=True):
    percent: float


class _ActionTable(msgspec.Struct, forbid_unknown_fields=True):
    about: str
    read: date
    sources: dict[str, str]
    demergers: list[DemergerTerms]
    renamed: dict[str, str]
    extraordinary: list[_ExtraordinaryRule]


Closes = Mapping[date, float]
"""Unadjusted closes in rupees by day."""


class CorporateActions:
    """The corporate actions of all shares."""

    def __init__(self, actions: Iterable[CorporateAction], file: Path = FILE) -> None:
        self._table = read_table(file, _ActionTable)
        self._demergers = {(row.symbol, row.ex): row for row in self._table.demergers}
        self._by_symbol: defaultdict[str, list[CorporateAction]] = defaultdict(list)
        for action in sorted(set(actions), key=lambda each: (each.ex, each.kind.value, each.text)):
            self._by_symbol[action.symbol].append(action)

    @classmethod
    def load(cls, list_file: Path) -> Self:
        """Read NSE's list (Parquet with symbol, series, exDate, subject).

        Raise `DataError` where it cannot be read.
        """
        import pyarrow as pa  # noqa: PLC0415  0.1 s that a desk without the list need not pay
        import pyarrow.parquet as pq  # noqa: PLC0415

        try:
            rows = pq.read_table(
                list_file, columns=["symbol", "series", "exDate", "subject"]
            ).to_pylist()
        except FileNotFoundError:
            raise DataError(f"{list_file}: no such file") from None
        except (OSError, KeyError, pa.ArrowException) as error:
            raise DataError(
                f"{list_file}: no list of corporate actions: {' '.join(str(error).split())}"
            ) from error
        # Other series are other securities, with actions of their own.
        equity = (row for row in rows if row["series"] == "EQ" and row["exDate"] is not None)
        return cls(
            each
            for row in equity
            for each in parsed_actions(row["symbol"], row["exDate"].date(), row["subject"])
        )

    @cached_property
    def digest(self) -> str:
        """Return a hash of all actions."""
        return hashlib.sha256(repr(sorted(self._by_symbol.items())).encode()).hexdigest()

    def current_symbol(self, symbol: str) -> str:
        """Return a share's symbol of today, as NSE's list has it on every day."""
        return self._table.renamed.get(symbol, symbol)

    def of_symbol(
        self, symbol: str, first: date = date.min, last: date = date.max
    ) -> list[CorporateAction]:
        """Return the actions of a share, oldest first.

        Their ex-dates are from `first` to `newest_ex_date`, both included.
        """
        return [
            action
            for action in self._by_symbol.get(self.current_symbol(symbol), [])
            if first <= action.ex <= last
        ]

    @property
    def newest_ex_date(self) -> date:
        """Return the newest ex-date there is, `date.min` where there is none."""
        return max(
            (action.ex for actions in self._by_symbol.values() for action in actions),
            default=date.min,
        )

    def on_ex_date(self, day: date) -> list[CorporateAction]:
        """Return all actions with this ex-date, in order of symbol."""
        found = (
            action for actions in self._by_symbol.values() for action in actions if action.ex == day
        )
        return sorted(found, key=lambda action: action.symbol)

    def demerger(self, action: CorporateAction) -> DemergerTerms:
        """Return the terms of a demerger; raise `DataError` where no row has them."""
        row = self._demergers.get((action.symbol, action.ex))
        if row is None:
            raise DataError(
                f"the demerger of {action.symbol} on {action.ex}: its share is not known, add it "
                f"to {FILE}"
            )
        return row

    def demerged_symbol(self, action: CorporateAction) -> str:
        """Return the share that came out of a demerger, empty where none is known."""
        row = self._demergers.get((action.symbol, action.ex))
        return row.into if row is not None and action.kind is ActionKind.DEMERGER else ""

    def steps(
        self,
        symbol: str,
        after: date,
        until: date,
        closes: Closes | None = None,
        *,
        demergers: bool = True,
    ) -> list[AdjustmentStep]:
        """Return the adjustments with an ex-date in (after, until], oldest first.

        Splits, consolidations and bonuses always count, demergers unless they are left out. With
        `closes`, the extraordinary dividends count too: the share loses amount / close of the day
        before. Raises `DataError` for an action whose effect is not known.
        """
        found = [
            self._adjustment_step(action, closes, demergers=demergers)
            for action in self.of_symbol(symbol)
            if after < action.ex <= until
        ]
        return [step for step in found if step is not None]

    def factor(self, symbol: str, day: date, until: date, closes: Closes | None = None) -> float:
        """Return the divisor of a price of `day` in comparison with a price of `until`."""
        return prod(step.price for step in self.steps(symbol, day, until, closes))

    def not_adjusted(self, symbol: str, after: date, until: date) -> list[CorporateAction]:
        """Return the rights issues and schemes with an ex-date in (after, until].

        Their effect stays in the prices.
        """
        return [
            action
            for action in self.of_symbol(symbol)
            if after < action.ex <= until and action.kind in {ActionKind.RIGHTS, ActionKind.SCHEME}
        ]

    def is_extraordinary(self, action: CorporateAction, close: float) -> bool:
        """Return whether a dividend is, at the close (₹) before its ex-date."""
        return action.amount * 100.0 >= self._extraordinary_percent(action.ex) * close

    def flags(
        self, day: date, standing: Iterable[StandingItem], closes: Mapping[str, float]
    ) -> list[ActionFlag]:
        """Return the effects of an ex-date's actions on GTTs and ladders.

        `closes` are yesterday's by symbol, in rupees. An ordinary dividend is no reason; without a
        close every dividend is one.
        """
        found: list[ActionFlag] = []
        for each in standing:
            close = closes.get(each.symbol)
            found += [
                ActionFlag(
                    each.what,
                    action,
                    CONSEQUENCES[action.kind],
                    self._prices_after(action, each.prices, close),
                )
                for action in self.of_symbol(each.symbol, day, day)
                if not self._is_ordinary_dividend(action, close)
            ]
        return found

    def _is_ordinary_dividend(self, action: CorporateAction, close: float | None) -> bool:
        # Without a close, or an amount, nobody can say that a dividend is small.
        if action.kind is not ActionKind.DIVIDEND or action.amount < 0 or close is None:
            return False
        return not self.is_extraordinary(action, close)

    def _prices_after(
        self, action: CorporateAction, prices: tuple[float, ...], close: float | None
    ) -> tuple[float, ...]:
        """Return the prices after the action, none where that is not known."""
        if action.kind in SHARES and action.ratio > 0:
            # Not yet on the tick grid: where a GTT can stand its owner decides.
            return tuple(round(price / action.ratio, 4) for price in prices)
        if action.kind is ActionKind.DIVIDEND and close is not None and 0 <= action.amount < close:
            return tuple(round(price * (close - action.amount) / close, 4) for price in prices)
        return ()

    def _adjustment_step(
        self, action: CorporateAction, closes: Closes | None, *, demergers: bool
    ) -> AdjustmentStep | None:
        if action.kind in SHARES:
            if action.ratio <= 0:
                raise DataError(f"{action.symbol} on {action.ex}: no ratio in {action.text!r}")
            return AdjustmentStep(action.ex, action.ratio, action.ratio)
        if action.kind is ActionKind.DEMERGER and demergers:
            # The number of shares stays; a part of the price has become another share.
            return AdjustmentStep(action.ex, 1.0 / self.demerger(action).share, 1.0)
        if action.kind is ActionKind.DIVIDEND and closes is not None:
            return self._dividend_step(action, closes)
        return None

    def _dividend_step(self, action: CorporateAction, closes: Closes) -> AdjustmentStep | None:
        close = (
            closes[max(before)] if (before := [day for day in closes if day < action.ex]) else 0.0
        )
        if close <= 0:
            raise DataError(
                f"{action.symbol} on {action.ex}: no close before the ex-date of {action.text!r}"
            )
        if action.amount < 0:
            raise DataError(f"{action.symbol} on {action.ex}: no amount in {action.text!r}")
        if not self.is_extraordinary(action, close):
            return None
        # The exchange lowers its contracts by an extraordinary dividend, and by no other.
        return AdjustmentStep(action.ex, close / (close - action.amount), 1.0)

    def _extraordinary_percent(self, day: date) -> float:
        return row_on(
            self._table.extraordinary, day, "rule on extraordinary dividends", FILE
        ).percent


def parsed_actions(symbol: str, ex: date, subject: str) -> list[CorporateAction]:
    """Return the actions that one line of NSE's list announces."""
    text = " ".join(subject.split())
    return [
        CorporateAction(
            symbol, ex, kind=effect.kind, ratio=effect.ratio, amount=effect.amount, text=text
        )
        for effect in subject_effects(text)
    ]
