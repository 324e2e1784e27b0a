"""A list of the screen as a file."""

import csv

import pytest

from engine.errors import OperatorError
from store.listed_rows import time_stamp, write_rows


def test_rows_come_back_as_they_were_and_no_text_is_a_formula(tmp_path):
    rows = [["symbol", "reason"], ["INFY", 'said "no", twice'], ["=1+1", "@now"], ["-3", "▲ 4.00"]]
    file = write_rows(tmp_path / "deep" / "orders.csv", rows)
    with file.open(newline="", encoding="utf-8") as opened:
        read = list(csv.reader(opened))
    assert read == [*rows[:2], ["'=1+1", "'@now"], ["-3", "▲ 4.00"]]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(OperatorError, match="taken"):
        write_rows(tmp_path / "taken" / "orders.csv", [])


def test_a_stamp_is_indian_time():
    assert time_stamp(1_717_472_700_000_000_000) == "20240604-091500"
