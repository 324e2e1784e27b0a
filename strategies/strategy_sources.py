"""The code of a strategy: shipped, a dotted path, or a file of the user's own.

The file is read anew each time.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from compiled.trading.strategy import Strategy
from engine.config.strategy_parameters import StrategyParameters
from engine.errors import ConfigError, in_words
from engine.system.private_files import others_rule
from strategies.native_strategies import native_factory
from strategies.parameters import SOURCE, parameters_kind

SHIPPED: Final[dict[str, str]] = {
    "momentum_ladder": "strategies.momentum_ladder:MomentumLadder",
    "moving_average_cross": "strategies.moving_average_cross:MovingAverageCross",
}
OWN: Final = "patang_own_"
"""How the modules of a user's files begin."""
Factory = Callable[[str, Any], Strategy]
"""Makes a strategy of its name and its parameters."""


def user_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the user's folder of strategies: NAME.py there is the strategy of that name."""
    base = environ.get("XDG_CONFIG_HOME")
    home = Path(environ.get("HOME") or Path.home())
    return (Path(base) if base else home / ".config") / "patang" / "strategies"


def names() -> list[str]:
    """Return the names that need no `source`: shipped ones, and those of the user's files."""
    # Files of tests and helpers lie beside the strategies.
    own = (
        path.stem for path in user_folder().glob("*.py") if not path.name.startswith(("_", "test_"))
    )
    # The name of one that ships is taken: a file of that name would otherwise trade in its place.
    return [*SHIPPED, *sorted(name for name in own if name not in SHIPPED)]


def shipped_kinds() -> dict[str, type[StrategyParameters]]:
    """Return the structs of the parameters of the strategies that ship."""
    return {name: parameters_kind(factory(name, {})) for name in SHIPPED}


def factory(name: str, table: Mapping[str, object]) -> Factory:
    """Return the factory of a strategy's name.

    Raise `ConfigError` where there is none, or as its code does.
    """
    source = table.get(SOURCE, "")
    if not isinstance(source, str):
        raise ConfigError(
            f'[strategy.{name}] source: expected FILE.py or "a.module:Class", found {source!r}'
        )
    own = user_folder() / f"{name}.py"
    if not source and name not in SHIPPED and not own.is_file():
        near = get_close_matches(name, names(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names())}"
        raise ConfigError(f"unknown strategy {name}; {hint} (a file of your own: {own})")
    place, _, attribute = (source or SHIPPED.get(name, "") or str(own)).partition(":")
    module = source_module(place)
    made: Factory = named_class(module, attribute, Strategy)
    if not place.endswith(".py"):
        return made
    return native_factory(Path(place).expanduser(), module, made) or made


def own_file(name: str, table: Mapping[str, object]) -> Path | None:
    """Return the user's file that a strategy's code is in, None where it is in none."""
    place = full_source(name, table).partition(":")[0]
    return Path(place) if place.endswith(".py") else None


def full_source(name: str, table: Mapping[str, object]) -> str:
    """Return the `source` by which another table finds the same code, from any folder."""
    source = str(table.get(SOURCE, "") or SHIPPED.get(name, "") or user_folder() / f"{name}.py")
    place, colon, attribute = source.partition(":")
    if not place.endswith(".py"):
        return source
    return f"{Path(place).expanduser().absolute()}{colon}{attribute}"


def source_module(place: str) -> ModuleType:
    """Return the module that FILE.py or a.module stands for."""
    if place.endswith(".py"):
        return load_file(Path(place).expanduser())
    return importlib.import_module(place)


def load_file(path: Path) -> ModuleType:
    """Run a file as a module of its own; other users must not have written it."""
    path = path.absolute()
    try:
        facts = path.stat()
    except OSError as error:
        raise ConfigError(f"{path}: {in_words(error)}") from None
    # The file is run as this user, with the session of his broker in memory.
    if others_rule(facts):
        raise ConfigError(
            f"{path}: others can write it, and it would trade: chmod go-w, and own it"
        )
    # A name of its own: a file called json.py must not stand in the place of Python's.
    name = OWN + path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path}: no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pickles and tracebacks look for it there
    spec.loader.exec_module(module)
    return module


def named_class(module: ModuleType, attribute: str, base: type[Any]) -> Any:
    """Return what a module calls so; without a name the one class of a kind that it defines.

    Raise `ConfigError` where it defines none, or several.
    """
    if attribute:
        return getattr(module, attribute)
    found = [
        each
        for each in vars(module).values()
        if isinstance(each, type)
        and issubclass(each, base)
        # A file imports the base class, and perhaps another one to build on.
        and each.__module__ == module.__name__
    ]
    if len(found) == 1:
        return found[0]
    named = ", ".join(each.__name__ for each in found) or "none"
    raise ConfigError(
        f"{module.__file__}: expected one class that is a {base.__name__}, found {named}; name it: "
        f"FILE.py:CLASS"
    )
