"""Parameters of a strategy: those that every one has, for each to add its own."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Struct

from engine.config.setting_types import Span, Symbols, described_as
from engine.config.toml_reader import Key


class StrategyParameters(Struct, frozen=True, kw_only=True):
    """The parameters of a strategy; each has a subclass with its own.

    A field is declared with its bounds and its meaning:
    `bars: Annotated[int, within_bounds(2, 1_000, "Bars of the channel.")] = 20`.
    """

    enabled: Annotated[bool, described_as("Whether it runs.")] = True
    symbols: Annotated[Symbols, described_as("Its instruments; empty: all that are watched.")] = ()
    timeframe_s: Annotated[Span, described_as("Length of its bars.")] = 60

    def contradictions(self) -> Iterator[tuple[Key, str]]:
        """Yield (key, complaint) for each value that is fine alone, but not beside the others."""
        yield from ()
