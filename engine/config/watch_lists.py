"""The user's watch lists: names of symbols in an order, in a file of their own.

Screen and command line change them. Every change reads the file first, so that neither undoes what
the other has done, and replaces it whole.
"""

import json
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

from msgspec import Struct, ValidationError, convert, field, structs

from engine.errors import ConfigError, DataError, in_words
from engine.system.whole_files import write_whole
from engine.texts import is_symbol

Item = TypeVar("Item")
LONGEST: Final = 32
"""Letters of a list's name."""
MOST_LISTS, MOST_SYMBOLS = 50, 3_000
EVERYTHING: Final = "all"
"""What the screen calls all that is under watch, which is no list of the user's."""
_HEAD: Final = (
    "# Watch lists. The screen and `patang watch` write this file, whole, at each change.\n"
)


class NamedWatchList(Struct, frozen=True, forbid_unknown_fields=True):
    """One list: its name, and its symbols in their order."""

    name: str
    symbols: tuple[str, ...] = ()


class WatchLists(Struct, frozen=True, forbid_unknown_fields=True):
    """All lists in their order, and the columns of the watch list that are chosen (none: usual)."""

    lists: tuple[NamedWatchList, ...] = field(default=(), name="list")
    columns: tuple[str, ...] = ()

    def find(self, name: str) -> NamedWatchList | None:
        """Return the list of a name, whatever its capitals; None where there is none."""
        return next((each for each in self.lists if each.name.lower() == name.lower()), None)

    def create(self, name: str) -> "WatchLists":
        """Return them with one more list; raise `ConfigError` for a name that cannot be."""
        self._check_name(name)
        if len(self.lists) >= MOST_LISTS:
            raise ConfigError(f"there are {MOST_LISTS} watch lists already: delete one first")
        return structs.replace(self, lists=(*self.lists, NamedWatchList(name)))

    def rename(self, name: str, new: str) -> "WatchLists":
        """Return them with a list under another name; raise `ConfigError`."""
        # the same name in other capitals is no other list
        if name.lower() != new.lower():
            self._check_name(new)
        return self._with_change(self.named(name), lambda each: structs.replace(each, name=new))

    def delete(self, name: str) -> "WatchLists":
        """Return them without a list; raise `ConfigError` where there is none."""
        gone = self.named(name)
        return structs.replace(self, lists=tuple(each for each in self.lists if each != gone))

    def move_list(self, name: str, by: int) -> "WatchLists":
        """Return them with a list further up or down."""
        return structs.replace(self, lists=_moved_item(self.lists, self.named(name), by))

    def add(self, name: str, symbols: Iterable[str]) -> "WatchLists":
        """Return them with symbols at the end of a list, each once; raise `ConfigError`."""
        wanted = list(symbols)
        for symbol in wanted:
            if not is_symbol(symbol):
                raise ConfigError(f"{symbol[:LONGEST]!r} is no symbol")
        found = self.named(name)
        # a dict keeps the order in which they came, and each once
        every = tuple(dict.fromkeys((*found.symbols, *wanted)))
        if len(every) > MOST_SYMBOLS:
            raise ConfigError(f"{found.name}: a watch list has {MOST_SYMBOLS} symbols at most")
        return self._with_change(found, lambda each: structs.replace(each, symbols=every))

    def remove(self, name: str, symbol: str) -> "WatchLists":
        """Return them without a symbol in a list; raise `ConfigError` where it is not in it."""
        found = self.named(name)
        if symbol not in found.symbols:
            raise ConfigError(f"{symbol} is not in {found.name}")
        left = tuple(each for each in found.symbols if each != symbol)
        return self._with_change(found, lambda each: structs.replace(each, symbols=left))

    def move(self, name: str, symbol: str, by: int) -> "WatchLists":
        """Return them with a symbol further up or down in a list."""
        symbols = _moved_item(self.named(name).symbols, symbol, by)
        return self._with_change(
            self.named(name), lambda each: structs.replace(each, symbols=symbols)
        )

    def named(self, name: str) -> NamedWatchList:
        """Return the list of a name; raise `ConfigError` naming those there are."""
        found = self.find(name)
        if found is None:
            there = ", ".join(each.name for each in self.lists) or "none yet"
            raise ConfigError(f"no watch list is called {name}; there are: {there}")
        return found

    def _check_name(self, name: str) -> None:
        if not name.strip() or len(name) > LONGEST or not name.isprintable():
            raise ConfigError(f"a watch list's name has 1 to {LONGEST} letters")
        if name.lower() == EVERYTHING or self.find(name) is not None:
            raise ConfigError(f"there is a watch list {name} already")

    def _with_change(
        self, which: NamedWatchList, change: Callable[[NamedWatchList], NamedWatchList]
    ) -> "WatchLists":
        lists = tuple(change(each) if each == which else each for each in self.lists)
        return structs.replace(self, lists=lists)


def _moved_item(items: tuple[Item, ...], item: Item, by: int) -> tuple[Item, ...]:
    left = [each for each in items if each != item]
    left.insert(max(0, min(items.index(item) + by, len(left))), item)
    return tuple(left)


def read_watch_lists(file: Path) -> WatchLists:
    """Return the lists of a file, none where there is no file; raise `DataError`."""
    try:
        found = convert(tomllib.loads(file.read_text(encoding="utf-8")), WatchLists)
    except FileNotFoundError:
        return WatchLists()
    except (OSError, ValueError, ValidationError, RecursionError) as error:
        why = in_words(error) if isinstance(error, OSError) else " ".join(str(error).split())
        raise DataError(f"{file}: {why}; mend it, or move it away") from None
    for each in found.lists:
        if any(not is_symbol(symbol) for symbol in each.symbols):
            raise DataError(f"{file}: list {each.name!r:.40} has a text that is no symbol")
    return found


def change_watch_lists(file: Path, change: Callable[[WatchLists], WatchLists]) -> WatchLists:
    """Change the lists of a file, and return them as they are now.

    Raise `ConfigError` as the change does, `DataError` or `OperatorError` where the file cannot be
    read or written: it is then as it was.
    """
    changed = change(read_watch_lists(file))
    # JSON's texts and arrays are TOML's as well, escapes included
    text = _HEAD + (f"columns = {json.dumps(changed.columns)}\n" if changed.columns else "")
    for each in changed.lists:
        text += (
            f"\n[[list]]\nname = {json.dumps(each.name)}\nsymbols = {json.dumps(each.symbols)}\n"
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{file.parent}: {in_words(error)}") from None
    write_whole(file, lambda fresh: fresh.write_text(text, encoding="utf-8"))
    return changed
