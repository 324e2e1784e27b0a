"""Corporate actions by date: what they do to prices and positions, bars adjusted for them, and orders they will hit.

Splits, bonuses and dividends are read from NSE's list; what that leaves out (what a demerger took away, which dividend
is extraordinary) stands in `corporate_actions.json`. An action whose effect is not known raises `DataError` instead of
passing for none. Rights issues and other schemes are not adjusted for: `not_adjusted` lists them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from math import prod
from pathlib import Path
from typing import Literal, NamedTuple, Self

import msgspec

from engine.errors import DataError
from engine.market.action_text import Kind, effects
from engine.market.dated import Row, on, read

FILE = Path(__file__).with_name("corporate_actions.json")

SHARES = frozenset({Kind.SPLIT, Kind.CONSOLIDATION, Kind.BONUS})
"""What changes the number of shares."""
CONSEQUENCES = {
    Kind.SPLIT: "the broker disables the GTT: place it again at the new prices",
    Kind.CONSOLIDATION: "the broker disables the GTT: place it again at the new prices",
    Kind.BONUS: "the broker disables the GTT: place it again at the new prices",
    Kind.DIVIDEND: "the broker cancels the GTT: place it again",
    Kind.RIGHTS: "the broker cancels the GTT: place it again",
    Kind.DEMERGER: "the price falls by what is split off; what the broker does with the GTT is not known: look",
    Kind.SCHEME: "what the scheme does to the price and the GTT is not known: look",
}


class Action(NamedTuple):
    """One corporate action of a share; `ratio` shares after per share before, `amount` rupees per share."""

    symbol: str
    ex: date
    kind: Kind
    ratio: float
    amount: float
    text: str


class Step(NamedTuple):
    """What the bars before a day are adjusted by: prices divided by `price`, volumes multiplied by `shares`."""

    ex: date
    price: float
    shares: float


class Standing(NamedTuple):
    """Something that waits at a price of today: a GTT or a ladder, its share, and its prices in rupees."""

    what: str
    symbol: str
    prices: tuple[float, ...] = ()


class Flag(NamedTuple):
    """What an action does to something that stands; `prices` are where it would stand afterwards."""

    what: str
    action: Action
    consequence: str
    prices: tuple[float, ...]


class Demerger(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What stays (`share` of the cost) and what comes of one share (`ratio` shares of `into`)."""

    symbol: str
    ex: date
    share: float
    into: str
    ratio: float
    source: list[str]
    confidence: Literal["high", "medium", "low"]
    note: str = ""


class _Extraordinary(Row, frozen=True, kw_only=True):
    percent: float


class _File(msgspec.Struct, forbid_unknown_fields=True):
    about: str
    read: date
    sources: dict[str, str]
    demergers: list[Demerger]
    renamed: dict[str, str]
    extraordinary: list[_Extraordinary]


Closes = Mapping[date, float]
"""Unadjusted closes in rupees by day."""


class Actions:
    """The corporate actions of all shares."""

    def __init__(self, actions: Iterable[Action], file: Path = FILE) -> None:
        self._table = read(file, _File)
        self._demergers = {(row.symbol, row.ex): row for row in self._table.demergers}
        self._by_symbol: defaultdict[str, list[Action]] = defaultdict(list)
        for action in sorted(set(actions), key=lambda each: (each.ex, each.kind.value, each.text)):
            self._by_symbol[action.symbol].append(action)

    @classmethod
    def load(cls, list_file: Path) -> Self:
        """Read NSE's list (Parquet with symbol, series, exDate, subject); raise `DataError` where that fails."""
        import pyarrow as pa  # noqa: PLC0415  0.1 s that a desk without the list need not pay
        import pyarrow.parquet as pq  # noqa: PLC0415

        try:
            rows = pq.read_table(list_file, columns=["symbol", "series", "exDate", "subject"]).to_pylist()
        except FileNotFoundError:
            raise DataError(f"{list_file}: no such file") from None
        except (OSError, KeyError, pa.ArrowException) as error:
            raise DataError(f"{list_file}: no list of corporate actions: {' '.join(str(error).split())}") from error
        equity = (row for row in rows if row["series"] == "EQ" and row["exDate"] is not None)
        return cls(each for row in equity for each in parsed(row["symbol"], row["exDate"].date(), row["subject"]))

    def name(self, symbol: str) -> str:
        """Return what a share is called today, as NSE's list calls it on every day."""
        return self._table.renamed.get(symbol, symbol)

    def of(self, symbol: str, first: date = date.min, last: date = date.max) -> list[Action]:
        """Return the actions of a share with an ex-date from `first` to `last`, both included, oldest first."""
        return [action for action in self._by_symbol.get(self.name(symbol), []) if first <= action.ex <= last]

    @property
    def last(self) -> date:
        """Return the newest ex-date there is, `date.min` where there is none."""
        return max((action.ex for actions in self._by_symbol.values() for action in actions), default=date.min)

    def on(self, day: date) -> list[Action]:
        """Return all actions with this ex-date, in order of symbol."""
        found = (action for actions in self._by_symbol.values() for action in actions if action.ex == day)
        return sorted(found, key=lambda action: action.symbol)

    def demerger(self, action: Action) -> Demerger:
        """Return what a demerger left and gave; raise `DataError` where no row tells."""
        row = self._demergers.get((action.symbol, action.ex))
        if row is None:
            raise DataError(f"the demerger of {action.symbol} on {action.ex}: its share is not known, add it to {FILE}")
        return row

    def child(self, action: Action) -> str:
        """Return the share that came out of a demerger, empty where none is known."""
        row = self._demergers.get((action.symbol, action.ex))
        return row.into if row is not None and action.kind is Kind.DEMERGER else ""

    def steps(
        self, symbol: str, after: date, until: date, closes: Closes | None = None, *, demergers: bool = True
    ) -> list[Step]:
        """Return the adjustments with an ex-date in (after, until], oldest first.

        Splits, consolidations and bonuses always count, demergers unless they are left out. With `closes`, the
        extraordinary dividends count too: the share loses amount / close of the day before. Raises `DataError` for an
        action whose effect is not known.
        """
        found = [
            self._step(action, closes, demergers=demergers) for action in self.of(symbol) if after < action.ex <= until
        ]
        return [step for step in found if step is not None]

    def factor(self, symbol: str, day: date, until: date, closes: Closes | None = None) -> float:
        """Return what a price of `day` is divided by to compare with a price of `until`."""
        return prod(step.price for step in self.steps(symbol, day, until, closes))

    def not_adjusted(self, symbol: str, after: date, until: date) -> list[Action]:
        """Return the rights issues and schemes with an ex-date in (after, until]: their effect stays in the prices."""
        return [
            action
            for action in self.of(symbol)
            if after < action.ex <= until and action.kind in {Kind.RIGHTS, Kind.SCHEME}
        ]

    def is_extraordinary(self, action: Action, close: float) -> bool:
        """Tell whether a dividend is, at the close (₹) before its ex-date."""
        return action.amount * 100.0 >= self._percent(action.ex) * close

    def flags(self, day: date, standing: Iterable[Standing], closes: Mapping[str, float]) -> list[Flag]:
        """Return what the actions of an ex-date do to GTTs and ladders; `closes` are yesterday's by symbol, in rupees.

        An ordinary dividend is no reason; without a close every dividend is one.
        """
        found: list[Flag] = []
        for each in standing:
            close = closes.get(each.symbol)
            found += [
                Flag(each.what, action, CONSEQUENCES[action.kind], self._moved(action, each.prices, close))
                for action in self.of(each.symbol, day, day)
                if not self._is_ordinary(action, close)
            ]
        return found

    def _is_ordinary(self, action: Action, close: float | None) -> bool:
        if action.kind is not Kind.DIVIDEND or action.amount < 0 or close is None:
            return False
        return not self.is_extraordinary(action, close)

    def _moved(self, action: Action, prices: tuple[float, ...], close: float | None) -> tuple[float, ...]:
        """Return the prices after the action, none where that is not known."""
        if action.kind in SHARES and action.ratio > 0:
            return tuple(round(price / action.ratio, 4) for price in prices)
        if action.kind is Kind.DIVIDEND and close is not None and 0 <= action.amount < close:
            return tuple(round(price * (close - action.amount) / close, 4) for price in prices)
        return ()

    def _step(self, action: Action, closes: Closes | None, *, demergers: bool) -> Step | None:
        if action.kind in SHARES:
            if action.ratio <= 0:
                raise DataError(f"{action.symbol} on {action.ex}: no ratio in {action.text!r}")
            return Step(action.ex, action.ratio, action.ratio)
        if action.kind is Kind.DEMERGER and demergers:
            return Step(action.ex, 1.0 / self.demerger(action).share, 1.0)
        if action.kind is Kind.DIVIDEND and closes is not None:
            return self._dividend(action, closes)
        return None

    def _dividend(self, action: Action, closes: Closes) -> Step | None:
        close = closes[max(before)] if (before := [day for day in closes if day < action.ex]) else 0.0
        if close <= 0:
            raise DataError(f"{action.symbol} on {action.ex}: no close before the ex-date of {action.text!r}")
        if action.amount < 0:
            raise DataError(f"{action.symbol} on {action.ex}: no amount in {action.text!r}")
        if not self.is_extraordinary(action, close):
            return None
        return Step(action.ex, close / (close - action.amount), 1.0)

    def _percent(self, day: date) -> float:
        return on(self._table.extraordinary, day, "rule on extraordinary dividends", FILE).percent


def parsed(symbol: str, ex: date, subject: str) -> list[Action]:
    """Return the actions that one line of NSE's list announces."""
    text = " ".join(subject.split())
    return [Action(symbol, ex, effect.kind, effect.ratio, effect.amount, text) for effect in effects(text)]
