"""The strategies of a running desk, made anew from their tables."""

from collections.abc import Callable, Mapping
from typing import Any, final

from compiled.trading.strategy import Strategy
from engine.config.strategy_parameters import StrategyParameters
from engine.config.toml_reader import nearest_hint
from engine.errors import ConfigError, PatangError
from strategies import build
from strategies.author_faults import failure_text
from strategies.parameters import parameters_kind, read_parameters
from strategies.strategy_sources import factory


@final
class TableWorkshop:
    """Makes strategies as their tables have them; `tables` are those of the day.

    `check` raises `ConfigError` for a strategy that must not trade, whatever it is made of.
    """

    def __init__(
        self,
        tables: Callable[[], Mapping[str, Mapping[str, Any]]],
        check: Callable[[Strategy], None],
    ) -> None:
        self._tables = tables
        self._check = check

    def table(self, name: str) -> Mapping[str, Any]:
        """Return a strategy's table as configured; raise `ConfigError` for one that has none."""
        tables = self._tables()
        if name not in tables:
            raise ConfigError(f"[strategy.{name}] is not configured{nearest_hint(name, tables)}")
        return tables[name]

    def read(self, name: str, table: Mapping[str, Any]) -> StrategyParameters:
        """Return a table as the strategy's struct; raise `ConfigError` as the configuration does.

        The code of the strategy is read for it, and may be at fault.
        """
        try:
            return read_parameters(name, parameters_kind(factory(name, table)), table)
        except PatangError:
            raise
        # A file may raise anything while it is loaded, an exit among it.
        except BaseException as error:
            raise ConfigError(f"strategy {name} cannot be read: {failure_text(error)}") from error

    def make(self, name: str, table: Mapping[str, Any]) -> Strategy:
        """Return the strategy with the parameters of a table; raise `ConfigError` as `build`."""
        made = build(name, table)
        self._check(made)
        return made
