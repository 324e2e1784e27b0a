"""Records ⇄ bytes that compress well.

The packets of a block are laid out word by word, as differences within a token.

Two packets of one token differ in few words, and in those by little. Rows of equal length are
sorted by token, each is replaced by what it adds to the one before, and equal bytes of all rows
stand together. Nothing is lost: what is no whole frame of known packets stays as it came.
"""

import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compiled.adapters.kite_frames import FrameDecoder
from engine.errors import DataError
from engine.history.feed_recording import RecordedEvent, RecordKind

LENGTHS: Final = (184, 44, 32, 28, 8)
"""Of packets, as the wire knows them."""
MOST: Final = 1 << 28
"""Bytes of one block, unpacked: a block that claims more is damaged."""

# A block, unpacked; arrays are little-endian, one after the other:
#
#   counts        records, packets, bytes of all payloads (_HEAD)
#   kinds         one byte a record
#   connections   one byte a record
#   times         8 bytes a record, what each adds to the one before
#   sizes         4 bytes a record, of its payload
#   starts        4 bytes a packet, in the joined payloads, what each adds to the one before
#   lengths       one byte a packet
#   packets       for each of LENGTHS that occurs: order by token, then planes of bytes
#   rest          the bytes of the payloads that are in no packet
#
# The arrays come first because they say how long everything after them is.
_HEAD = struct.Struct("<IIQ")
_LTP, _AVERAGE, _TRADED, _STAMP = 1, 3, 11, 15
_DEPTH = range(17, 46, 3)
"""Words of a full packet that stand near another: prices the last price, times the exchange's."""

_Bytes = NDArray[np.uint8]
_Words = NDArray[np.uint32]


def pack_records(records: Sequence[RecordedEvent]) -> bytes:
    """Return the records of a block, in their order, as bytes to be compressed."""
    payload = np.frombuffer(b"".join(record.payload for record in records), np.uint8)
    at = _packet_starts(records)
    lengths = payload[at - 1] if len(at) else np.zeros(0, np.uint8)
    inside = np.zeros(len(payload), bool)
    parts: list[bytes] = []
    for length in LENGTHS:
        rows = at[lengths == length]
        if len(rows):
            cells = rows[:, None] + np.arange(length)
            inside[cells] = True
            parts += _spread_rows(payload[cells])
    kinds, connections, times, sizes = zip(
        *((record.kind, record.connection, record.ts, len(record.payload)) for record in records),
        strict=True,
    )
    return b"".join(
        [
            _HEAD.pack(len(records), len(at), len(payload)),
            np.array(kinds, "<u1").tobytes(),
            np.array(connections, "<u1").tobytes(),
            np.diff(np.array(times, "<i8"), prepend=0).astype("<i8").tobytes(),
            np.array(sizes, "<u4").tobytes(),
            np.diff(at, prepend=0).astype("<u4").tobytes(),
            lengths.tobytes(),
            *parts,
            payload[~inside].tobytes(),
        ]
    )


def unpack_records(raw: bytes) -> list[RecordedEvent]:
    """Return the records of a block; raise `DataError` for what `pack_records` has not made."""
    try:
        return _unpack_arrays(raw)
    except (struct.error, ValueError, IndexError) as error:
        raise DataError(f"no block of a recording: {error}") from None


def _unpack_arrays(raw: bytes) -> list[RecordedEvent]:
    count, packets, size = _HEAD.unpack_from(raw)
    # before anything of that size is allocated: the block may be damaged, or made up
    if max(count, packets, size) > MOST:
        raise DataError("no block of a recording: it claims too much")
    cut = _ArrayReader(raw, _HEAD.size)
    kinds, connections = cut.read_array("<u1", count), cut.read_array("<u1", count)
    times, sizes = np.cumsum(cut.read_array("<i8", count)), cut.read_array("<u4", count)
    at = np.cumsum(cut.read_array("<u4", packets).astype(np.int64))
    lengths = cut.read_array("<u1", packets)
    payload, inside = np.zeros(size, np.uint8), np.zeros(size, bool)
    for length in LENGTHS:
        rows = at[lengths == length]
        if len(rows):
            cells = rows[:, None] + np.arange(length)
            inside[cells] = True
            payload[cells] = _gather_rows(cut, len(rows), length)
    payload[~inside] = cut.read_array("<u1", int(np.count_nonzero(~inside)))
    whole, ends = payload.tobytes(), np.cumsum(sizes.astype(np.int64))
    if int(ends[-1] if count else 0) != size:
        raise DataError("no block of a recording: its sizes do not add up")
    return [
        RecordedEvent(kind, connection, ts, whole[end - length : end])
        for kind, connection, ts, end, length in zip(
            kinds.tolist(),
            connections.tolist(),
            times.tolist(),
            ends.tolist(),
            sizes.tolist(),
            strict=True,
        )
    ]


def _packet_starts(records: Sequence[RecordedEvent]) -> NDArray[np.int64]:
    """Return where in the joined payloads the packets of whole frames begin."""
    decoder, base = FrameDecoder(), 0
    found = [np.zeros(0, np.int64)]
    for record in records:
        if record.kind in {RecordKind.FRAME, RecordKind.HELD} and len(record.payload) > 1:
            starts = np.frombuffer(memoryview(decoder.split(record.payload)), np.int64)
            if decoder.whole:
                found.append(starts + base)
        base += len(record.payload)
    return np.concatenate(found)


def _spread_rows(rows: _Bytes) -> list[bytes]:
    """Return the order of rows by token, and their differences, byte by byte."""
    words = rows.view(">u4").astype(np.uint32)
    # stable: packets of a token stay in the order of their times, where neighbours differ least
    order = np.argsort(words[:, 0], kind="stable")
    words = words[order]
    _relate_words(words, np.subtract)
    words[1:] -= words[:-1].copy()
    # small numbers of either sign
    folded = (words << np.uint32(1)) ^ (np.uint32(0) - (words >> np.uint32(31)))
    # the upper bytes of small differences are zero: side by side they compress to almost nothing
    planes = np.ascontiguousarray(folded.astype("<u4").view(np.uint8).T)
    return [order.astype("<u4").tobytes(), planes.tobytes()]


def _gather_rows(cut: "_ArrayReader", count: int, length: int) -> _Bytes:
    """Return the rows that `_spread_rows` has made bytes of."""
    order = cut.read_array("<u4", count)
    planes = cut.read_array("<u1", count * length).reshape(length, count)
    folded = np.ascontiguousarray(planes.T).view("<u4").astype(np.uint32)
    words = (folded >> np.uint32(1)) ^ (np.uint32(0) - (folded & np.uint32(1)))
    words = np.cumsum(words, axis=0, dtype=np.uint32)
    _relate_words(words, np.add)
    rows = np.empty((count, length), np.uint8)
    rows[order] = words.astype(">u4").view(np.uint8)
    return rows


def _relate_words(words: _Words, how: "np.ufunc") -> None:
    """Replace words of full packets by their distance from a near word, or the other way round."""
    if words.shape[1] * 4 != LENGTHS[0]:
        return
    for column in (_AVERAGE, *_DEPTH):
        words[:, column] = how(words[:, column], words[:, _LTP])
    words[:, _TRADED] = how(words[:, _TRADED], words[:, _STAMP])


class _ArrayReader:
    """Reads one array after the other."""

    def __init__(self, raw: bytes, at: int) -> None:
        self._raw = raw
        self._at = at

    def read_array(self, kind: str, count: int) -> NDArray[Any]:
        """Return the next array; raise `ValueError` where it ends before."""
        found = np.frombuffer(self._raw, kind, count, self._at)
        self._at += found.nbytes
        return found
