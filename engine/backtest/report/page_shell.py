"""The shell of a page of results: its parts in order, its style, and its only script."""

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from engine.backtest.report.html_markup import Content, HtmlMarkup, joined_markup, tag

_HERE: Final = Path(__file__).parent
SCRIPT: Final = (_HERE / "page.js").read_text(encoding="utf-8")
STYLE: Final = (_HERE / "page.css").read_text(encoding="utf-8")
_HASH: Final = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
POLICY: Final = (
    f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_HASH}'; base-uri "
    f"'none'; form-action 'none'"
)
"""What a browser lets the page do: nothing but be painted, and run its own script."""


Part = tuple[str, str, Content]
"""Its anchor, its title, and what it shows."""


def page(title: str, header: Iterable[Content], parts: Iterable[Part], footer: str) -> str:
    """Return one page of HTML that needs nothing else; parts that show nothing are left out."""
    shown = [(name, title, each) for name, title, each in parts if each]
    links = tag(
        "nav",
        tag("div", *(tag("a", title, href=f"#{name}") for name, title, _ in shown)),
        aria_label="Parts",
    )
    body = joined_markup(
        [
            tag("header", *header),
            links,
            tag(
                "main",
                *(tag("section", tag("h2", title), each, id=name) for name, title, each in shown),
            ),
            tag("footer", footer),
            tag("script", HtmlMarkup(SCRIPT)),
        ]
    )
    head = joined_markup(
        [
            HtmlMarkup(
                '<meta charset="utf-8"><meta name="viewport" content="width=device-width, '
                'initial-scale=1">'
            ),
            HtmlMarkup(
                f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><meta '
                f'name="referrer" content="no-referrer">'
            ),
            tag("title", title),
            tag("style", HtmlMarkup(STYLE)),
        ]
    )
    return f'<!doctype html>\n<html lang="en-IN"><head>{head}</head><body>{body}</body></html>\n'
