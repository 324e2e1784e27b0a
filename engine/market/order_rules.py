"""Dated order rules: ticks, lots, freeze quantities, protection bands, order and GTT limits.

Prices and values are in rupees. A date before the first row of a rule raises `DataError`. The
instrument dump of the day has the last word on tick size and lot: these rules serve days without
one.
"""

from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal, Self

import msgspec

from compiled.model.exchange_rules import TriggerDistance
from compiled.venue.instrument_venue import PercentSlabs, VenueRules
from engine.errors import DataError
from engine.market.dated_rows import PeriodRow, read_table, row_on

FILE = Path(__file__).with_name("rules.json")

TickClass = Literal["stock", "etf", "stock future", "index future", "option"]

Step = tuple[float | None, float]
"""A price below the first number takes the second; None bounds nothing."""


class OrderLimits(PeriodRow, frozen=True, kw_only=True):
    """Zerodha's limits: rates over all segments of an account, size and price of one order.

    `max_quantity` in shares, `low_percent` and `high_percent` of the last price for a limit price,
    `ttl_minutes` the longest TTL, `slices` of one autoslice order. Under `api_rules` market orders
    bring their protection, and MCX takes no IOC from programs.
    """

    api_rules: bool
    per_second: int
    per_minute: int
    per_day: int
    modifications: int
    max_value: int
    max_quantity: int
    low_percent: float
    high_percent: float
    ttl_minutes: int
    slices: int


class GttLimits(PeriodRow, frozen=True, kw_only=True):
    """Limits of GTTs: active ones, days, and a trigger's distance from the last price."""

    active: int
    days: int
    distance_percent: float
    cheap_below: float
    cheap_distance: float

    @property
    def trigger_distance(self) -> TriggerDistance:
        """Return the least distance between a trigger and the last price."""
        return TriggerDistance(
            self.distance_percent, cheap_below=self.cheap_below, cheap=self.cheap_distance
        )


class _TickRow(
    PeriodRow,
    frozen=True,
    kw_only=True,
    rename={"first": "from", "last": "until", "tick_class": "class"},
):
    exchanges: list[str]
    tick_class: TickClass
    steps: list[Step]


class _LotRow(PeriodRow, frozen=True, kw_only=True):
    name: str
    lot: int


class _UnitsRow(PeriodRow, frozen=True, kw_only=True):
    name: str
    units: int


class _FreezeRow(PeriodRow, frozen=True, kw_only=True):
    name: str
    quantity: int


class _ProtectionBand(PeriodRow, frozen=True, kw_only=True):
    kinds: list[str]
    steps: list[Step]


class _OrderRuleTable(msgspec.Struct, forbid_unknown_fields=True):
    about: str
    read: date
    sources: dict[str, str]
    ticks: list[_TickRow]
    lots: list[_LotRow]
    units: list[_UnitsRow]
    freezes: list[_FreezeRow]
    protection: list[_ProtectionBand]
    orders: list[OrderLimits]
    gtt: list[GttLimits]


class OrderRules:
    """The order rules of every day the table covers."""

    def __init__(self, table: _OrderRuleTable) -> None:
        self._table = table

    @classmethod
    def load(cls, file: Path = FILE) -> Self:
        """Read the table; raise `DataError` where it is missing or malformed."""
        return cls(read_table(file, _OrderRuleTable))

    @property
    def begins(self) -> date:
        """Return the first day that the rules of orders and GTTs cover."""
        return max(
            min(row.first for row in rows) for rows in (self._table.gtt, self._table.protection)
        )

    def tick_size(
        self, day: date, price: float, exchange: str = "NSE", kind: TickClass = "stock"
    ) -> float:
        """Return the tick in rupees.

        `price` is the close of the last trading day of the month before (or the index).
        """
        rows = (
            row for row in self._table.ticks if exchange in row.exchanges and row.tick_class == kind
        )
        return _step_value(
            row_on(rows, day, f"tick size of a {kind} on {exchange}", FILE).steps, price
        )

    def lot_size(self, day: date, name: str) -> int:
        """Return the lot of an index's derivatives, in units."""
        return row_on(
            (row for row in self._table.lots if row.name == name), day, f"lot of {name}", FILE
        ).lot

    def lot_units(self, day: date, name: str) -> int:
        """Return the units of a commodity's price in one lot."""
        return row_on(
            (row for row in self._table.units if row.name == name),
            day,
            f"lot of {name} on MCX",
            FILE,
        ).units

    def freeze_quantity(self, day: date, name: str) -> int:
        """Return the largest quantity of one order in an index's derivatives."""
        rows = (row for row in self._table.freezes if row.name == name)
        return row_on(rows, day, f"freeze quantity of {name}", FILE).quantity

    def protection_percent(self, day: date, price: float, kind: str = "EQ") -> float:
        """Return the range of a market order with market_protection -1, percent of `price`."""
        return _step_value(self.protection_steps(day, kind), price)

    def protection_steps(self, day: date, kind: str = "EQ") -> list[Step]:
        """Return that percentage by price."""
        rows = (row for row in self._table.protection if kind in row.kinds)
        return row_on(rows, day, f"protection band of {kind}", FILE).steps

    def order_limits(self, day: date) -> OrderLimits:
        """Return the broker's limits on orders."""
        return row_on(self._table.orders, day, "order limits", FILE)

    def gtt_limits(self, day: date) -> GttLimits:
        """Return the broker's limits on GTTs."""
        return row_on(self._table.gtt, day, "GTT limits", FILE)


def venue_rules(day: date, latency: int = 0) -> VenueRules:
    """Return the rules of the simulated exchange on a day.

    `latency` (ns) is the way there, and the way back. Days before the table begins have its first
    rows.
    """
    dated = OrderRules.load()
    # A backtest of older years runs with the first known rules rather than not at all.
    day = max(day, dated.begins)
    shares, options = (
        PercentSlabs(
            [bound for bound, _ in steps if bound is not None], [percent for _, percent in steps]
        )
        for steps in (dated.protection_steps(day, kind) for kind in ("EQ", "CE"))
    )
    return VenueRules(
        shares,
        options,
        latency,
        latency,
        trigger_distance=dated.gtt_limits(day).trigger_distance,
    )


def multiplier(day: date, exchange: str, symbol: str) -> int:
    """Return the units of price in one unit of quantity at an exchange.

    It is 1 but on MCX, which counts lots; 0 for an unknown one.
    """
    # One unit of quantity on MCX is a lot, whose price is that of a part of it.
    return 1 if exchange != "MCX" else _commodity_lot(day, symbol)


@cache
def _commodity_lot(day: date, symbol: str) -> int:
    # CRUDEOIL26DECFUT: the commodity is what stands before the first digit.
    name = symbol[: next((at for at, letter in enumerate(symbol) if letter.isdigit()), None)]
    try:
        return OrderRules.load().lot_units(day, name)
    except DataError:
        return 0


def _step_value(steps: Iterable[Step], price: float) -> float:
    return next(value for bound, value in steps if bound is None or price < bound)
