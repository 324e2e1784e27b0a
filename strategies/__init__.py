"""The strategies that ship with patang, the registry that finds them by name, and the author's API.

Prices in rupees, money in paise, times in ns UTC, as in `compiled.model`.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module

from compiled.model import Bar, Side, Tick
from compiled.strategy import Context, Strategy
from engine.errors import ConfigError
from strategies.parameters import Parameters

__all__ = ["Bar", "Context", "Parameters", "Side", "Strategy", "Tick", "build", "names"]

_REGISTRY: dict[str, str] = {
    "momentum_ladder": "strategies.momentum_ladder:MomentumLadder",
    "moving_average_cross": "strategies.moving_average_cross:MovingAverageCross",
}


def names() -> list[str]:
    """Return the names a configuration may use."""
    return list(_REGISTRY)


def build(name: str, table: Mapping[str, object]) -> Strategy:
    """Return the strategy of that name with its parameters; raise `ConfigError` naming the nearest one."""
    if name not in _REGISTRY:
        near = get_close_matches(name, _REGISTRY, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(_REGISTRY)}"
        raise ConfigError(f"unknown strategy {name}; {hint}")
    module, _, attribute = _REGISTRY[name].partition(":")
    factory: Callable[[Parameters], Strategy] = getattr(import_module(module), attribute)
    parameters = Parameters(name, table)
    strategy = factory(parameters)
    parameters.finish()
    return strategy
