"""The strategies that ship with patang, the registry that finds them by name, and the author's API.

Prices in rupees, money in paise, times in ns UTC, as in `compiled.model`.
"""

import traceback
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module

from compiled.model import Bar, Side, Tick
from compiled.strategy import Context, Strategy
from engine.errors import ConfigError, PatangError
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
    """Return the strategy of that name with its parameters; raise `ConfigError` naming the nearest one, or what it fails of."""
    if name not in _REGISTRY:
        near = get_close_matches(name, _REGISTRY, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(_REGISTRY)}"
        raise ConfigError(f"unknown strategy {name}; {hint}")
    parameters = Parameters(name, table)
    try:
        strategy = _factory(_REGISTRY[name])(parameters)
    except (PatangError, KeyboardInterrupt):
        raise
    except BaseException as error:
        from compiled.kernel import words  # noqa: PLC0415  only what fails needs it

        told = " ".join(words(error).split())
        raise ConfigError(f"strategy {name} cannot be made: {_where(error)}{told}") from error
    parameters.finish()
    return strategy


def _factory(place: str) -> Callable[[Parameters], Strategy]:
    module, _, attribute = place.partition(":")
    factory: Callable[[Parameters], Strategy] = getattr(import_module(module), attribute)
    return factory


def _where(error: BaseException) -> str:
    """Return file and line of the author's code that raised, where there is any: not ours, not Python's own."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: "
    steps = [step for step in traceback.extract_tb(error.__traceback__) if step.filename != __file__]
    own = [step for step in steps if "importlib" not in step.filename]
    return f"{own[-1].filename}:{own[-1].lineno}: " if own else ""
