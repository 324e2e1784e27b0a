"""The client reads what the official one reads, only quicker."""

import copy
import json

import pytest
from kiteconnect import KiteConnect

from brokers.kite.quick_client import QuickClient
from brokers.kite.row_cache import RowCache, decoded_row
from brokers.kite.thread_client import _decode_body, _raw_rows

ROWS = [
    {
        "order_timestamp": "2026-11-20 09:15:03",
        "exchange_timestamp": None,
        "fill_timestamp": "",
        "status": "OPEN",
    },
    {"order_timestamp": "09:16:39", "exchange_update_timestamp": "2026-11-20 09:15:03"},
    {
        "timestamp": "2026/11/20 09:15:03",
        "last_trade_time": "2026-11-20 09:15:04",
        "created": "20-11-2026 10:00:00",
    },
    {"last_instalment": "2026-11-20T09:15:03", "quantity": 5},
]


@pytest.mark.parametrize("answer", [ROWS, ROWS[0], ROWS[2], [], [ROWS[3]]])
def test_times_are_what_the_official_client_makes_of_them(answer):
    official = KiteConnect("key")._format_response(copy.deepcopy(answer))
    assert QuickClient("key")._format_response(copy.deepcopy(answer)) == official


@pytest.mark.parametrize(
    "bad", [[{"order_timestamp": "2026-13-20 09:15:03"}], [{"timestamp": "not a time at all!!"}]]
)
def test_a_time_that_is_none_is_refused_alike(bad):
    for client in (KiteConnect("key"), QuickClient("key")):
        with pytest.raises(ValueError, match=r"month must be in|Unknown string format"):
            client._format_response(copy.deepcopy(bad))


@pytest.mark.parametrize(
    "stamp", ["2017-12-15T09:15:00+0530", "2017-12-15 09:15:00", "15 Dec 2017 09:15"]
)
@pytest.mark.parametrize("tail", [[], [7]])
def test_candles_are_what_the_official_client_makes_of_them(stamp, tail):
    data = {"candles": [[stamp, 1.0, 2.0, 0.5, 1.5, 100, *tail]]}
    official = KiteConnect("key")._format_historical(copy.deepcopy(data))
    assert QuickClient("key")._format_historical(copy.deepcopy(data)) == official


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"data": [1, 2.5, null]}', {"data": [1, 2.5, None]}),
        (b'{"price": NaN}', "slowly"),
        (b"<html>", "slowly"),
        (b'"\xff"', "slowly"),
        (b"", "slowly"),
    ],
)
def test_a_body_the_quick_reader_does_not_take_is_left_to_the_client(body, value):
    assert _decode_body(body, lambda: "slowly") == value


def test_a_row_that_stands_as_it_stood_is_not_read_again():
    seen = []

    def read(row):
        seen.append(row["id"])
        return (row["id"], row["status"])

    book, rows = RowCache(), [{"id": "1", "status": "OPEN"}, {"id": "2", "status": "OPEN"}]
    assert book.read_rows(rows, 20261120, read) == [("1", "OPEN"), ("2", "OPEN")]
    later = [
        {"id": "1", "status": "OPEN"},
        {"id": "2", "status": "COMPLETE"},
        {"id": "3", "status": "OPEN"},
    ]
    assert book.read_rows(later, 20261120, read) == [
        ("1", "OPEN"),
        ("2", "COMPLETE"),
        ("3", "OPEN"),
    ]
    assert seen == ["1", "2", "2", "3"]
    assert book.read_rows(later[1:], 20261120, read) == [("2", "COMPLETE"), ("3", "OPEN")], (
        "whatever is left out"
    )
    seen.clear()
    assert book.read_rows(later[1:], 20261121, read) == [("2", "COMPLETE"), ("3", "OPEN")]
    assert seen == ["2", "3"], "a lot may hold something else on another day"


@pytest.mark.parametrize(
    "rows", [ROWS, [], [{"id": 1, "nested": [{"a": None}, 1.5, '\\"']}], [None, 7, "x", [1]]]
)
def test_rows_that_are_left_as_they_came_say_what_the_whole_answer_says(rows):
    written = _raw_rows(json.dumps({"status": "success", "data": rows}, indent=1).encode())
    assert all(isinstance(row, bytes) for row in written)
    assert [decoded_row(row) for row in written] == rows


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"status": "success", "data": {}}',
        b'{"status": "success", "data": null}',
        b'{"status": "error", "data": [], "error_type": "OrderException"}',
        b'{"data": []}',
        b'{"status": "success", "data": [], "error_type": "X"}',
        b'{"status": "success", "data": [{"p": NaN}]}',
        b'{"status": "success", "data": [{"p": "\\ud800"}]}',
        b'{"status": "success", "data": [{"p": "\xff"}]}',
        b'{"status": "success", "data": [{"p": 1}',
        b'{"status": "success", "data": [{"p": 1}]} x',
    ],
)
def test_what_is_no_plain_list_of_rows_is_left_to_the_other_readers(body):
    assert _raw_rows(body) is None
