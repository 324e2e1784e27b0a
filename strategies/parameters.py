"""Parameters of a strategy, read from `[strategy.NAME]` into the struct that it declares."""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal, get_type_hints

from compiled.model.values import Side
from engine.config.setting_types import Direction, described_as
from engine.config.strategy_parameters import StrategyParameters
from engine.config.toml_reader import Key, dotted_key, read_struct
from engine.errors import ConfigError

SIDES: Final[Mapping[Direction, tuple[Side, ...]]] = {
    "long": (Side.BUY,),
    "short": (Side.SELL,),
    "both": (Side.BUY, Side.SELL),
}
"""The sides a strategy may enter on, by what its `direction` says."""
SOURCE: Final = "source"
"""The key of a strategy's table that says where its code is."""


class DirectionalParameters(StrategyParameters, frozen=True, kw_only=True):
    """The parameters of a strategy that may trade either way."""

    direction: Annotated[Direction, described_as("Which way it trades.")] = "long"
    product: Annotated[
        Literal["CNC", "MIS"],
        described_as("What it holds: CNC, delivery, or MIS, intraday, which alone is sold short."),
    ] = "CNC"

    def contradictions(self) -> Iterator[tuple[Key, str]]:
        """Yield what does not go together."""
        # Every short entry would be refused (SHORT_DELIVERY): the strategy would be silently idle.
        if self.direction != "long" and self.product == "CNC":
            yield (
                ("direction",),
                'expected "long", or product = "MIS": delivery shares cannot be sold short',
            )


def parameters_kind(make: Callable[..., object]) -> type[StrategyParameters]:
    """Return the struct that a strategy's constructor is annotated with."""
    # A factory may be a function as well; its annotations count alike.
    called = make.__init__ if isinstance(make, type) else make  # type: ignore[misc]
    hints = get_type_hints(called).values()
    own = (
        kind for kind in hints if isinstance(kind, type) and issubclass(kind, StrategyParameters)
    )
    return next(own, StrategyParameters)


def read_parameters(
    name: str, kind: type[StrategyParameters], table: Mapping[str, Any]
) -> StrategyParameters:
    """Return a strategy's table as its struct; raise `ConfigError` that names key and mend."""

    def fault(key: Key, complaint: str) -> ConfigError:
        return ConfigError(f"{dotted_key(key)}: {complaint}")

    at = ("strategy", name)
    # `source` says where the code is, before there is a struct that could declare it.
    plain = {key: value for key, value in table.items() if key != SOURCE}
    parameters: StrategyParameters = read_struct(kind, plain, at, fault)
    for key, complaint in parameters.contradictions():
        raise fault((*at, *key), complaint)
    return parameters
