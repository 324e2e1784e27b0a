"""What a backtest is asked for: strategies with their parameters, symbols, days, and what a fill costs."""

import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from engine.config import Config
from engine.errors import ConfigError


class BacktestRequest(NamedTuple):
    """What is asked for: `strategy` is a name or a configuration file, empty texts are what the configuration says.

    `cash` in rupees, `span` and `warm_up` in seconds and sessions, `bars` a version; `settings` are KEY=VALUE texts.
    """

    strategy: str = ""
    symbols: tuple[str, ...] = ()
    first: str = ""
    last: str = ""
    span: int = 0
    bars: str = ""
    settings: tuple[str, ...] = ()
    cash: int = 0
    slippage: str = ""
    warm_up: int = 5
    folder: Path | None = None


def chosen_strategies(config: Config, request: BacktestRequest) -> list[tuple[str, tuple[str, ...], dict[str, Any]]]:
    """Return (name, symbols, parameters) of the strategies that are asked for; raise `ConfigError`."""
    import msgspec  # noqa: PLC0415

    tables = msgspec.to_builtins(config.strategy)
    every: dict[str, dict[str, Any]] = tables | tables.pop("other")
    every.pop("other", None)
    if request.strategy:
        chosen = {request.strategy: dict(every.get(request.strategy, {}))}
    else:
        chosen = {name: dict(table) for name, table in every.items() if table.get("enabled", True)}
    if not chosen:
        raise ConfigError("no strategy is enabled: name one, or enable one in the configuration")
    for text in request.settings:
        _set(chosen, text)
    return [
        (name, tuple(str(each).upper() for each in table.get("symbols", ())), table) for name, table in chosen.items()
    ]


def _set(tables: dict[str, dict[str, Any]], text: str) -> None:
    key, sign, value = text.partition("=")
    name, dot, parameter = key.strip().rpartition(".")
    if not sign or not parameter:
        raise ConfigError(f"--set {text}: expected PARAMETER=VALUE, or STRATEGY.PARAMETER=VALUE")
    if not dot:
        if len(tables) > 1:
            raise ConfigError(f"--set {text}: of which strategy? {', '.join(f'{each}.{parameter}' for each in tables)}")
        name = next(iter(tables))
    if name not in tables:
        raise ConfigError(f"--set {text}: {name} does not run; {', '.join(tables)} do")
    try:
        tables[name][parameter] = tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        tables[name][parameter] = value.strip()


def slippage_of(text: str, ticks: int) -> "tuple[Any, str]":
    """Return a slippage model and what it is called: `ticks:N`, `spread:FRACTION:PERCENT`, `volume:SHARE:IMPACT` or `none`.

    Without a text it is that of paper trading. Raises `ConfigError`.
    """
    from compiled.slippage import FixedTicks, Slippage, SpreadFraction, VolumeShare  # noqa: PLC0415

    name, *numbers = (text or f"ticks:{ticks}").split(":")
    models = {
        "none": (Slippage, 0),
        "ticks": (FixedTicks, 1),
        "spread": (SpreadFraction, 2),
        "volume": (VolumeShare, 2),
    }
    try:
        model, wanted = models[name]
        values: list[float] = [int(each) if name == "ticks" else float(each) for each in numbers]
        if len(values) != wanted or not all(0.0 <= each <= 1_000.0 for each in values):
            raise ValueError  # noqa: TRY301  as any other text that says nothing
        return model(*values), text or f"ticks:{ticks}"
    except (KeyError, ValueError):
        raise ConfigError(
            f"--slippage {text}: expected none, ticks:N, spread:FRACTION:PERCENT (of the price, where no spread is quoted) or "
            "volume:SHARE:IMPACT, as ticks:1 or volume:0.025:0.1"
        ) from None
