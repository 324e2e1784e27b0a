"""Options and values that commands share, and how they are read."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from engine.errors import ConfigError
from tui.commands.shared.typed_values import number_of

AsJson = Annotated[
    bool, Parameter(name="--json", negative="", help="Print one JSON object on stdout.")
]
RowsAsJson = Annotated[
    bool, Parameter(name="--json", negative="", help="Print one JSON array of all rows on stdout.")
]
Day = Annotated[str, Parameter(name="--date", help="YYYY-MM-DD, IST; empty: today.")]


Folder = Annotated[Path | None, Parameter(help="Folder of bars instead of the history.")]
ConfigFile = Annotated[
    Path | None, Parameter(name="--config", help="Configuration file instead of ./config.toml.")
]
From = Annotated[
    str, Parameter(name="--from", help="First day, YYYY-MM-DD; empty: the first bar's.")
]
To = Annotated[str, Parameter(name="--to", help="Last day, YYYY-MM-DD; empty: the last bar's.")]


Speed = Annotated[
    str,
    Parameter(
        name="--speed",
        help="Times real time, or max: as fast as possible, in lockstep, each time the same.",
    ),
]


def speed_of(text: str) -> float:
    """Return a speed as a factor, 0.0 for "max"; raise `ConfigError`."""
    if text == "max":
        return 0.0
    try:
        factor = number_of(text)
    except ValueError:
        factor = -1.0
    if not 0 < factor <= 10_000:
        raise ConfigError(f"speed {text}: expected a factor above 0 and at most 10000, or max")
    return factor
