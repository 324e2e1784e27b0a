"""The file of what the next day trades: strategies with parameters, budgets and their origin.

next_day.toml   in the state folder of a mode: what is promoted for paper never reaches live
"""

import os
import re
import stat
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from msgspec import Meta, Struct

from engine.config.toml_reader import TomlReader, render_toml
from engine.errors import ConfigError, in_words
from engine.numbers import count
from engine.system.private_files import others_rule
from engine.system.whole_files import write_whole
from engine.texts import plain_text

FILE: Final = "next_day.toml"
SCHEMA: Final = 1
LONGEST: Final = 1_000_000
"""Bytes; a strategy takes about a thousand."""
NAME: Final = re.compile(r"[a-z0-9_]{1,80}")
SOURCE: Final = "source"
HEAD: Final = (
    "# Written by patang promote, and read by the desk at its next opening.\n"
    "# patang promote --show explains it, patang promote --rollback takes the last one back.\n\n"
)
Rupees = Annotated[int, Meta(ge=1, le=10**10)]


class TrialOrigin(Struct, frozen=True, kw_only=True):
    """The origin of a promoted strategy: its trial, and why it was promoted."""

    sweep: str
    trial: str
    strategy: str
    """The strategy's name in the sweep."""
    score: float
    why: str
    first: str
    """First and last session of the trial, ISO dates."""
    last: str
    since: str
    """Day of the promotion."""
    code: str
    """Hash of the source that was tried: another one is not what was promoted."""
    forced: str = ""
    """Reason for which it was promoted although a gate failed."""


class TrialPromise(Struct, frozen=True, kw_only=True):
    """The figures of a trial that its trading is held against.

    Fractions are of 1, a drawdown is not below 0. A figure the trial did not have is left at 0.
    """

    sessions: Annotated[int, Meta(ge=1, le=100_000)]
    annual_return: float = 0.0
    sharpe: float = 0.0
    win_rate: Annotated[float, Meta(ge=0, le=1)] = 0.0
    max_drawdown: Annotated[float, Meta(ge=0, le=1_000)] = 0.0
    trades_a_day: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0
    cash: Annotated[int, Meta(ge=0, le=10**10)] = 0
    """Rupees that the trial began with, which its returns are of."""


class PromotedStrategy(NamedTuple):
    """A strategy of the next day: its table as `config.toml` has it, its budget in rupees."""

    name: str
    table: dict[str, Any]
    budget: int
    origin: TrialOrigin
    promise: TrialPromise

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return what it trades."""
        return tuple(map(str, self.table["symbols"]))


class NextDayFile(Struct, frozen=True, kw_only=True):
    """The file as it is written; all four tables have the same names."""

    schema: int = SCHEMA
    number: int = 0
    """Of the record that it was written with; 0: nothing was ever promoted."""
    budget: dict[str, Rupees] = {}
    strategy: dict[str, Any] = {}
    origin: dict[str, TrialOrigin] = {}
    promise: dict[str, TrialPromise] = {}

    @property
    def promoted(self) -> list[PromotedStrategy]:
        """Return the strategies, in their order."""
        return [
            PromotedStrategy(name, table, self.budget[name], self.origin[name], self.promise[name])
            for name, table in self.strategy.items()
        ]

    @property
    def spent(self) -> int:
        """Return the budgets of all together, in rupees."""
        return sum(self.budget.values())


def next_day_of(promoted: list[PromotedStrategy], number: int) -> NextDayFile:
    """Return the file of these strategies."""
    return NextDayFile(
        number=number,
        budget={each.name: each.budget for each in promoted},
        strategy={each.name: each.table for each in promoted},
        origin={each.name: each.origin for each in promoted},
        promise={each.name: each.promise for each in promoted},
    )


def promoted_text(next_day: NextDayFile) -> str:
    """Return what is promoted in a line, empty where nothing is."""
    return ", ".join(f"{each.name} (₹{count(each.budget)})" for each in next_day.promoted)


def render_next_day(file: NextDayFile) -> str:
    """Return the text of the file."""
    return HEAD + render_toml(file)


def write_next_day(folder: Path, file: NextDayFile) -> None:
    """Put the file in the place of the one in a folder, whole; raise `OperatorError`."""
    text = render_next_day(file)
    write_whole(folder / FILE, lambda fresh: fresh.write_text(text, encoding="utf-8"))


def read_next_day(folder: Path, name: str = FILE) -> NextDayFile:
    """Return the file of a folder, an empty one where there is none; raise `ConfigError`."""
    file = folder / name
    try:
        text = _read_own_text(file)
    except FileNotFoundError:
        return NextDayFile()
    except OSError as error:
        raise ConfigError(f"{file}: {in_words(error)}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: not a UTF-8 text") from None
    return parse_next_day(text, file)


def parse_next_day(text: str, file: Path) -> NextDayFile:
    """Return a text as the file it is; raise `ConfigError` with line and key."""
    # What a full disk or a lost write leaves says nothing, and not that nothing is promoted.
    if not text.strip():
        raise ConfigError(f"{file}: it is empty")
    reader = TomlReader(text, file)
    found: NextDayFile = reader.struct(NextDayFile)
    if found.schema != SCHEMA:
        raise reader.error(("schema",), f"expected {SCHEMA}: it is of another patang")
    tables = {
        "budget": found.budget,
        "strategy": found.strategy,
        "origin": found.origin,
        "promise": found.promise,
    }
    for name in dict.fromkeys(name for table in tables.values() for name in table):
        for kind, table in tables.items():
            if name not in table:
                raise reader.error((kind,), f"{plain_text(name)} has no line here")
        if not NAME.fullmatch(name):
            raise reader.error(("strategy", name), "expected a name of small letters and digits")
        # A strategy without symbols would trade everything that is watched.
        for key in (SOURCE, "symbols"):
            if not found.strategy[name].get(key):
                raise reader.error(("strategy", name), f"the key {key} is missing")
        origin = found.origin[name]
        for key, day in (("first", origin.first), ("last", origin.last), ("since", origin.since)):
            if not _is_day(day):
                raise reader.error(("origin", name, key), "expected a day, YYYY-MM-DD")
    return found


def _is_day(text: str) -> bool:
    # They are compared as texts: one more way to write a day would be a wrong order.
    try:
        return str(date.fromisoformat(text)) == text
    except ValueError:
        return False


def _read_own_text(file: Path) -> str:
    """Return the text of a file that only this user can have written: it decides what is traded."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(file, flags), "rb") as opened:
        facts = os.fstat(opened.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise ConfigError(f"{file}: no regular file")
        if others_rule(facts):
            raise ConfigError(
                f"{file}: others can write it, and it decides what is traded: chmod go-w, own it"
            )
        content = opened.read(LONGEST + 1)
    if len(content) > LONGEST:
        raise ConfigError(f"{file}: more than {LONGEST:,} bytes")
    return content.decode()
