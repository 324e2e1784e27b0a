"""Elements of HTML and SVG from values: whatever is no markup itself is escaped."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from engine.texts import plain

Attribute = str | int | float | None


class Markup(str):
    """A text that is markup already."""

    __slots__ = ()


Content = str | int | float | None
"""What an element may hold; None is nothing."""


def told(content: Content) -> str:
    """Return content as markup: texts are escaped and lose what a reader could not see."""
    if isinstance(content, Markup):
        return content
    return "" if content is None else escape(plain(str(content)))


def tag(name: str, /, *content: Content, **attributes: Attribute) -> Markup:
    """Return an element; an attribute's underscores stand for hyphens (one at the end for nothing), None leaves it out."""
    listed = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(plain(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(map(told, content))
    return Markup(f"<{name}{listed}>{inner}</{name}>")


def joined(parts: Iterable[Content]) -> Markup:
    """Return parts one after the other."""
    return Markup("".join(map(told, parts)))


class Cell(NamedTuple):
    """A cell of a table; `tone` is a class: n (a number), up, down, pass, warn, fail, none."""

    content: Content
    tone: str = ""


class Column(NamedTuple):
    """A column: its name, and the class of its cells: n (numbers, to the right), t (times, in one line)."""

    name: str
    kind: str = ""


def table(name: str, columns: Sequence[Column], rows: Iterable[Sequence[Cell]], **attributes: Attribute) -> Markup:
    """Return a table that scrolls sideways where there is no room for it; the first cell of a row is its heading."""
    head = tag("tr", *(tag("th", each.name, scope="col", class_=each.kind or None) for each in columns))
    body = joined(tag("tr", *(_cell(i, cell, columns[i]) for i, cell in enumerate(row))) for row in rows)
    made = tag("table", tag("thead", head), tag("tbody", body), **attributes)
    return tag("div", made, class_="scroll", role="region", aria_label=name, tabindex=0)


def _cell(i: int, cell: Cell, column: Column) -> Markup:
    tones = " ".join(filter(None, (column.kind, cell.tone))) or None
    if i == 0:
        return tag("th", cell.content, scope="row", class_=tones)
    return tag("td", cell.content, class_=tones)
