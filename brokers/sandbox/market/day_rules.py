"""The dated rules of one day: tick sizes, protection slabs, order and GTT limits."""

from datetime import date
from functools import lru_cache
from typing import final

from engine.errors import DataError
from engine.market.instruments import INDICES
from engine.market.order_rules import OrderRules, TickClass, multiplier
from engine.market.safeguards import TradingSafeguards

OLD_TICK = 0.05
LOT_VALUE = 750_000.0


@final
class DayRules:
    """Rules of one day, from `engine/market/rules.json`; `DataError` for a day no row covers."""

    def __init__(self, day: str) -> None:
        self._rules = _load_rules()
        self._day = date.fromisoformat(day)
        self.orders = self._rules.order_limits(self._day)
        self.gtt = self._rules.gtt_limits(self._day)

    @property
    def auction_percent(self) -> float:
        """Return how far from its reference price the closing auction may end, in percent."""
        return _load_safeguards().auction_percent(self._day)

    @property
    def icebergs_stay(self) -> bool:
        """Return whether iceberg orders within the band are carried into the closing auction."""
        return _load_safeguards().icebergs_stay(self._day)

    def bands_futures(self, name: str) -> bool:
        """Return whether the futures on an underlying keep the band of the closing auction."""
        return _load_safeguards().bands_futures(self._day, "index" if name in INDICES else "stock")

    def tick(self, price: float, kind: TickClass = "stock") -> float:
        """Return the tick of an NSE share or NFO contract in rupees, 0.05 before the table."""
        try:
            return self._rules.tick_size(
                self._day, price, "NSE" if kind == "stock" else "NFO", kind
            )
        except DataError:
            if kind == "stock":
                raise
            return OLD_TICK

    def lot(self, name: str, price: float) -> int:
        """Return the lot of an underlying's contracts: the table's, else some ₹7.5 lakh's worth."""
        try:
            return self._rules.lot_size(self._day, name)
        except DataError:
            return max(1, round(LOT_VALUE / price / 25)) * 25

    def freeze(self, name: str, lot: int) -> int:
        """Return the largest quantity of one order in an underlying's contracts, or forty lots."""
        try:
            return self._rules.freeze_quantity(self._day, name)
        except DataError:
            return 40 * lot

    def multiplier(self, exchange: str, symbol: str) -> int:
        """Return the units of one quantity at the exchange: 1 but for a commodity of known lot."""
        return multiplier(self._day, exchange, symbol) or 1

    def protection(self, price: float, kind: str = "EQ") -> float:
        """Return the automatic market protection in percent."""
        return self._rules.protection_percent(self._day, price, kind)


# Thousands of listings ask the same two tables.
@lru_cache(maxsize=1)
def _load_rules() -> OrderRules:
    return OrderRules.load()


@lru_cache(maxsize=1)
def _load_safeguards() -> TradingSafeguards:
    return TradingSafeguards.load()
