"""Texts of strangers in tables.

A spreadsheet works none of them out, and what is no symbol is refused where it enters.
"""

from decimal import Decimal

import openpyxl
import pytest

from engine.errors import DataError
from engine.market.accounts.spreadsheet import read_sheet
from engine.market.accounts.tradebook import read_holdings, read_tradebook
from engine.market.instruments import COLUMNS, read_dump
from engine.system.workbook import SpreadsheetTable, as_csv, write_workbook
from engine.texts import checked_symbol, csv_cell, from_csv_cell
from tests.engine.market.test_tradebook import book, row

FORMULAS = (
    "=1+1",
    "+1",
    "-1+cmd",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "=cmd|'/C calc'!A0",
    "\uff1d1",
    "\x1b=1",
    "\ufeff=1",
)
NO_SYMBOLS = (
    *FORMULAS,
    "",
    "\u202eYFNI",
    "IN\x00FY",
    "IN\nFY",
    "'INFY",
    "[bold]",
    "I" * 101,
    "INFY\ud800",
)
SYMBOLS = (
    "INFY",
    "M&M",
    "BAJAJ-AUTO",
    "NIFTY 50",
    "20MICRONS",
    "NIFTY26JULFUT",
    "0ECL25-N1",
    "Axis Fund - Direct (G), 10%",
)


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_would_be_worked_out_stands_behind_an_apostrophe_and_comes_back_without(text):
    assert csv_cell(text) == f"'{text}"
    assert from_csv_cell(csv_cell(text)) == text


@pytest.mark.parametrize("text", ["'quoted'", "a=b", "", *SYMBOLS])
def test_other_texts_stand_as_they_are(text):
    assert csv_cell(text) == from_csv_cell(text) == text


def test_numbers_stay_numbers():
    assert as_csv(SpreadsheetTable("a", ("b",), [(Decimal("-1.50"),), (-7,)])) == "b\n-1.50\n-7\n"


def test_our_own_table_is_read_back_as_it_was(tmp_path):
    file = tmp_path / "own.csv"
    file.write_text(
        as_csv(SpreadsheetTable("a", ("symbol", "reason"), [("INFY", "=1+1"), ("TCS", "'x'")]))
    )
    rows = read_sheet(file, ("symbol", "reason"), {}, "table")
    assert [each.cells["reason"] for each in rows] == ["=1+1", "'x'"]


@pytest.mark.parametrize("text", [*FORMULAS, "#N/A", "\x00\x0b"])
def test_a_workbook_holds_texts_and_no_formulas(tmp_path, text):
    file = tmp_path / "own.xlsx"
    write_workbook(file, [SpreadsheetTable("a", ("b", "c"), [(text, Decimal("-1.5"))])])
    found = openpyxl.load_workbook(file)["a"]
    assert found["A2"].data_type in {"s", "inlineStr", "n"}
    assert found["A2"].data_type != "n" or found["A2"].value is None
    assert (found["B2"].data_type, found["B2"].value) == ("n", -1.5)


@pytest.mark.parametrize("text", NO_SYMBOLS)
def test_what_is_no_symbol_is_refused_where_it_enters(text):
    with pytest.raises(ValueError, match="is no symbol"):
        checked_symbol(text)


@pytest.mark.parametrize("text", ["=cmd|'/C calc'!A0", "\u202eYFNI", "@SUM(A1)", "I" * 101])
def test_a_tradebook_holdings_and_a_dump_name_the_line_of_what_is_no_symbol(tmp_path, text):
    with pytest.raises(DataError, match=r"book\.csv, line 2: .* is no symbol"):
        read_tradebook(book(tmp_path, row("buy", "10", "100", symbol=text)))
    with pytest.raises(DataError, match=r"book\.csv, line 2: .* is no symbol"):
        read_holdings(
            book(tmp_path, f"{text},10,100,2025-06-02", header="symbol,quantity,price,date")
        )
    head = ",".join(COLUMNS)
    fields = dict.fromkeys(COLUMNS, "") | {
        "instrument_token": "1",
        "tradingsymbol": text,
        "tick_size": "0.05",
        "lot_size": "1",
        "exchange": "NSE",
    }
    with pytest.raises(DataError, match=r"dump\.csv, line 2: .* is no symbol"):
        read_dump(f"{head}\n{','.join(fields[name] for name in COLUMNS)}\n", "dump.csv")


@pytest.mark.parametrize("text", SYMBOLS)
def test_symbols_of_every_kind_are_taken(tmp_path, text):
    [deal] = read_tradebook(book(tmp_path, row("buy", "10", "100", symbol=f'"{text}"')))
    assert deal.symbol == text.upper()
