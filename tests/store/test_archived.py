"""Bars and recordings of which a part lies in an archive.

Read as if they were here, and never nowhere.
"""

import os
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiled.model.values import Bar
from engine.errors import DataError, OperatorError
from engine.history.bar_series import from_bars, without_rows
from store.bars.archived_bars import ArchivedBars, by_period
from store.bars.parquet_bars import ParquetBars
from store.object_archive import ObjectArchive
from store.recordings.archived_recordings import (
    ArchivedRecordings,
    pack_recording,
    unpack_recording,
)
from store.recordings.recording_blocks import FILE, pack_block, recording_parts
from store.sql_query import run_query
from tests.conformance.bar_store import FOREVER, MINUTE, OPEN, BarStoreSuite, bar, fields
from tests.killing import every_step
from tests.store.shelf import Shelf
from tests.store.test_recordings import minutes

DAY = 1_440 * MINUTE
BLOCKS = b"".join(map(pack_block, minutes(2)))
JULY = date(2024, 7, 1)


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "storage")


@pytest.fixture
def archive(shelf, tmp_path):
    return ObjectArchive(shelf, "bucket/patang", tmp_path / "copies", 10_000_000)


@pytest.fixture
def near(tmp_path):
    return ParquetBars(tmp_path / "bars")


@pytest.fixture
def store(near, archive):
    return ArchivedBars(near, archive)


def push(store, before=JULY, *, keep=False, dry=False):
    return store.push(before, keep=keep, dry=dry, tell=lambda _: None)


class TestArchived(BarStoreSuite):
    """With nothing archived it does what every store does."""

    # where bars were removed, and the archive has none, the wrong one is configured
    test_what_is_removed_is_what_was_given_and_a_bar_that_has_changed_since_stays = None


class Pushing:
    """A store in front of an archive that moves everything there after each write."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        found = getattr(self._store, name)
        if not name.startswith("write") or name == "write_averages":
            return found

        def written(*arguments):
            found(*arguments)
            push(self._store, date(2100, 1, 1))

        return written


class TestEverythingArchived(BarStoreSuite):
    """With all bars archived after each write, too.

    But what lies in the archive has no size here.
    """

    @pytest.fixture
    def store(self, store):
        return Pushing(store)

    test_its_contents_are_listed = None
    test_what_is_removed_is_what_was_given_and_a_bar_that_has_changed_since_stays = None
    test_averages_stand_beside_their_bars_and_replace_what_was_there = None
    test_the_store_agrees_with_a_dictionary = (
        None  # hundreds of archivings: the law below is quicker
    )
    test_writers_side_by_side_lose_nothing = (
        None  # two that archive at once are kept apart by the command's lock
    )


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(
            st.booleans(), st.lists(st.tuples(st.integers(0, 6), st.integers(1, 9)), min_size=1)
        ),
        max_size=4,
    )
)
def test_however_often_bars_come_in_and_go_the_latest_of_each_counts(batches):
    with tempfile.TemporaryDirectory() as folder:
        store = ArchivedBars(
            ParquetBars(Path(folder, "bars")),
            ObjectArchive(Shelf(Path(folder)), "b", Path(folder, "copies"), 10**7),
        )
        expected = {}
        for go, pairs in batches:
            store.write(
                [bar(minute, close=float(close)) for minute, close in pairs], {1: "SBIN"}, "live"
            )
            expected |= dict(pairs)
            if go:
                push(store)
        found = {
            (b.start - OPEN) // MINUTE: int(b.close)
            for b in store.read("SBIN", 60, 0, FOREVER, "live")
        }
        assert found == expected


def test_whole_months_before_a_day_go_and_are_read_as_before(store, near, archive):
    bars = [
        bar(0),
        bar(1),
        Bar(1, OPEN + 26 * DAY, 60, 1.0, 1.0, 1.0, 1.0, 1),
        Bar(1, OPEN + 27 * DAY, 60, 1.0, 1.0, 1.0, 1.0, 1),
    ]
    store.write(bars, {1: "M&M"}, "live")
    before = fields(store.read("M&M", 60, 0, FOREVER, "live"))
    assert push(store, date(2024, 6, 30)) == [], "June is not over"
    [moved] = push(store, date(2024, 7, 15))
    assert moved[:5] == ("live", 60, 1, 1, 3)
    assert [b.start for b in near.read("M&M", 60, 0, FOREVER, "live")] == [OPEN + 27 * DAY]
    assert fields(store.read("M&M", 60, 0, FOREVER, "live")) == before
    assert store.read_many(["M&M"], 60, 0, FOREVER, "live").keys() == {"M&M"}
    assert store.starts("M&M", 60, "live").tolist() == [b.start for b in bars]
    [there] = store.contents()
    assert there.archived == ("2024-06",)
    [stored] = archive.objects("bars")
    assert stored.stem == "bars/history/version=live/span=60/symbol=M%26M/2024-06-0001"
    assert push(store, date(2024, 7, 15)) == []


@pytest.mark.parametrize("stride", [3, pytest.param(1, marks=pytest.mark.soak)])
def test_killed_before_any_step_of_an_archiving_bars_are_here_or_there_or_both_and_the_next_ends_it(
    tmp_path, stride
):
    expected = [bar(minute, token=token) for token in (1, 2) for minute in range(3)]

    def opened(place):
        return ArchivedBars(
            ParquetBars(place / "bars"),
            ObjectArchive(Shelf(place / "storage"), "b", place / "copies", 10**7),
        )

    def prepare(place):
        ParquetBars(place / "bars").write(expected, {1: "INFY", 2: "M&M"}, "live")

    def check(place, _at):
        for store in (opened(place), ParquetBars(place / "bars")):
            there = [
                bar for name in ("INFY", "M&M") for bar in store.read(name, 60, 0, FOREVER, "live")
            ]
            if isinstance(store, ArchivedBars):
                assert fields(there) == fields(expected)
                push(store)
        assert not there, "the next archiving has moved what was left"
        assert (
            len(
                [
                    name
                    for name in ("INFY", "M&M")
                    for _ in opened(place).read(name, 60, 0, FOREVER, "live")
                ]
            )
            == 6
        )

    calls = [f"tests.store.shelf:{name}" for name in ("Shelf.open_input_file", "Writing.write")]
    assert (
        every_step(
            tmp_path, prepare, lambda place: push(opened(place)), check, calls=calls, stride=stride
        )
        > 20
    )


def test_a_symbol_that_lies_in_the_archive_alone_is_still_a_symbol(store, near):
    store.write([bar(0)], {1: "INFY"}, "live")
    push(store)
    assert near.symbols(60, "live") == near.contents() == []
    assert store.symbols(60, "live") == ["INFY"]
    assert [each[:3] for each in store.contents()] == [("live", 60, "INFY")]


def test_bars_that_come_in_later_count_before_archived_ones_and_go_as_a_further_part(
    store, archive
):
    store.write([bar(0), bar(1)], {1: "INFY"}, "live")
    push(store)
    store.write([bar(1, close=100.9), bar(2)], {1: "INFY"}, "live")
    expected = fields([bar(0), bar(1, close=100.9), bar(2)])
    assert fields(store.read("INFY", 60, 0, FOREVER, "live")) == expected
    push(store)
    assert [each.stem[-12:] for each in archive.objects("bars")] == ["2024-06-0001", "2024-06-0002"]
    assert fields(store.read("INFY", 60, 0, FOREVER, "live")) == expected


def test_the_same_bars_again_are_the_same_object(store, archive):
    for _ in range(2):
        store.write([bar(0)], {1: "INFY"}, "live")
        push(store)
    assert len(archive.objects("bars")) == 1


def test_a_copy_that_did_not_arrive_whole_is_told_and_nothing_is_removed(store, near, shelf):
    store.write([bar(0), bar(1)], {1: "INFY"}, "live")
    shelf.spoil = lambda content: content[:-1] + b"x"
    with pytest.raises(DataError, match="did not come back as it was sent; nothing was removed"):
        push(store)
    assert len(near.read("INFY", 60, 0, FOREVER, "live")) == 2
    shelf.spoil = lambda content: content
    push(store)
    assert near.read("INFY", 60, 0, FOREVER, "live") == []
    assert fields(store.read("INFY", 60, 0, FOREVER, "live")) == fields([bar(0), bar(1)])


def test_an_object_that_was_damaged_is_named_and_no_bars_are_made_of_it(store, shelf, archive):
    store.write([bar(0)], {1: "INFY"}, "live")
    push(store)
    [stored] = archive.objects("bars")
    (shelf.folder / "bucket/patang" / stored.name).write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"symbol=INFY/2024-06-0001-.* is damaged"):
        store.read("INFY", 60, 0, FOREVER, "live")


def test_a_copy_on_this_disk_that_was_damaged_is_fetched_again(store, tmp_path):
    store.write([bar(0)], {1: "INFY"}, "live")
    push(store)
    store.read("INFY", 60, 0, FOREVER, "live")
    [copy] = (tmp_path / "copies").rglob("*.parquet")
    copy.write_bytes(b"PAR1")
    assert fields(store.read("INFY", 60, 0, FOREVER, "live")) == fields([bar(0)])


def test_what_is_asked_twice_is_fetched_once_and_what_is_not_asked_never(store, shelf):
    store.write([bar(0), bar(0, token=2)], {1: "INFY", 2: "SBIN"}, "live")
    store.write_columns(
        "INFY", 60, "live", from_bars([Bar(1, OPEN - 30 * DAY, 60, 1.0, 1.0, 1.0, 1.0, 1)])
    )
    push(store)
    shelf.read.clear()
    for _ in range(2):
        store.read("INFY", 60, OPEN, FOREVER, "live")
    assert [path.partition("symbol=")[2][:17] for path in shelf.read] == ["INFY/2024-06-0001"]


def test_nothing_is_asked_of_the_archive_for_what_it_never_has(near, archive, shelf):
    store = ArchivedBars(near, archive, young=OPEN)
    near.write([bar(0)], {1: "INFY"}, "live")
    shelf.away = True
    assert len(store.read("INFY", 60, OPEN, FOREVER, "live")) == 1
    assert len(store.read_many(["INFY"], 60, OPEN, FOREVER, "live")["INFY"]) == 1
    with pytest.raises(
        OperatorError, match=r"archive bucket/patang: .*NETWORK_CONNECTION; see patang doctor"
    ):
        store.read("INFY", 60, OPEN - 1, FOREVER, "live")


def test_a_reader_that_listed_the_archive_before_sees_what_went_there_since(store, near, archive):
    other = ArchivedBars(near, archive)
    store.write([bar(0)], {1: "INFY"}, "live")
    assert len(other.read("INFY", 60, 0, FOREVER, "live")) == 1
    push(store)
    assert len(other.read("INFY", 60, 0, FOREVER, "live")) == 1


def test_an_archive_that_lacks_what_went_there_or_its_bucket_is_told(store, near, shelf, tmp_path):
    store.write([bar(0)], {1: "INFY"}, "live")
    push(store)
    for root, says in (
        ("bucket/other", "the one that is configured has none"),
        ("none/patang", "there is no bucket none"),
    ):
        with pytest.raises(OperatorError, match=says):
            ArchivedBars(near, ObjectArchive(shelf, root, tmp_path / "copies", 10**7)).read(
                "INFY", 60, 0, FOREVER, "live"
            )


def test_a_dry_run_counts_and_keep_copies(store, near, archive):
    store.write([bar(0), bar(1)], {1: "INFY"}, "live")
    assert push(store, dry=True)[0][:5] == ("live", 60, 1, 1, 2)
    assert archive.objects("bars") == []
    push(store, keep=True)
    assert len(archive.objects("bars")) == 1
    assert (
        len(near.read("INFY", 60, 0, FOREVER, "live"))
        == len(store.read("INFY", 60, 0, FOREVER, "live"))
        == 2
    )


def test_copies_are_bounded_and_those_longest_unused_go(near, shelf, tmp_path):
    bars = [Bar(1, OPEN + 30 * n * DAY, 60, 1.0, 1.0, 1.0, 1.0, 1) for n in range(12)]
    size = 3_000
    archive = ObjectArchive(shelf, "bucket", tmp_path / "copies", 4 * size)
    store = ArchivedBars(near, archive)
    near.write(bars, {1: "INFY"}, "live")
    push(store, date(2026, 1, 1))
    assert max(each.size for each in archive.objects("bars")) < size
    for each in bars:
        store.read("INFY", 60, each.start, each.start + 1, "live")
    kept = sorted((tmp_path / "copies").rglob("*.parquet"))
    assert sum(path.stat().st_size for path in kept) <= 4 * size * 9 / 8
    assert 0 < len(kept) < 12
    assert kept[-1].name.startswith("2025-04")


def test_sql_sees_archived_bars_and_prefers_those_that_are_here(store, tmp_path):
    store.write([bar(0), bar(1), bar(2)], {1: "M&M"}, "live")
    push(store)
    store.write([bar(1, close=100.9)], {1: "M&M"}, "live")
    push(store)
    store.write([bar(2, close=100.8)], {1: "M&M"}, "live")
    query = "SELECT symbol, close FROM bars ORDER BY start"
    answer = run_query(query, tmp_path / "bars", None, tmp_path, lambda: store.files(0, FOREVER))
    assert [tuple(row.values()) for row in answer.to_pylist()] == [
        ("M&M", 100.5),
        ("M&M", 100.9),
        ("M&M", 100.8),
    ]
    assert store.files(OPEN + 60 * DAY, FOREVER) == []


def test_more_than_may_be_here_is_refused_with_the_mend(store, archive):
    store.write([bar(0)], {1: "INFY"}, "live")
    push(store)
    archive.most = 100
    with pytest.raises(OperatorError, match="name fewer days with --from and --to"):
        store.files(0, FOREVER)


def test_averages_are_those_of_the_bars_that_are_here(store):
    store.write([bar(0), Bar(1, OPEN + 40 * DAY, 60, 1.0, 1.0, 1.0, 1.0, 1)], {1: "INFY"}, "live")
    push(store)
    starts = store.starts("INFY", 60, "live")
    store.write_averages("INFY", 60, "live", starts, {"ema_9": np.array([1.0, 2.0])})
    there, found = store.averages("INFY", 60, "live")
    assert (there.tolist(), found["ema_9"].tolist()) == ([OPEN + 40 * DAY], [2.0])


def test_bars_of_days_go_by_the_year(store, near, archive):
    # June 2024 to July 2025
    days = [Bar(1, OPEN + 100 * n * DAY, 86_400, 1.0, 1.0, 1.0, 1.0, n) for n in range(5)]
    store.write(days, {1: "INFY"}, "vendor")
    assert push(store, date(2024, 12, 31)) == [], "the year is not over"
    assert push(store, date(2025, 6, 30))[0][2:5] == (1, 1, 3)
    assert [each.stem[-9:] for each in archive.objects("bars")] == ["2024-0001"]
    assert fields(store.read("INFY", 86_400, 0, FOREVER, "vendor")) == fields(days)
    for low in range(5):
        found = store.read("INFY", 86_400, days[low].start, days[low].start + DAY, "vendor")
        assert [b.volume for b in found] == [low]
    assert len(near.read("INFY", 86_400, 0, FOREVER, "vendor")) == 2


def test_months_are_those_in_india():
    midnight = 1_704_047_400_000_000_000  # 2024-01-01 00:00 IST, still 2023 in UTC
    series = from_bars(
        [Bar(1, midnight + step, 60, 1.0, 1.0, 1.0, 1.0, 1) for step in (-MINUTE, 0, 31 * DAY)]
    )
    assert [(month, len(part.start)) for month, part in by_period(series, "M")] == [
        ("2023-12", 1),
        ("2024-01", 1),
        ("2024-02", 1),
    ]


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 3))),
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 3))),
)
def test_what_is_left_without_some_bars_is_what_a_set_says(have, gone):
    def series(pairs):
        return from_bars(
            [bar(minute, close=100.0 + close) for minute, close in sorted(dict(pairs).items())]
        )

    left = [
        (int((start - OPEN) // MINUTE), close - 100)
        for start, close in zip(
            *(without_rows(series(have), series(gone))[n].tolist() for n in (0, 4)), strict=True
        )
    ]
    assert left == [pair for pair in sorted(dict(have).items()) if pair not in dict(gone).items()]


def recording(folder, day="2024-06-04", run=1, part=1, *, tail=b""):
    path = folder / day / f"{run:04}-{part:04}.feed"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(FILE + BLOCKS + tail)
    return path


@pytest.mark.parametrize(
    "content", [b"", FILE, FILE + BLOCKS, FILE + BLOCKS + b"PFB1 and no more", b"\0" * 99]
)
def test_a_file_of_a_recording_comes_back_byte_by_byte_damage_and_all(content):
    assert unpack_recording(pack_recording(content)) == content


@pytest.mark.parametrize("wrong", [b"", b"PAR1", pack_recording(FILE)[:-9]])
def test_what_is_no_archived_recording_is_refused(wrong):
    with pytest.raises(DataError, match="archived recording"):
        unpack_recording(wrong)


def test_recordings_before_a_day_go_and_are_brought_back_when_they_are_asked_for(archive, tmp_path):
    folder = tmp_path / "live" / "recordings"
    old, new = recording(folder, tail=b"cut"), recording(folder, "2024-06-05")
    content = old.read_bytes()
    shelf = ArchivedRecordings(
        archive, lambda mode: tmp_path / mode / "recordings", tmp_path / "feeds"
    )
    [moved] = shelf.push("live", date(2024, 6, 5), keep=False, dry=False, tell=lambda _: None)
    assert moved == ("live", "2024-06-04", 1, len(content))
    assert not old.parent.exists()
    assert [each.path for each in recording_parts(folder)] == [new]
    again = ArchivedRecordings(
        archive, lambda mode: tmp_path / mode / "recordings", tmp_path / "feeds"
    )
    [part] = again.parts("live")
    assert part[:3] == ("2024-06-04", 1, 1)
    assert not part.path.exists()
    assert again.bring("live", part).read_bytes() == content
    assert again.parts("paper") == []


def test_copies_of_recordings_are_bounded_and_what_was_left_half_written_goes(shelf, tmp_path):
    days = [f"2024-06-{n:02}" for n in range(4, 8)]
    for day in days:
        size = recording(tmp_path / "live", day).stat().st_size
    archive = ObjectArchive(shelf, "bucket", tmp_path / "copies", 2 * size)
    here, away = (
        ArchivedRecordings(archive, lambda mode: tmp_path / mode, tmp_path / "feeds")
        for _ in range(2)
    )
    here.push("live", date(2024, 6, 8), keep=False, dry=False, tell=lambda _: None)
    left, writing = (
        tmp_path / "feeds" / f".0001-0001.feed.{name}.tmp" for name in ("left", "writing")
    )
    for path in (left, writing):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"PFB1")
    os.utime(left, (0, 0))
    for part in away.parts("live"):
        os.utime(away.bring("live", part), (int(part.day[-2:]), int(part.day[-2:])))
    assert [path.parent.name for path in sorted((tmp_path / "feeds").rglob("0*.feed"))] == days[2:]
    assert (left.exists(), writing.exists()) == (False, True)
