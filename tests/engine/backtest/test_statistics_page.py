"""The page on statistics names every metric and rule as the code has them."""

import os
import re

import pytest

from engine.backtest.linter.linter_rules import RULES
from engine.backtest.statistics import result_tables
from engine.backtest.statistics.run_metrics import GROUPS, METRICS
from engine.research.evidence import evidence_gate
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "statistics.md"


def metrics():
    for group in GROUPS:
        yield f"### {group}\n\n| metric | unit | key | what |\n|---|---|---|---|"
        for each in METRICS:
            if each.group == group:
                yield f"| {each.label} | {each.unit} | `{each.key}` | {each.means} |"
        yield ""


def rules():
    yield "| rule | severity | measures | limits | why | mend |\n|---|---|---|---|---|---|"
    for rule in RULES:
        yield (
            f"| {rule.label} | {rule.severity} | {rule.measures} | {rule.threshold} | {rule.why} "
            f"| {rule.mend} |"
        )


def gate():
    yield "| rule | measures | passes | why | mend |\n|---|---|---|---|---|"
    for rule in evidence_gate.RULES:
        side = "at most" if rule.most else "from"
        yield (
            f"| {rule.label} | {rule.measures} | {side} {rule.threshold:g} | {rule.why} "
            f"| {rule.mend} |"
        )


@pytest.mark.parametrize("part", [metrics, rules, gate], ids=lambda part: part.__name__)
def test_the_page_says_what_the_code_does(part):
    """PATANG_UPDATE=1 writes it anew."""
    written = "\n".join(part()).rstrip()
    page = PAGE.read_text(encoding="utf-8")
    marked = re.compile(rf"(<!-- {part.__name__} -->\n)(.*?)(\n?<!-- end -->)", re.DOTALL)
    assert marked.search(page)
    if os.environ.get("PATANG_UPDATE"):
        page = marked.sub(lambda found: f"{found[1]}\n{written}\n\n<!-- end -->", page)
        PAGE.write_text(page, encoding="utf-8")
    assert marked.search(page)[2].strip() == written


def test_the_page_names_every_breakdown():
    [row] = re.findall(r"^\| breakdowns \|.*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    for by in result_tables.BREAKDOWNS:
        assert by in row, by
