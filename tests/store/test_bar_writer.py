"""The bar writer batches what it is offered and keeps what the disk refuses."""

import threading

import pytest

from compiled.model.values import Bar
from engine.errors import DataError, OperatorError
from store.bars.bar_writer import BarWriter
from store.bars.parquet_bars import ParquetBars
from tests.waiting import until

SYMBOLS = {1: "SBIN"}


def bars(*minutes):
    return [Bar(1, minute * 60_000_000_000, 60, 1.0, 1.0, 1.0, 1.0, minute) for minute in minutes]


class Shelf:
    """A bar store that keeps its batches in a list, and refuses while it is told to."""

    def __init__(self, error=None):
        self.error = error
        self.batches = []
        self.tries = 0
        self.wrote = threading.Event()

    def write(self, bars, symbols, version):
        self.tries += 1
        if self.error:
            raise self.error
        self.batches.append((version, [bar.volume for bar in bars]))
        self.wrote.set()


def test_what_was_offered_is_on_disk_after_close(tmp_path, ear):
    store = ParquetBars(tmp_path)
    writer = BarWriter(store, SYMBOLS, ear)
    writer.offer(bars(1, 2))
    writer.offer(bars(3))
    writer.close()
    assert [bar.volume for bar in store.read("SBIN", 60, 0, 2**62, "live")] == [1, 2, 3]
    assert ear.heard == []


def test_bars_offered_one_by_one_share_a_batch(ear):
    shelf = Shelf()
    writer = BarWriter(shelf, SYMBOLS, ear, version="paper")
    for minute in range(5):
        writer.offer(bars(minute))
    writer.close()
    assert shelf.batches == [("paper", [0, 1, 2, 3, 4])]


def test_enough_rows_are_written_at_once(ear):
    shelf = Shelf()
    writer = BarWriter(shelf, SYMBOLS, ear, seconds=600, rows=3)
    writer.offer(bars(1, 2, 3))
    assert shelf.wrote.wait(10)
    writer.close()
    assert shelf.batches == [("live", [1, 2, 3])]


def test_a_few_rows_are_written_when_their_time_has_come(ear):
    shelf = Shelf()
    writer = BarWriter(shelf, SYMBOLS, ear, seconds=0.05)
    writer.offer(bars(1))
    assert shelf.wrote.wait(10)
    writer.close()
    assert shelf.batches == [("live", [1])]


def test_a_batch_the_disk_refuses_is_told_once_kept_and_written_later(ear):
    shelf = Shelf(OperatorError("disk full"))
    writer = BarWriter(shelf, SYMBOLS, ear, seconds=0.01)
    writer.offer(bars(1))
    while shelf.tries < 3:
        threading.Event().wait(0.01)
    shelf.error = None
    assert shelf.wrote.wait(10)
    writer.close()
    assert shelf.batches == [("live", [1])]
    assert ear.heard == [("bars", "disk full")]


def test_close_says_how_many_bars_the_disk_never_took(ear):
    writer = BarWriter(Shelf(OperatorError("disk full")), SYMBOLS, ear)
    writer.offer(bars(1, 2))
    with pytest.raises(OperatorError, match="2 bars could not be stored"):
        writer.close()


def test_bars_that_can_never_be_stored_are_told_and_hold_nothing_up(ear):
    shelf = Shelf(DataError("off the grid"))
    writer = BarWriter(shelf, SYMBOLS, ear, seconds=600, rows=2)
    writer.offer(bars(1, 2))
    while not ear.heard:
        threading.Event().wait(0.01)
    shelf.error = None
    writer.offer(bars(3))
    with pytest.raises(OperatorError, match="2 bars could not be stored"):
        writer.close()
    assert shelf.batches == [("live", [3])]
    assert ear.heard == [("bars", "2 bars are lost: off the grid")]


def test_a_full_queue_is_told_once_and_counted_at_close(ear):
    writer = BarWriter(Shelf(OperatorError("disk full")), SYMBOLS, ear, seconds=600, capacity=3)
    writer.offer(bars(1, 2))
    writer.offer(bars(3, 4, 5))
    writer.offer(bars(6))
    assert [text for _, text in ear.heard] == [
        "more than 3 bars were waiting for the disk: the next ones are lost"
    ]
    with pytest.raises(OperatorError, match="6 bars could not be stored"):
        writer.close()


def test_a_writer_that_dies_says_so_and_takes_no_more(ear):
    writer = BarWriter(Shelf(ZeroDivisionError("broken")), SYMBOLS, ear, rows=1)
    writer.offer(bars(1))
    while not ear.heard:
        threading.Event().wait(0.01)
    assert ear.heard == [("bars", "broken")]
    with pytest.raises(OperatorError, match="closed"):
        writer.offer(bars(2))
    with pytest.raises(OperatorError, match="1 bars could not be stored"):
        writer.close()


async def test_what_becomes_of_the_bars_is_told_while_it_lasts(ear):
    shelf = Shelf(OperatorError("the disk is full"))
    writer = BarWriter(shelf, SYMBOLS, ear, seconds=0.001)
    assert writer.health().state == "good"
    writer.offer(bars(1, 2))
    await until(lambda: ear.heard)
    assert (writer.health().state, writer.health().figure) == ("wrong", "2 wait")
    shelf.error = None
    assert shelf.wrote.wait(10)
    writer.close()
    assert (writer.health().state, writer.health().figure) == ("good", "2 written")


async def test_bars_that_were_lost_are_something_to_do_and_no_fault_that_goes_on(ear):
    shelf = Shelf(OperatorError("the disk is full"))
    writer = BarWriter(shelf, SYMBOLS, ear, seconds=0.001, capacity=2)
    writer.offer(bars(1, 2, 3))
    await until(
        lambda: (writer.health().state, writer.health().figure) == ("wrong", "2 wait, 1 lost")
    )
    shelf.error = None
    assert shelf.wrote.wait(10)
    await until(lambda: (writer.health().state, writer.health().figure) == ("attention", "1 lost"))
    with pytest.raises(OperatorError, match="1 bars could not be stored"):
        writer.close()
