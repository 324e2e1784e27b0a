"""A recording gives its records back, whatever damages it, and costs the desk nothing."""

import errno
import json
import os
import threading
import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from compiled.adapters.kite_frames import FULL, LTP, QUOTE, encode_frame
from compiled.model.values import SECOND, Tick
from engine.errors import DataError
from engine.history.feed_recording import LOST, RecordedEvent, RecordKind
from store.recordings import feed_writer as module
from store.recordings.feed_writer import FeedWriter, RecordingBounds
from store.recordings.record_packing import pack_records, unpack_records
from store.recordings.recording_blocks import FILE, HEADER, BlockScan, pack_block, recording_parts

NINE = 1_780_285_500_000_000_000  # 2026-06-01 09:15:00 IST
META = json.dumps({"format": 1}).encode()


def ticks(numbers, at):
    return [
        Tick(
            256 * n + (9 if n % 5 == 0 else 1),
            at,
            100.0 + n / 20,
            volume=1_000 * n,
            bid=99.95,
            ask=100.05,
            bid_quantity=n,
            ask_quantity=2 * n,
            last_trade_ts=at - SECOND,
        )
        for n in numbers
    ]


def a_frame(numbers, at, mode=FULL):
    return encode_frame(ticks(numbers, at), [mode] * len(numbers))


payloads = some.one_of(
    some.binary(max_size=40),
    some.builds(
        a_frame,
        some.lists(some.integers(1, 40), max_size=12),
        some.integers(NINE, NINE + 10**12),
        some.sampled_from([LTP, QUOTE, FULL]),
    ),
)


@given(
    some.lists(
        some.builds(
            RecordedEvent,
            some.integers(1, 11),
            some.integers(0, 3),
            some.integers(0, 2**62),
            payloads,
        ),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=60)
def test_a_block_gives_back_every_record_bit_for_bit(records):
    assert unpack_records(pack_records(records)) == records


@given(some.binary(max_size=200))
def test_what_is_no_block_is_refused(raw):
    with pytest.raises(DataError):
        unpack_records(raw)


def minutes(count):
    """Blocks of a file: three records each."""
    return [
        [
            RecordedEvent(RecordKind.FRAME, 1, NINE + 60 * SECOND * at + n, a_frame([n + 1], NINE))
            for n in range(3)
        ]
        for at in range(count)
    ]


def written(path, blocks):
    path.write_bytes(FILE + b"".join(map(pack_block, blocks)))
    return path


def test_a_file_cut_anywhere_gives_its_whole_blocks(tmp_path):
    blocks = minutes(3)
    path = written(tmp_path / "a.feed", blocks)
    whole = path.read_bytes()
    ends = np.cumsum([len(FILE), *(len(pack_block(each)) for each in blocks)]).tolist()
    for length in range(len(FILE), len(whole) + 1, 7):
        path.write_bytes(whole[:length])
        scan = BlockScan(path)
        there = sum(end <= length for end in ends[1:])
        assert list(scan.records()) == blocks[:there]
        assert (scan.cut, scan.damaged) == (
            length not in ends,
            length - max(e for e in ends if e <= length),
        )


@pytest.mark.parametrize("where", [0, HEADER - 1, HEADER + 5], ids=["mark", "header", "body"])
def test_damage_costs_the_block_it_lies_in(tmp_path, where):
    blocks = minutes(3)
    path = written(tmp_path / "a.feed", blocks)
    content = bytearray(path.read_bytes())
    content[len(FILE) + len(pack_block(blocks[0])) + where] ^= 0x40
    path.write_bytes(content)
    scan = BlockScan(path)
    assert list(scan.records()) == [blocks[0], blocks[2]]
    assert (scan.damaged, scan.cut) == (len(pack_block(blocks[1])), False)


def test_earlier_blocks_are_passed_over_and_headers_say_what_is_there(tmp_path):
    path = written(tmp_path / "a.feed", minutes(3))
    assert list(BlockScan(path).records(NINE + 60 * SECOND + 2)) == minutes(3)[1:]
    heads = list(BlockScan(path).headers())
    assert [(h.first, h.last, h.records, h.frames, h.came) for h in heads] == [
        (NINE + 60 * SECOND * at, NINE + 60 * SECOND * at + 2, 3, 3, 3 * 188) for at in range(3)
    ]


def until(condition):
    ends = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.002)


def all_of(folder):
    return [
        record
        for part in recording_parts(folder)
        for records in BlockScan(part.path).records()
        for record in records
    ]


@pytest.fixture
def recorder(tmp_path):
    made = []

    def make(**bounds):
        told = []
        made.append(
            FeedWriter(
                tmp_path, RecordingBounds(**{"spare": 0, "seconds": 0.01, **bounds}), told.append
            )
        )
        return made[-1], told

    yield make
    for one in made:
        one.close()


def test_a_day_is_a_run_in_parts_and_each_part_begins_with_what_the_day_was(tmp_path, recorder):
    for _ in range(2):
        record, told = recorder(part=500, block=1)
        record.put(RecordKind.META, 0, NINE, META)
        for n in range(20):
            record.put(RecordKind.FRAME, 1, NINE + n, a_frame([n + 1], NINE))
        record.close()
        assert told == []
    there = recording_parts(tmp_path)
    assert {(each.day, each.run) for each in there} == {("2026-06-01", 1), ("2026-06-01", 2)}
    assert len(there) > 4
    for each in there:
        first = next(iter(BlockScan(each.path).records()))[0]
        assert (first.kind, first.connection, first.payload) == (
            RecordKind.META,
            int(each.part > 1),
            META,
        )
        assert each.path.stat().st_mode & 0o777 == 0o600
    frames = [r.payload for r in all_of(tmp_path) if r.kind == RecordKind.FRAME]
    assert frames == 2 * [a_frame([n + 1], NINE) for n in range(20)]


def test_a_full_disk_cuts_the_recording_at_a_whole_block_and_what_is_missing_is_counted(
    tmp_path, recorder, monkeypatch
):
    full, wrote = threading.Event(), threading.Event()
    write = os.write

    def bounded(file, content):
        if not full.is_set():
            return write(file, content)
        wrote.set()
        if len(content) > 10:
            return write(file, bytes(content[:10]))  # as much as there is room for
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module.os, "write", bounded)
    record, told = recorder()
    record.put(RecordKind.META, 0, NINE, META)
    until(lambda: all_of(tmp_path))
    full.set()
    for n in range(3):
        record.put(RecordKind.FRAME, 1, NINE + n, a_frame([1], NINE))
    assert wrote.wait(10)
    until(lambda: told)
    assert [record.kind for record in all_of(tmp_path)] == [RecordKind.META]
    assert not any(
        scan.damaged
        for part in recording_parts(tmp_path)
        if list((scan := BlockScan(part.path)).headers())
    )
    until(lambda: record._put == record._gone)
    full.clear()
    record.put(RecordKind.TIMER, 0, NINE + 9, bytes(8))
    record.close()
    assert [(r.kind, r.payload) for r in all_of(tmp_path)[1:]] == [
        (RecordKind.LOST, LOST.pack(3, 3)),
        (RecordKind.TIMER, bytes(8)),
    ]
    assert told[0].startswith(f"the feed is not recorded: {tmp_path}: no space left on device")
    assert told[1:] == ["the feed is recorded again; 3 records are left out"]


def test_a_disk_with_too_little_left_is_not_written_to(tmp_path, recorder):
    record, told = recorder(spare=2**62)
    record.put(RecordKind.META, 0, NINE, META)
    record.close()
    assert recording_parts(tmp_path) == []
    assert len(told) == 1


def test_a_slow_disk_never_holds_up_the_desk(tmp_path, recorder, monkeypatch):
    begun, go = threading.Event(), threading.Event()
    append = FeedWriter._append_content

    def slow(self, content):
        begun.set()
        go.wait(10)
        append(self, content)

    monkeypatch.setattr(FeedWriter, "_append_content", slow)
    record, told = recorder(queue=1_000)
    record.put(RecordKind.META, 0, NINE, META)
    assert begun.wait(10)
    for n in range(50):
        # returns while the disk stands still
        record.put(RecordKind.FRAME, 1, NINE + n, a_frame([1], NINE))
    go.set()
    until(lambda: record._put == record._gone)
    record.put(RecordKind.BEAT, 1, NINE + 60, b"\0")
    record.close()
    kinds = [
        (r.kind, LOST.unpack(r.payload) if r.kind == RecordKind.LOST else ())
        for r in all_of(tmp_path)
    ]
    kept = sum(kind == RecordKind.FRAME for kind, _ in kinds)
    assert 0 < kept < 50
    assert kinds[-2:] == [(RecordKind.LOST, (50 - kept, 50 - kept)), (RecordKind.BEAT, ())]
    assert told == [f"the recording of the feed is behind: {50 - kept} records are left out"]


def test_recordings_are_bounded_by_age_and_by_size(tmp_path, recorder):
    def day(name, size):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0001-0001.feed").write_bytes(bytes(size))

    for name, size in (
        ("2026-05-01", 10),
        ("2026-05-29", 60_000),
        ("2026-05-30", 60_000),
        ("2026-05-31", 60_000),
    ):
        day(name, size)
    (tmp_path / "2026-05-29" / "notes.txt").write_text("mine")
    record, _ = recorder(days=30, size=180_000, part=60_000)
    record.put(RecordKind.META, 0, NINE, META)
    record.close()
    assert [each.day for each in recording_parts(tmp_path)] == [
        "2026-05-30",
        "2026-05-31",
        "2026-06-01",
    ]
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "2026-05-29",
        "2026-05-30",
        "2026-05-31",
        "2026-06-01",
    ]


def test_three_thousand_instruments_in_full_take_at_most_2500_mb_a_day():
    # every instrument once a second for 6¼ hours; a trade in 6 of 10 packets, 4 of 10 levels of the
    # book changed
    rng, count, seconds = np.random.default_rng(1), 3_000, 5
    words = np.zeros((count, 46), np.uint32)
    words[:, 0] = 256 * np.arange(1, count + 1) + 1
    words[:, 1] = rng.integers(2_000, 400_000, count) * 5
    words[:, 7:11] = words[:, 1:2]
    words[:, [3, 4, 5, 6]] = rng.integers(10_000, 1_000_000, (count, 4))
    sizes, orders = rng.integers(1, 5_000, (count, 10)), rng.integers(1, 60, (count, 10))
    records = []
    for second in range(seconds):
        traded = rng.random(count) < 0.6
        words[:, 1] += np.where(
            traded & (rng.random(count) < 0.5), 5 * rng.integers(-2, 3, count), 0
        ).astype(np.uint32)
        words[:, 2] = np.where(traded, rng.integers(1, 500, count), words[:, 2])
        words[:, 4] += np.where(traded, words[:, 2], 0).astype(np.uint32)
        words[:, 5:7] += rng.integers(0, 1_600, (count, 2)).astype(np.uint32)
        words[:, 15] = NINE // SECOND + second
        words[:, 11] = np.where(traded, words[:, 15], words[:, 11])
        changed = rng.random((count, 10)) < 0.4
        sizes = np.where(
            changed, np.maximum(1, sizes + rng.integers(-500, 500, sizes.shape)), sizes
        )
        orders = np.where(
            changed, np.maximum(1, orders + rng.integers(-2, 3, orders.shape)), orders
        )
        words[:, 16::3], words[:, 18::3] = sizes, orders << 16
        steps = np.array([-5, -10, -15, -20, -25, 5, 10, 15, 20, 25])
        words[:, 17::3] = words[:, 1:2].astype(np.int64) + steps
        rows = np.concatenate(
            [np.full((count, 2), [0, 184], np.uint8), words.astype(">u4").view(np.uint8)], axis=1
        )
        for first in range(0, count, 300):
            frame = (300).to_bytes(2, "big") + rows[first : first + 300].tobytes()
            records.append(
                RecordedEvent(RecordKind.FRAME, 1, NINE + second * SECOND + first, frame)
            )
    made = pack_block(records)
    assert (
        unpack_records(
            pa.Codec("zstd").decompress(made[HEADER:], len(pack_records(records)), asbytes=True)
        )
        == records
    )
    assert len(made) / seconds * 22_500 < 2_500_000_000
