"""The strategies that ship with patang, those of its users, and the author's API.

A strategy imports from here. Prices in rupees, money in paise, times in ns UTC, as in
`compiled.model.values`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compiled.accounting.charges import ChargeRates
from compiled.indicators import (
    ADX,
    ATR,
    CCI,
    EMA,
    MACD,
    MFI,
    OBV,
    PSAR,
    ROC,
    RSI,
    SMA,
    VWAP,
    WMA,
    Bollinger,
    Cross,
    Donchian,
    Ichimoku,
    Indicator,
    Keltner,
    Stochastic,
    Supertrend,
    ZScore,
)
from compiled.model.order_terms import OrderTerms, Variety
from compiled.model.values import SECOND, Bar, Instrument, Order, Product, Side, Tick, Validity
from compiled.trading.ladder import Ladder, LadderPlan, RungPlan
from compiled.trading.strategy import BARE, Context, Strategy
from engine.config import config_files
from engine.config.config_files import LoadedConfig
from engine.config.setting_types import (
    CRORE,
    DAY_SECONDS,
    Direction,
    Span,
    described_as,
    within_bounds,
)
from engine.config.strategy_parameters import StrategyParameters
from engine.config.toml_reader import Key
from engine.errors import ConfigError, PatangError
from strategies.author_faults import failure_text
from strategies.composed import (
    ComposedParameters,
    ComposedStrategy,
    EntryIntent,
    ExecutionModel,
    ExitIntent,
    RiskSizer,
    SignalModel,
)
from strategies.parameters import (
    SIDES,
    DirectionalParameters,
    parameters_kind,
    read_parameters,
)
from strategies.replaced_models import DataFeed, FeedBar, FeeModel, SlippageModel
from strategies.strategy_sources import factory, names, shipped_kinds

__all__ = [
    "ADX",
    "ATR",
    "BARE",
    "CCI",
    "CRORE",
    "DAY_SECONDS",
    "EMA",
    "MACD",
    "MFI",
    "OBV",
    "PSAR",
    "ROC",
    "RSI",
    "SECOND",
    "SIDES",
    "SMA",
    "VWAP",
    "WMA",
    "Bar",
    "Bollinger",
    "ChargeRates",
    "ComposedParameters",
    "ComposedStrategy",
    "Context",
    "Cross",
    "DataFeed",
    "Direction",
    "DirectionalParameters",
    "Donchian",
    "EntryIntent",
    "ExecutionModel",
    "ExitIntent",
    "FeeModel",
    "FeedBar",
    "Ichimoku",
    "Indicator",
    "Instrument",
    "Keltner",
    "Key",
    "Ladder",
    "LadderPlan",
    "Order",
    "OrderTerms",
    "Product",
    "RiskSizer",
    "RungPlan",
    "Side",
    "SignalModel",
    "SlippageModel",
    "Span",
    "Stochastic",
    "Strategy",
    "StrategyParameters",
    "Supertrend",
    "Tick",
    "Validity",
    "Variety",
    "ZScore",
    "build",
    "described_as",
    "failure_text",
    "load_config",
    "names",
    "within_bounds",
]


def load_config(file: Path | None) -> LoadedConfig:
    """Read a configuration over the defaults, those of the strategies that ship among them.

    Raise `ConfigError` with file, line, key and the mend on anything it cannot mean.
    """
    return config_files.load_config(file, shipped_kinds())


def build(name: str, table: Mapping[str, Any]) -> Strategy:
    """Return the strategy of that name with its parameters.

    Raise `ConfigError` naming the nearest one, or its failure.
    """
    try:
        make = factory(name, table)
        return make(name, read_parameters(name, parameters_kind(make), table))
    # Ours are in one line already, and ctrl-c is the operator's, not the strategy's.
    except (PatangError, KeyboardInterrupt):
        raise
    # A file may call `exit`, or raise anything: that is its fault and must not end the command
    # without a word.
    except BaseException as error:
        raise ConfigError(f"strategy {name} cannot be made: {failure_text(error)}") from error
