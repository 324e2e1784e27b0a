"""Typed parameters of a strategy, read from its table of the configuration with one-line errors."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from compiled.bounds import HELD, MONEY
from compiled.model import Side
from engine.errors import ConfigError

T = TypeVar("T")
_SIDES = {"long": (Side.BUY,), "short": (Side.SELL,), "both": (Side.BUY, Side.SELL)}


class Parameters:
    """The table [strategy.NAME]; asking for a parameter checks it, `finish` refuses what nobody asked for."""

    def __init__(self, name: str, table: Mapping[str, object]) -> None:
        self.name = name
        self._table = table
        self._asked: set[str] = {"enabled", "symbols"}

    def integer(self, key: str, low: int = 1) -> int:
        """Return a whole number from `low` to a thousand million."""
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= HELD:
            raise self._error(key, f"a whole number from {low} to {HELD}", value)
        return value

    def number(self, key: str, low: float = 0.0) -> float:
        """Return a number from `low` to ₹1 lakh crore."""
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= int(MONEY) // 100:
            raise self._error(key, f"a number from {low:g} to {MONEY // 100}", value)
        return float(value)

    def paise(self, key: str) -> int:
        """Return a positive amount given in rupees, as paise."""
        return round(self.number(key, low=0.01) * 100)

    def allowance(self, key: str) -> int:
        """Return an amount given in rupees as paise, 0 for none."""
        return round(self.number(key) * 100)

    def sides(self, key: str) -> tuple[Side, ...]:
        """Return the sides that "long", "short" or "both" allow."""
        value = self._get(key)
        if value not in _SIDES:
            raise self._error(key, 'one of "long", "short", "both"', value)
        return _SIDES[str(value)]

    def tables(self, key: str, build: Callable[..., T]) -> list[T]:
        """Return an array of tables, each built by `build(**table)`; at least one."""
        value = self._get(key)
        if not isinstance(value, list | tuple) or not value:
            raise self._error(key, "at least one table", value)
        try:
            return [build(**table) for table in value]
        except TypeError as error:
            raise ConfigError(f"[strategy.{self.name}] {key}: {error}") from None

    def finish(self) -> None:
        """Refuse a key that the strategy does not know, naming the nearest one."""
        for key in self._table:
            if key not in self._asked:
                near = get_close_matches(key, sorted(self._asked), n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise ConfigError(f"[strategy.{self.name}] has no parameter {key}{hint}")

    def _get(self, key: str) -> object:
        self._asked.add(key)
        if key not in self._table:
            raise ConfigError(f"[strategy.{self.name}] lacks the parameter {key}")
        return self._table[key]

    def _error(self, key: str, wanted: str, value: object) -> ConfigError:
        return ConfigError(f"[strategy.{self.name}] {key}: expected {wanted}, found {value!r}")
