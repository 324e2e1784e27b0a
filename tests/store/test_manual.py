"""The manual of the store names what there is."""

import re
from pathlib import Path

import pytest
import sqlite_utils

from store.sqlite_journal import SqliteJournal

MANUAL = (Path(__file__).resolve().parents[2] / "docs" / "store.md").read_text(encoding="utf-8")


@pytest.fixture
def schema(database, ear):
    SqliteJournal(database, ear).close()
    opened = sqlite_utils.Database(database)
    yield opened
    opened.close()


def test_every_table_stands_in_the_manual_under_its_key(schema):
    rows = re.findall(r"^\| `(\w+)` \| .* \| (`\w+`(?:, `\w+`)*) \|$", MANUAL, re.MULTILINE)
    described = {table: re.findall(r"\w+", keys) for table, keys in rows}
    assert described == {table.name: table.pks for table in schema.tables}


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("trades", ["symbol", "status"]),
        ("trades", ["entry_time"]),
        ("trades", ["pnl"]),
        ("intents", ["status"]),
        ("orders", ["tag"]),
        ("fills", ["order_id"]),
    ],
)
def test_the_questions_of_the_desk_have_an_index(schema, table, columns):
    assert columns in [index.columns for index in schema[table].indexes]


def test_every_table_is_strict(schema):
    assert [table.name for table in schema.tables if not table.strict] == []
