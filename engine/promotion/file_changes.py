"""The difference of two files of the next day: as the desk tells it, and line by line."""

import difflib
from collections.abc import Iterator
from typing import NamedTuple

from engine.numbers import count
from engine.promotion.next_day_file import NextDayFile, PromotedStrategy, render_next_day
from engine.texts import plain_text

GONE = "(what it holds keeps its stops at the broker, and is left by hand)"


class DayChange(NamedTuple):
    """A change of one strategy: `sign` is + for a new one, - for one that is gone, ~ else."""

    sign: str
    name: str
    text: str

    def __str__(self) -> str:
        return plain_text(f"{self.sign} {self.name}{f' {self.text}' if self.text else ''}")


def day_changes(old: NextDayFile, new: NextDayFile) -> list[DayChange]:
    """Return what changes from one file to the next: new, gone, and other values."""
    before = {each.name: each for each in old.promoted}
    after = {each.name: each for each in new.promoted}
    found = [
        DayChange("+", name, _strategy_text(each))
        for name, each in after.items()
        if name not in before
    ]
    found += [DayChange("-", name, GONE) for name in before if name not in after]
    for name, each in after.items():
        if name in before and (values := list(_changed_values(before[name], each))):
            found.append(DayChange("~", name, ", ".join(values)))
    return found


def file_diff(old: NextDayFile, new: NextDayFile) -> list[str]:
    """Return the lines of a unified diff of the two texts, without those that only number it."""
    return [
        plain_text(line)
        for line in difflib.unified_diff(
            _plain_lines(old),
            _plain_lines(new),
            "next_day.toml",
            "next_day.toml (new)",
            lineterm="",
        )
    ]


def _plain_lines(file: NextDayFile) -> list[str]:
    lines = render_next_day(file).splitlines() if file.strategy else []
    return [line for line in lines if not line.startswith(("#", "number =", "schema ="))]


def _strategy_text(each: PromotedStrategy) -> str:
    forced = f", forced: {each.origin.forced}" if each.origin.forced else ""
    return f"({' '.join(each.symbols)}, ₹{count(each.budget)}{forced})"


def _changed_values(old: PromotedStrategy, new: PromotedStrategy) -> Iterator[str]:
    for key in dict.fromkeys([*old.table, *new.table]):
        was, now = old.table.get(key), new.table.get(key)
        if _as_list(was) != _as_list(now):
            yield f"{key} {_value_text(was)} -> {_value_text(now)}"
    if old.budget != new.budget:
        yield f"budget ₹{count(old.budget)} -> ₹{count(new.budget)}"
    if old.origin.code != new.origin.code:
        yield "other code"
    if old.origin.forced != new.origin.forced and new.origin.forced:
        yield f"forced: {new.origin.forced}"


def _as_list(value: object) -> object:
    """Return a value so that a list read from a file equals the tuple it was made of."""
    return list(value) if isinstance(value, tuple) else value


def _value_text(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return "nothing" if value is None else str(value)
