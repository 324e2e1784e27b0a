"""Elements of HTML and SVG from values: whatever is no markup itself is escaped."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from engine.texts import plain_text

Attribute = str | int | float | None


class HtmlMarkup(str):
    """A text that is markup already."""

    __slots__ = ()


Content = str | int | float | None
"""What an element may hold; None is nothing."""


def as_markup(content: Content) -> str:
    """Return content as markup: texts are escaped and lose invisible characters."""
    # The type is the proof: whatever came from outside is plain `str`, and is escaped.
    if isinstance(content, HtmlMarkup):
        return content
    return "" if content is None else escape(plain_text(str(content)))


def tag(name: str, /, *content: Content, **attributes: Attribute) -> HtmlMarkup:
    """Return an element; an attribute's underscores stand for hyphens, None leaves it out.

    One underscore at the end stands for nothing.
    """
    listed = "".join(
        # `class` and `for` are Python's words, hence the underscore at the end.
        f' {key.rstrip("_").replace("_", "-")}="{escape(plain_text(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(map(as_markup, content))
    return HtmlMarkup(f"<{name}{listed}>{inner}</{name}>")


def joined_markup(parts: Iterable[Content]) -> HtmlMarkup:
    """Return parts one after the other."""
    return HtmlMarkup("".join(map(as_markup, parts)))


class HtmlCell(NamedTuple):
    """A cell of a table; `tone` is a class: n (a number), up, down, pass, warn, fail, none."""

    content: Content
    tone: str = ""


class HtmlColumn(NamedTuple):
    """A column: its name, and the class of its cells.

    The class is n (numbers, to the right) or t (times, in one line).
    """

    name: str
    kind: str = ""


def table(
    name: str,
    columns: Sequence[HtmlColumn],
    rows: Iterable[Sequence[HtmlCell]],
    **attributes: Attribute,
) -> HtmlMarkup:
    """Return a table that scrolls sideways where there is no room for it.

    The first cell of a row is its heading.
    """
    head = tag(
        "tr", *(tag("th", each.name, scope="col", class_=each.kind or None) for each in columns)
    )
    body = joined_markup(
        tag("tr", *(_cell_markup(i, cell, columns[i]) for i, cell in enumerate(row)))
        for row in rows
    )
    made = tag("table", tag("thead", head), tag("tbody", body), **attributes)
    return tag("div", made, class_="scroll", role="region", aria_label=name, tabindex=0)


def _cell_markup(i: int, cell: HtmlCell, column: HtmlColumn) -> HtmlMarkup:
    tones = " ".join(filter(None, (column.kind, cell.tone))) or None
    if i == 0:
        return tag("th", cell.content, scope="row", class_=tones)
    return tag("td", cell.content, class_=tones)
