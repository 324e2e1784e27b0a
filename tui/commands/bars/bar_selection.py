"""Options of the commands about bars, and the bars they select."""

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from cyclopts import Parameter

from engine.config.disk_places import desk_paths
from engine.config.schema import DeskConfig
from engine.errors import ConfigError, DataError, NothingFound
from engine.market.calendar import DAY, Calendar, ist_day, midnight
from engine.texts import is_symbol
from tui.commands.shared.typed_values import END_OF_TIME, read_day, symbol_set
from tui.run.configured import configuration

if TYPE_CHECKING:
    from engine.history.bar_series import Floats
    from engine.history.expected_bars import ExpectedBars
    from engine.ports import BarStore

NAMED = 40
"""Symbols that a refusal names."""

Symbols = Annotated[str, Parameter(help="Only these, with commas between.")]
Version = Annotated[
    str, Parameter(help="Which version of the bars; empty: all, or the one there is.")
]
Span = Annotated[int, Parameter(help="Length of the bars in seconds; 0: all, or the one there is.")]
Exchange = Annotated[Literal["NSE", "BSE", "NFO", "BFO"], Parameter(help="Whose hours count.")]
Kind = Annotated[
    Literal["EQ", "INDEX", "FUT", "OPT"], Parameter(help="What the hours are those of.")
]


class BarSelection(NamedTuple):
    """The bars a command is about: one version and span of some symbols."""

    store: "BarStore"
    version: str
    span: int
    symbols: tuple[str, ...]
    archived: tuple[str, ...] = ()
    """The months with a part in the archive."""


def folder_of(folder: Path | None, config: Path | None) -> Path:
    """Return the folder that is meant, or that of the history."""
    if folder is not None:
        return folder
    return desk_paths(configuration(config), os.environ).history


def check_new_version(version: str) -> None:
    """Refuse a name under which bars of others cannot come in."""
    from engine.history.golden_bars import PREFIX

    # results name golden versions by their hash: nothing may come into one from outside
    if not is_symbol(version) or version.startswith(PREFIX):
        raise ConfigError(
            f"--version {version!r}: bars of others are not golden, and have a short name; name "
            "them otherwise, as imported"
        )


def store_averages(store: "BarStore", symbol: str, span: int, version: str) -> "dict[str, Floats]":
    """Store the averages of a symbol's closes beside its bars; return them."""
    from engine.history.moving_averages import moving_averages

    series = store.columns(symbol, span, -END_OF_TIME, END_OF_TIME, version)
    found = moving_averages(series.close)
    store.write_averages(symbol, span, version, series.start, found)
    return found


def store_of(folder: Path | None, config: Path | None) -> "BarStore":
    """Return the history, or the bars of a folder."""
    from tui.run.bar_stores import history_store

    # a folder that is named needs no configuration, and must not fail of a wrong one
    return history_store(DeskConfig() if folder is not None else configuration(config), folder)


def expected_bars(exchange: str, kind: str) -> "ExpectedBars":
    """Return what the calendar expects of an exchange's instruments of a kind."""
    from engine.history.expected_bars import ExpectedBars

    return ExpectedBars(Calendar.load(), exchange, kind)


def select_bars(
    folder: Path | None, config: Path | None, symbols: str, version: str, span: int
) -> BarSelection:
    """Return the one version and span that is meant; raise `ConfigError` for several."""
    store = store_of(folder, config)
    there = [
        each
        for each in store.contents()
        if each.version == (version or each.version) and each.span == (span or each.span)
    ]
    kinds = sorted({(each.version, each.span) for each in there})
    if not kinds:
        raise NothingFound(f"no such bars in {folder_of(folder, config)}: see patang bars import")
    # bars of two lengths or versions must never be counted together
    if len(kinds) > 1:
        each = "; ".join(f"--version {name} --span {seconds}" for name, seconds in kinds)
        raise ConfigError(f"there are several kinds of bars, choose one: {each}")
    known = [each.symbol for each in there]
    wanted = symbol_set(symbols)
    if strange := sorted(wanted - {*known}):
        raise DataError(
            f"no bars of {', '.join(strange)}; there are "
            # a history may have thousands of names
            f"{', '.join(known[:NAMED])}{' …' if len(known) > NAMED else ''}"
        )
    meant = [each for each in there if not wanted or each.symbol in wanted]
    archived = sorted({month for each in meant for month in each.archived})
    return BarSelection(store, *kinds[0], tuple(each.symbol for each in meant), tuple(archived))


def months_of(archived: Sequence[str]) -> str:
    """Return the text about months in the archive."""
    return (
        ""
        if not archived
        else f"{archived[0]} to {archived[-1]}"
        if len(archived) > 1
        else archived[0]
    )


def archived_files(store: "BarStore", start: int, end: int) -> "Sequence[Path]":
    """Return files on this disk with archived bars of the months [start, end) ns UTC touches."""
    from store.bars.archived_bars import ArchivedBars

    return store.files(start, end) if isinstance(store, ArchivedBars) else ()


def time_range(first: str, last: str) -> tuple[int, int]:
    """Return [start, end) in ns UTC of the days from `first` to `last`."""
    start = midnight(read_day(first)) if first else 0
    # the last day belongs to the range
    end = midnight(read_day(last)) + DAY if last else END_OF_TIME
    if start >= end:
        raise ConfigError(f"--from {first} is after --to {last}")
    return start, end


def day_range(starts: Any, first: str, last: str) -> tuple[date, date]:
    """Return the days that are meant, or those of the first and last of some starts (ns UTC)."""
    return read_day(first) if first else ist_day(int(starts[0])), read_day(
        last
    ) if last else ist_day(int(starts[-1]))
