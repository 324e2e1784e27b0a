"""Typed parameters of a strategy, read from its table of the configuration with one-line errors."""

from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from typing import TypeVar

from compiled.model.number_bounds import HELD, MONEY
from compiled.model.values import Side
from engine.errors import ConfigError

T = TypeVar("T")
_SIDES = {"long": (Side.BUY,), "short": (Side.SELL,), "both": (Side.BUY, Side.SELL)}


class Parameters:
    """The table [strategy.NAME].

    Asking for a parameter checks it, `finish` refuses parameters that were not asked for. A
    parameter missing in the table has its `default`, without one it is an error. Every method
    raises `ConfigError`.
    """

    def __init__(self, name: str, table: Mapping[str, object]) -> None:
        self.name = name
        self._table = table
        self._asked: set[str] = {"enabled", "symbols", "source"}

    def integer(self, key: str, low: int = 1, default: int | None = None) -> int:
        """Return a whole number from `low` to a thousand million."""
        value = self._get_value(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= HELD:
            raise self._parameter_error(key, f"a whole number from {low} to {HELD}", value)
        return value

    def number(self, key: str, low: float = 0.0, default: float | None = None) -> float:
        """Return a number from `low` to ₹1 lakh crore."""
        value = self._get_value(key, default)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= int(MONEY) // 100
        ):
            raise self._parameter_error(key, f"a number from {low:g} to {MONEY // 100}", value)
        return float(value)

    def paise(self, key: str, default: float | None = None) -> int:
        """Return a positive amount given in rupees, as paise; the default is rupees, too."""
        return round(self.number(key, low=0.01, default=default) * 100)

    def allowance(self, key: str, default: float | None = None) -> int:
        """Return an amount given in rupees as paise, 0 for none."""
        return round(self.number(key, default=default) * 100)

    def flag(self, key: str, default: bool | None = None) -> bool:
        """Return true or false."""
        value = self._get_value(key, default)
        if not isinstance(value, bool):
            raise self._parameter_error(key, "true or false", value)
        return value

    def text(self, key: str, default: str | None = None, among: Collection[str] = ()) -> str:
        """Return a text, of those it may be `among` where there are any."""
        value = self._get_value(key, default)
        if not isinstance(value, str) or (among and value not in among):
            raise self._parameter_error(
                key, f"one of {', '.join(among)}" if among else "a text", value
            )
        return value

    def sides(self, key: str, default: str | None = None) -> tuple[Side, ...]:
        """Return the sides that "long", "short" or "both" allow."""
        value = self._get_value(key, default)
        if value not in _SIDES:
            raise self._parameter_error(key, 'one of "long", "short", "both"', value)
        return _SIDES[str(value)]

    def tables(self, key: str, build: Callable[..., T]) -> list[T]:
        """Return an array of tables, each built by `build(**table)`; at least one."""
        value = self._get_value(key)
        if not isinstance(value, list | tuple) or not value:
            raise self._parameter_error(key, "at least one table", value)
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

    def _get_value(self, key: str, default: object = None) -> object:
        self._asked.add(key)
        if key not in self._table:
            if default is not None:
                return default
            raise ConfigError(f"[strategy.{self.name}] lacks the parameter {key}")
        return self._table[key]

    def _parameter_error(self, key: str, wanted: str, value: object) -> ConfigError:
        return ConfigError(f"[strategy.{self.name}] {key}: expected {wanted}, found {value!r}")
