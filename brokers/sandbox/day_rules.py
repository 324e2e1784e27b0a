"""The dated rules of one day: tick sizes, protection slabs, order and GTT limits."""

from datetime import date
from functools import lru_cache
from typing import final

from engine.market.rules import Rules


@final
class DayRules:
    """What `engine/market/rules.json` says of one day; raises `DataError` for a day no row covers."""

    def __init__(self, day: str) -> None:
        self._rules = _load()
        self._day = date.fromisoformat(day)
        self.orders = self._rules.order_limits(self._day)
        self.gtt = self._rules.gtt_limits(self._day)

    def tick(self, price: float) -> float:
        """Return the tick of an NSE share in rupees."""
        return self._rules.tick_size(self._day, price)

    def protection(self, price: float) -> float:
        """Return the automatic market protection of a share in percent."""
        return self._rules.protection_percent(self._day, price)


@lru_cache(maxsize=1)
def _load() -> Rules:
    return Rules.load()
