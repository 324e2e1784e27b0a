"""Options and values that commands share, and how they are read."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from engine.errors import ConfigError, DataError, in_words
from engine.indian_time import INDIA
from tui.commands.shared.strict_values import number_of

AsJson = Annotated[
    bool, Parameter(name="--json", negative="", help="Print one JSON object on stdout.")
]
RowsAsJson = Annotated[
    bool, Parameter(name="--json", negative="", help="Print one JSON array of all rows on stdout.")
]
Day = Annotated[str, Parameter(name="--date", help="YYYY-MM-DD, IST; empty: today.")]


def read_day(text: str) -> date:
    """Return a day as it is written, today (INDIA) where it is not; raise `ConfigError`."""
    if not text:
        return datetime.now(INDIA).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"date {text}: expected YYYY-MM-DD, a day that exists") from None


END_OF_TIME = 2**62
Folder = Annotated[Path | None, Parameter(help="Folder of bars instead of the history.")]
ConfigFile = Annotated[
    Path | None, Parameter(name="--config", help="Configuration file instead of ./config.toml.")
]
From = Annotated[
    str, Parameter(name="--from", help="First day, YYYY-MM-DD; empty: the first bar's.")
]
To = Annotated[str, Parameter(name="--to", help="Last day, YYYY-MM-DD; empty: the last bar's.")]


def symbol_set(symbols: str) -> set[str]:
    """Return symbols as they are typed, with commas between."""
    return {*symbol_list(symbols)}


def symbol_list(symbols: str) -> list[str]:
    """Return the names, in their order; `@FILE` stands for the lines of a file."""
    if symbols.startswith("@"):
        try:
            # lists of thousands of names do not fit on a command line
            symbols = ",".join(Path(symbols[1:]).read_text(encoding="utf-8").split())
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{symbols[1:]}: {in_words(error)}") from None
    # in the order they were given, each once
    return list(dict.fromkeys(name.strip().upper() for name in symbols.split(",") if name.strip()))


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
