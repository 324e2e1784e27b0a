"""Search for instruments over all that the desk can trade, while a name is being typed."""

import difflib
import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final, NamedTuple, final

from compiled.model.values import Instrument

MOST: Final = 200
"""Instruments that one search names; the others it counts."""
LETTERS: Final = 40
"""Letters of a search that are looked at."""
NEAREST: Final = 3
_COMPARED: Final = 2_000
"""Symbols that a mistyped one is held against, letter by letter: that takes its time."""
_KINDS: Final = {"EQ": 0, "INDEX": 1, "FUT": 2}
_SIDES: Final = frozenset({"ce", "pe", "fut"})
"""Kinds that are asked for after a name, and whose letters stand in many names."""
_OPTION: Final = re.compile(r"(.+?)(\d{2}(?:[A-Z]{3}|[1-9OND]\d{2}))(\d+(?:\.\d+)?)(CE|PE)")


class OptionName(NamedTuple):
    """The parts of an option's symbol: NIFTY, 26NOV (or 26O06: 6 October), 24500, CE."""

    underlying: str
    expiry: str
    strike: str
    side: str


def option_name(symbol: str) -> OptionName | None:
    """Return the parts of an option's symbol, None for what is no option."""
    found = _OPTION.fullmatch(symbol)
    return OptionName(*found.groups()) if found else None


class FoundInstrument(NamedTuple):
    """One instrument as a search names it; `expiry` is YYYYMMDD, 0 for none."""

    symbol: str
    exchange: str
    kind: str
    name: str
    expiry: int = 0
    strike: str = ""


class FoundInstruments(NamedTuple):
    """The outcome of a search: how many match, and the first of them."""

    matches: int
    rows: tuple[FoundInstrument, ...]


@final
class InstrumentSearch:
    """Instruments by whatever is remembered of them; it never changes, and any thread may ask.

    Every word of a search has to stand in symbol, name, exchange, kind, expiry or strike. Where
    none does, its letters have to stand in the symbol in their order. Shares come first, then
    indices, futures and options by expiry.
    """

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        rows = [_found_instrument(each) for each in instruments]
        # Sorted once, here: what is found is then in order already, whatever is typed.
        rows.sort(
            key=lambda row: (_KINDS.get(row.kind, 3), row.expiry, len(row.symbol), row.symbol)
        )
        self._rows = rows
        self._symbols = [row.symbol.lower() for row in rows]
        self._texts = [_search_text(row) for row in rows]

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, text: str, most: int = MOST) -> FoundInstruments:
        """Return what a text finds: the very symbol, then what begins so, then all other."""
        words = text[:LETTERS].lower().split()
        if not words:
            return FoundInstruments(len(self._rows), tuple(self._rows[:most]))
        found: Sequence[int] = range(len(self._rows))
        # A word at a time over what the one before has left: the first goes over tens of thousands
        # of short texts, which takes milliseconds, and the others over a few.
        for turn, word in enumerate(words):
            texts = self._texts
            hits = [at for at in found if word in texts[at]]
            # "reliance ce" asks for calls: every name that has these letters would hide them.
            if turn and word in _SIDES:
                hits = [at for at in hits if self._rows[at].kind.lower() == word] or hits
            found = hits or self._with_letters(word, found)
        return FoundInstruments(
            len(found), tuple(self._rows[at] for at in self._closest_first(words[0], found)[:most])
        )

    def nearest(self, symbol: str) -> list[str]:
        """Return the symbols most like one that is not listed."""
        typed = symbol.lower()
        alike = [each for each in self._symbols if each[:2] == typed[:2]][:_COMPARED]
        # It is slow, and a slip in the first two letters is rare.
        names = difflib.get_close_matches(typed, alike, NEAREST)
        found = [row.symbol for row in self.find(symbol, NEAREST).rows]
        return list(dict.fromkeys([*(name.upper() for name in names), *found]))[:NEAREST]

    def _with_letters(self, word: str, among: Sequence[int]) -> list[int]:
        # Lazy between the letters: greedy ones would try every end first.
        letters = re.compile(".*?".join(map(re.escape, word))).search
        symbols = self._symbols
        return [at for at in among if letters(symbols[at])]

    def _closest_first(self, word: str, found: Sequence[int]) -> list[int]:
        symbols = self._symbols
        # The rows are in order already; three walks keep it, a sort with a key would cost more.
        begins = [at for at in found if symbols[at].startswith(word)]
        first = [at for at in begins if symbols[at] == word]
        known = set(begins)
        return [
            *first,
            *(at for at in begins if symbols[at] != word),
            *(at for at in found if at not in known),
        ]


def expiry_text(expiry: int) -> str:
    """Return an expiry (YYYYMMDD) as 24 Nov 26, "" for none."""
    if not expiry:
        return ""
    return f"{date(expiry // 10_000, expiry // 100 % 100, expiry % 100):%-d %b %y}"


def _found_instrument(each: Instrument) -> FoundInstrument:
    option = option_name(each.symbol) if each.kind in {"CE", "PE"} else None
    return FoundInstrument(
        each.symbol,
        each.exchange,
        each.kind,
        each.name,
        int(each.expiry),
        option.strike if option is not None else "",
    )


def _search_text(row: FoundInstrument) -> str:
    words = (row.symbol, row.name, row.exchange, row.kind, expiry_text(row.expiry), row.strike)
    return " ".join(words).lower()
