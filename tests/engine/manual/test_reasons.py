"""Reasons of refused entries: each in words, and all of them in the table of the page."""

import os
import re

from compiled.trading.risk import RefusalReason
from engine.manual.reasons import MEANINGS, reason_table
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "risk.md"
TABLE = re.compile(r"^\| code \|.*?\n(?!\|)", re.MULTILINE | re.DOTALL)


def test_every_reason_has_its_words():
    assert set(MEANINGS) == set(RefusalReason) - {RefusalReason.OK}


def test_the_page_has_the_same_table():
    """PATANG_UPDATE=1 writes it anew."""
    page = PAGE.read_text(encoding="utf-8")
    assert len(TABLE.findall(page)) == 1
    if os.environ.get("PATANG_UPDATE"):
        page = TABLE.sub(lambda _: reason_table(), page)
        PAGE.write_text(page, encoding="utf-8")
    assert reason_table() in page
