"""Bars for a server that is away.

They wait here, are told of once, and follow once, none lost or doubled.
"""

import pytest

from engine.errors import DataError, OperatorError
from engine.history.bar_series import from_bars
from store.bars.parquet_bars import ParquetBars
from store.bars.waiting_bars import WaitingBars
from tests.conformance.bar_store import FOREVER, BarStoreSuite, bar, fields
from tests.killing import every_step

NAMES = {1: "INFY", 2: "M&M"}


class Server:
    """A store that can be away, or go away after so many calls."""

    def __init__(self, folder):
        self._store = ParquetBars(folder)
        self.away, self.calls_left = False, 1_000_000

    def __getattr__(self, name):
        def call(*arguments):
            self.calls_left -= 1
            if self.away or self.calls_left < 0:
                raise OperatorError("bars in Postgres: connection refused")
            return getattr(self._store, name)(*arguments)

        return call


@pytest.fixture
def server(tmp_path):
    return Server(tmp_path / "server")


@pytest.fixture
def told():
    return []


@pytest.fixture
def store(server, tmp_path, told):
    return WaitingBars(server, tmp_path / "waiting", told.append)


class TestWaiting(BarStoreSuite):
    """In front of a server that is there it does what every store does."""


def test_bars_wait_while_the_server_is_away_and_follow_with_the_next(store, server, told, tmp_path):
    store.write([bar(0), bar(0, token=2)], NAMES, "live")
    server.away = True
    for minute in (1, 2, 3):
        store.write([bar(minute), bar(minute, token=2)], NAMES, "live")
    store.write([bar(2, close=100.9)], NAMES, "live")
    assert told == [
        (
            f"bars in Postgres: connection refused: bars wait in {tmp_path / 'waiting'} until it "
            "is back"
        )
    ]
    with pytest.raises(OperatorError):
        store.read("INFY", 60, 0, FOREVER, "live")
    server.away = False
    assert len(store.read("INFY", 60, 0, FOREVER, "live")) == 4, "what waits is read as well"
    store.write([bar(4)], NAMES, "live")
    assert told[1:] == ["the store of bars is back: 6 bars that waited have followed"]
    assert not (tmp_path / "waiting").exists()
    there = ParquetBars(tmp_path / "server")
    assert fields(there.read("INFY", 60, 0, FOREVER, "live")) == fields(
        [bar(0), bar(1), bar(2, close=100.9), bar(3), bar(4)]
    )
    assert fields(there.read("M&M", 60, 0, FOREVER, "live")) == fields(
        [bar(n, token=2) for n in range(4)]
    )


def test_a_server_that_goes_away_at_any_call_loses_and_doubles_nothing(tmp_path, told):
    for calls in range(12):
        server = Server(tmp_path / f"server {calls}")
        store = WaitingBars(server, tmp_path / f"waiting {calls}", told.append)
        server.away = True
        store.write([bar(0), bar(0, token=2)], NAMES, "live")
        server.away, server.calls_left = False, calls
        store.write([bar(1), bar(1, token=2)], NAMES, "live")
        store.write([bar(2)], NAMES, "live")
        server.calls_left = 1_000_000
        store.fold()
        there = ParquetBars(tmp_path / f"server {calls}")
        assert fields(there.read("INFY", 60, 0, FOREVER, "live")) == fields(
            [bar(n) for n in range(3)]
        ), calls
        assert fields(there.read("M&M", 60, 0, FOREVER, "live")) == fields(
            [bar(n, token=2) for n in range(2)]
        ), calls


def test_what_waited_over_a_restart_follows_with_the_first_write(server, tmp_path, told):
    server.away = True
    WaitingBars(server, tmp_path / "waiting", told.append).write([bar(0)], NAMES, "live")
    server.away = False
    WaitingBars(server, tmp_path / "waiting", told.append).write_columns(
        "INFY", 60, "live", from_bars([bar(1)])
    )
    assert fields(ParquetBars(tmp_path / "server").read("INFY", 60, 0, FOREVER, "live")) == fields(
        [bar(0), bar(1)]
    )
    assert told[-1] == "the store of bars is back: 1 bars that waited have followed"


def test_a_bar_that_can_never_be_stored_does_not_wait(store, tmp_path):
    with pytest.raises(DataError):
        store.write([bar(0, close=float("nan"))], NAMES, "live")
    assert not (tmp_path / "waiting").exists()


def test_killed_at_any_step_the_older_of_two_batches_never_comes_back_over_the_newer(tmp_path):
    def opened(place):
        return WaitingBars(ParquetBars(place / "server"), place / "waiting", lambda _: None)

    def prepare(place):
        for close in (100.1, 100.2, 100.3):
            ParquetBars(place / "waiting").write([bar(0, close=close), bar(1)], NAMES, "live")

    def check(place, _at):
        store = opened(place)
        assert [b.close for b in store.read("INFY", 60, 0, FOREVER, "live")] == [100.3, 100.5]
        store.fold()
        assert [b.close for b in store.read("INFY", 60, 0, FOREVER, "live")] == [100.3, 100.5]
        assert [each.name for each in place.iterdir()] == ["server"]

    assert every_step(tmp_path, prepare, lambda place: opened(place).fold(), check) > 5
