"""Words of the command line inside the screen: aliases, completion out of help texts, history."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from tui.attach.screen_standing import REFUSED

ELSEWHERE: Final = frozenset({"run", "demo", "replay", "sandbox", "login", "drill", "attach"})
"""Commands that want a terminal, or a desk, of their own."""

LOOKING: Final = frozenset(
    {
        *("status", "desks", "trace", "calendar", "charges", "tax", "export", "results", "sweeps"),
        *("shadow", "parity", "check", "doctor", "kill"),
    }
)
"""Commands that change nothing, and the one that only stops: what a viewer's screen takes."""

_ALIASES: Final[Mapping[str, Sequence[str]]] = {
    "why": ("trace", "--why"),
    "buy": ("order", "buy"),
    "sell": ("order", "sell"),
}
_LISTED: Final = re.compile(r"^│ (?:\*\s+)?([a-z][a-z-]*) {2,}\S", re.MULTILINE)
_OPTION: Final = re.compile(r"(?<!\S)(--[a-z][a-z-]*)")


class CommandFault(ValueError):
    """A line that is no command, in one line for the operator."""


class HelpWords(NamedTuple):
    """The commands and the options that a help text names."""

    commands: tuple[str, ...]
    options: tuple[str, ...]


def read_help(text: str) -> HelpWords:
    """Return what a help text offers."""
    listed, _, options = text.partition("─ Parameters ─")
    return HelpWords(
        tuple(_LISTED.findall(listed)) if "─ Commands ─" in listed else (),
        tuple(dict.fromkeys(_OPTION.findall(options))),
    )


def command_words(line: str) -> list[str]:
    """Return the words of a command as the shell's command takes them; raise `CommandFault`."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise CommandFault(f"{error}: quotes come in pairs") from None
    if words and words[0] == "patang":
        words = words[1:]
    if not words:
        raise CommandFault("a command, as limits or why INFY; tab completes")
    words = [*_ALIASES.get(words[0], (words[0],)), *words[1:]]
    if words[0] in ELSEWHERE:
        raise CommandFault(f"{words[0]} wants a terminal of its own")
    return words


def check_viewer(words: Sequence[str]) -> None:
    """Raise `CommandFault` for a command that may change something."""
    listed = list(words) in (["limits"], ["reconcile"])
    if not listed and words[0] not in LOOKING and "--help" not in words:
        raise CommandFault(f"{words[0]}: {REFUSED}")


def completed_line(
    line: str, help_words: HelpWords, symbols: Iterable[str]
) -> tuple[str, list[str]]:
    """Return a line with its last word completed as far as is sure, and what it may become.

    `help_words` are those of the commands before that word.
    """
    head, _, last = line.rpartition(" ")
    first = not head.strip()
    offered = [*help_words.commands, *(_ALIASES if first else ())]
    if last.startswith("-"):
        offered = [*help_words.options]
    elif not first:
        offered += symbols
    # Commands before symbols, which are many.
    found = sorted(
        {word for word in offered if word.lower().startswith(last.lower())},
        key=lambda word: (word.isupper(), word),
    )
    if not found:
        return line, []
    word = found[0] if len(found) == 1 else _common_start(found)
    # Symbols are upper case, whatever was typed.
    grown = word if len(word) >= len(last) else last
    space = " " if len(found) == 1 else ""
    return f"{head} {grown}{space}".lstrip(), found


def _common_start(words: Sequence[str]) -> str:
    least, most = min(words), max(words)
    for at, letter in enumerate(least):
        if letter != most[at]:
            return least[:at]
    return least


class CommandHistory:
    """Lines that were given before, the oldest first; going back keeps what was being typed."""

    MOST: Final = 500

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = [*lines][-self.MOST :]
        self._at = len(self._lines)
        self._typed = ""

    def add_line(self, line: str) -> bool:
        """Take a line; return whether it is not the last one again."""
        self._at, fresh = len(self._lines), not self._lines or self._lines[-1] != line
        if fresh:
            self._lines = [*self._lines, line][-self.MOST :]
        self._at = len(self._lines)
        return fresh

    def step(self, by: int, typed: str) -> str:
        """Return the line before (-1) or behind (1); behind the last stands what was typed."""
        if self._at == len(self._lines):
            self._typed = typed
        self._at = min(max(self._at + by, 0), len(self._lines))
        return self._lines[self._at] if self._at < len(self._lines) else self._typed
