"""The strategies that ship with patang, those of its users, and the author's API.

A strategy imports from here. Prices in rupees, money in paise, times in ns UTC, as in
`compiled.model.values`.
"""

import traceback
from collections.abc import Mapping

from compiled.indicators import Indicator
from compiled.model.order_terms import OrderTerms, Variety
from compiled.model.values import Bar, Product, Side, Tick, Validity
from compiled.trading.ladder import LadderPlan, RungPlan
from compiled.trading.strategy import BARE, Context, Strategy
from engine.errors import ConfigError, PatangError
from strategies.parameters import Parameters
from strategies.strategy_sources import factory, names

__all__ = [
    "BARE",
    "Bar",
    "Context",
    "Indicator",
    "LadderPlan",
    "OrderTerms",
    "Parameters",
    "Product",
    "RungPlan",
    "Side",
    "Strategy",
    "Tick",
    "Validity",
    "Variety",
    "build",
    "names",
]


OURS = (__file__, factory.__code__.co_filename, "compiled/")
"""How the files begin that are not the author's; those of the core are named as it was compiled."""


def build(name: str, table: Mapping[str, object]) -> Strategy:
    """Return the strategy of that name with its parameters.

    Raise `ConfigError` naming the nearest one, or its failure.
    """
    parameters = Parameters(name, table)
    try:
        strategy = factory(name, table)(parameters)
    except (PatangError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise ConfigError(f"strategy {name} cannot be made: {failure_text(error)}") from error
    parameters.finish()
    return strategy


def failure_text(error: BaseException) -> str:
    """Return an author's error in one line, with file and line where there are any."""
    from compiled.trading.strategy_host import error_text  # noqa: PLC0415  only what fails needs it

    return _author_line(error) + " ".join(error_text(error).split())


def _author_line(error: BaseException) -> str:
    """Return file and line of the author's code that raised, where there is any.

    Lines of ours and of Python's own are passed over.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: "
    steps = traceback.extract_tb(error.__traceback__)
    own = [
        step
        for step in steps
        if not step.filename.startswith(OURS) and "importlib" not in step.filename
    ]
    return f"{own[-1].filename}:{own[-1].lineno}: " if own else ""
