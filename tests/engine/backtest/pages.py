"""Contents of a page, read by a parser that knows nothing of how it was made."""

from collections import defaultdict
from html.parser import HTMLParser

VOID = {"meta", "br", "input", "img", "link", "hr"}


class Page(HTMLParser):
    """Elements in order, their attributes, and the texts of tables by the id around them."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.texts, self.scripts, self.rows, self.titled = (
            [],
            [],
            [],
            [],
            [],
            [],
        )
        self.style, self.held = "", defaultdict(list)
        self.feed(text)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if self.open and self.open[-1][0] == "svg" and self.open[-1][1].get("role") == "img":
            self.titled.append(tag == "title")
            self.open[-1][1].pop("role")
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        self.held[tag].append([dict(attrs).get("class", ""), ""])

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        inside = [tag for tag, _ in self.open]
        if not inside:
            return
        if "script" in inside:
            self.scripts[-1] += data
        elif "style" in inside:
            self.style += data
        else:
            self.texts.append(data)
        self.held[inside[-1]][-1][1] += data
        if {"td", "th"} & set(inside):
            self.rows[-1][-1] += data

    def named(self, tag):
        return [attributes for each, attributes in self.tags if each == tag]

    def texts_of(self, tag):
        return [text for _, text in self.held[tag]]

    @property
    def text(self):
        return "\n".join(self.texts)

    @property
    def first_cells(self):
        return {row[0]: row[1:] for row in self.rows if row}
