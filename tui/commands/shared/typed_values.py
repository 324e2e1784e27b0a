"""Values of a command line as they are typed: days and lists of symbols."""

from datetime import date, datetime
from pathlib import Path

from engine.errors import ConfigError, DataError, in_words
from engine.indian_time import INDIA

END_OF_TIME = 2**62


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
