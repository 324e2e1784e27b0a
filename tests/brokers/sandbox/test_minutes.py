"""Recorded files are believed in nothing.

What can be meant is read, the rest is one line with file, row and column.
"""

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.universe.day_universe import build_universe
from brokers.sandbox.universe.minute_file import read_minutes
from engine.errors import DataError

IST = timezone(timedelta(hours=5, minutes=30))
NINE_FIFTEEN = 1_704_858_300 * 10**9
"""2024-01-10 09:15 IST in ns UTC."""
NAIVE = [datetime(2024, 1, 10, 9, 15 + minute) for minute in range(3)]
GOOD = {
    "timestamp": NAIVE,
    "open": [100.0, 101.0, 102.0],
    "high": [102.0, 103.0, 104.0],
    "low": [99.0, 100.0, 101.0],
    "close": [101.0, 102.0, 103.0],
    "volume": [10, 20, 30],
}


@pytest.fixture
def file(tmp_path):
    def write(**columns):
        table = {name: values for name, values in (GOOD | columns).items() if values is not None}
        pq.write_table(pa.table(table), tmp_path / "X.parquet")
        return tmp_path / "X.parquet"

    return write


@pytest.mark.parametrize(
    "stamps",
    [
        NAIVE,
        [at.replace(tzinfo=IST) for at in NAIVE],
        [at.replace(tzinfo=IST).astimezone(UTC) for at in NAIVE],
    ],
    ids=["naive", "IST", "UTC"],
)
@pytest.mark.parametrize("volume", [[10, 20, 30], [10.0, 20.0, 30.0]], ids=["whole", "float"])
def test_naive_stamps_are_indian_and_whole_floats_are_volumes(file, stamps, volume):
    bars = read_minutes(file(timestamp=stamps, volume=volume))
    assert bars.starts.tolist() == [NINE_FIFTEEN + minute * 60 * 10**9 for minute in range(3)]
    assert [column.tolist() for column in bars.prices] == [
        GOOD[name] for name in ("open", "high", "low", "close")
    ]
    assert bars.volumes.tolist() == [10, 20, 30]
    assert str(bars.volumes.dtype) == "int64"


WRONG = {
    "an empty cell": ({"close": [101.0, None, 103.0]}, "row 2, column close: empty"),
    "an empty time": ({"timestamp": [*NAIVE[:2], None]}, "row 3, column timestamp: empty"),
    "half a share": (
        {"volume": [10, 20, 30.5]},
        "row 3, column volume: 30.5 is no number of shares",
    ),
    "shares given back": (
        {"volume": [-10, 20, 30]},
        "row 1, column volume: -10 is no number of shares",
    ),
    "no number": ({"open": [100.0, float("nan"), 102.0]}, "row 2, column open: nan is no price"),
    "a price of nothing": ({"low": [99.0, 0.0, 101.0]}, "row 2, column low: 0 is no price"),
    "a high that is none": (
        {"high": [102.0, 101.5, 104.0]},
        "row 2, column high: 101.5 is below open or close",
    ),
    "a low that is none": (
        {"low": [99.0, 100.0, 102.5]},
        "row 3, column low: 102.5 is above open or close",
    ),
    "seconds": (
        {"timestamp": [NAIVE[0], NAIVE[1] + timedelta(seconds=59), NAIVE[2]]},
        "row 2, column timestamp: 2024-01-10 09:16:59 IST begins no minute",
    ),
    "texts for times": (
        {"timestamp": ["09:15", "09:16", "09:17"]},
        "column timestamp: expected timestamps, got string",
    ),
    "texts for prices": ({"high": ["1", "2", "3"]}, "column high: expected numbers, got string"),
    "a column that lacks": (
        {"volume": None},
        "no column volume; there are timestamp, open, high, low, close",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_cell_is_named_with_file_row_and_column(file, name):
    columns, wanted = WRONG[name]
    path = file(**columns)
    with pytest.raises(DataError) as refusal:
        read_minutes(path)
    assert str(refusal.value) == f"tape {path}: {wanted}"


@pytest.mark.parametrize("content", [b"", b"PAR1", b"timestamp,open\n1,2\n"])
def test_what_is_no_parquet_file_is_one_line(tmp_path, content):
    (tmp_path / "X.parquet").write_bytes(content)
    with pytest.raises(DataError) as refusal:
        read_minutes(tmp_path / "X.parquet")
    assert str(refusal.value).startswith(f"tape {tmp_path / 'X.parquet'}: ")
    assert "\n" not in str(refusal.value)


def test_a_record_by_another_clock_is_refused(file):
    utc = [at - timedelta(hours=5, minutes=30) for at in NAIVE]
    config = SandboxConfig(tape=file().parent, date="2024-01-10")
    assert len(build_universe(config).market.listings) == 1
    file(timestamp=utc)
    with pytest.raises(DataError) as refusal:
        build_universe(config)
    assert str(refusal.value) == (
        f"tape {config.tape}: its bars of 2024-01-10 run from 03:45 to 03:48 IST, the market from "
        "09:00 to 16:00: "
        "stamps without a time zone are taken for IST"
    )


def test_a_symbol_of_a_tape_may_be_typed_in_small_letters(file):
    config = SandboxConfig(tape=file().parent, date="2024-01-10", symbols=("x",))
    assert [one.instrument.symbol for one in build_universe(config).market.listings] == ["X"]
