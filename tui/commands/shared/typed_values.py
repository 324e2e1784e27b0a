"""Values of a command line as they are typed: days, numbers and lists of symbols."""

import os
import re
from datetime import date, datetime
from pathlib import Path

from engine.backtest.dated_symbols import read_dated_symbols
from engine.config.disk_places import index_file
from engine.errors import ConfigError
from engine.indian_time import INDIA

END_OF_TIME = 2**62
NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|-?(nan|inf)", re.ASCII | re.IGNORECASE)
WHOLE = re.compile(r"-?\d{1,30}", re.ASCII)


def read_day(text: str) -> date:
    """Return a day as it is written, today (INDIA) where it is not; raise `ConfigError`."""
    if not text:
        return datetime.now(INDIA).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"date {text}: expected YYYY-MM-DD, a day that exists") from None


def symbol_set(symbols: str) -> set[str]:
    """Return symbols as they are typed, with commas between."""
    return {*symbol_list(symbols)}


def symbols_file(symbols: str) -> Path | None:
    """Return the file that `@FILE`, or the name of an index in the user's folder, stands for."""
    if symbols.startswith("@"):
        return Path(symbols[1:])
    named = symbols.strip().upper()
    # an index of that name has no bars to trade: its file is what is meant
    file = index_file(named, os.environ) if named and "," not in named else None
    return file if file is not None and file.is_file() else None


def symbol_list(symbols: str) -> list[str]:
    """Return the names, in their order; `@FILE` and an index stand for the lines of a file."""
    file = symbols_file(symbols)
    if file is not None:
        # lists of thousands of names do not fit on a command line
        return [*read_dated_symbols(file).members]
    # in the order they were given, each once
    names = dict.fromkeys(name.strip().upper() for name in symbols.split(",") if name.strip())
    # no names are all there are, which nobody means by commas
    if symbols and not names:
        raise ConfigError(f"--symbols {symbols}: there is no symbol in it")
    return list(names)


def number_of(text: str) -> float:
    """Return a number; raise `ValueError` for an odd way to write one."""
    if not NUMBER.fullmatch(text):
        raise ValueError(f"expected a number, got {text[:60]}.")
    return float(text)
