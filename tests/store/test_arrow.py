"""Columns reach arrow and come back as arrow's own way would bring them, without pandas."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from engine.market.arrow_columns import (
    array_of_numbers,
    array_of_texts,
    packed_numbers,
    packed_texts,
)

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from compiled.model.values import Bar
from store.bars.parquet_bars import ParquetBars
bars, names = ParquetBars(__import__("pathlib").Path(sys.argv[1])), {1: "A", 2: "M&M"}
minutes = [start * 60_000_000_000 for start in range(3)]
made = [Bar(token, at, 60, 10.0, 11.0, 9.5, 10.5, 7, 3) for token in names for at in minutes]
bars.write(made, names, "live")
assert bars.symbols(60, "live") == ["A", "M&M"]
assert [bar.start for bar in bars.read("M&M", 60, 0, 10**15, "live")] == minutes
assert len(bars.read_many(["A", "M&M"], 60, 0, 10**15, "live")["A"]) == 3
bars.fold()
bars.write(made, names, "live")
bars.fold()
assert len(bars.read("A", 60, 0, 10**15, "live")) == 3
sys.exit("pandas" in sys.modules)
"""


@pytest.mark.parametrize("values", [[], ["a"], ["", "M&M", "", "नमस्ते", "a" * 300]])
def test_texts_are_arrows_own(values):
    made = array_of_texts(values)
    made.validate(full=True)
    assert made.equals(pa.array(values, pa.string()))
    assert packed_texts(pa.chunked_array([made])).tolist() == values
    assert packed_texts(pa.chunked_array([made[:1], made[1:]], pa.string())).tolist() == values


@pytest.mark.parametrize(
    "values", [np.array([], np.int64), np.array([1, -2, 2**62]), np.array([0.5, -1e300, 7.0])]
)
def test_numbers_are_arrows_own(values):
    kind = values.dtype.type
    made = array_of_numbers(values)
    made.validate(full=True)
    assert made.equals(pa.array(values))
    assert packed_numbers(pa.chunked_array([made]), kind).tolist() == values.tolist()
    assert packed_numbers(pa.chunked_array([made[1:]]), kind).tolist() == values[1:].tolist(), (
        "a slice begins elsewhere"
    )
    assert array_of_numbers(values[::-2]).equals(pa.array(values[::-2])), (
        "with gaps between its numbers"
    )


def test_bars_are_stored_read_and_folded_without_pandas(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=ROOT, timeout=60, check=False
    )
    assert done.returncode == 0
