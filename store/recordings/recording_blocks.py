"""The files of a recording: blocks one after the other, each readable by itself.

A block is a header with the CRC-32 of its body and of itself, and the packed records
(`record_packing.py`) as one zstd frame. A cut costs a file its last block, damage costs the blocks
it lies in. Files are called `RUN-PART.feed`, in one folder per day: one run is the recording of one
desk on that day, in one part after the other.
"""

import mmap
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, final

import pyarrow as pa

from engine.errors import OperatorError, in_words
from engine.history.feed_recording import RecordedEvent, RecordKind
from store.recordings.record_packing import MOST, pack_records, unpack_records

FILE: Final = b"patang feed 1\n\0\0"
LEVEL: Final = 3

# A file is FILE, then blocks; all numbers are little-endian:
#
#   0    4      8        12    20   28      32     36   40       44       48
#   ┌────┬──────┬────────┬─────┬────┬───────┬──────┬────┬────────┬────────┬──── ─ ─ ─
#   │PFB1│length│unpacked│first│last│records│frames│came│body CRC│head CRC│body, one zstd frame
#   └────┴──────┴────────┴─────┴────┴───────┴──────┴────┴────────┴────────┴──── ─ ─ ─
#
# The header has a CRC of its own: a length that is wrong would lead past healthy blocks.
_MARK: Final = b"PFB1"
_HEAD = struct.Struct("<4sIIqqIIII")
_CRC = struct.Struct("<I")
HEADER: Final = _HEAD.size + _CRC.size
_NAME = re.compile(r"(\d{4})-(\d{4,})\.feed")


class BlockHeader(NamedTuple):
    """Header of a block.

    Bytes, first and last time (ns UTC), records, frames and their bytes, CRC of the body.
    """

    length: int
    unpacked: int
    first: int
    last: int
    records: int
    frames: int
    came: int
    crc: int


class RecordingPart(NamedTuple):
    """One file of a recording: its day, the run, and its place in that."""

    day: str
    run: int
    part: int
    path: Path


def part_name(run: int, part: int) -> str:
    """Return the name of a part's file."""
    return f"{run:04}-{part:04}.feed"


def recording_parts(folder: Path) -> list[RecordingPart]:
    """Return the files below a mode's folder of recordings, oldest first; raise `OperatorError`."""
    try:
        found = [
            RecordingPart(path.parent.name, int(match[1]), int(match[2]), path)
            for path in folder.glob("????-??-??/*.feed")
            if (match := _NAME.fullmatch(path.name))
        ]
    except OSError as error:
        raise OperatorError(f"{folder}: {in_words(error)}") from None
    return sorted(found)


def pack_block(records: Sequence[RecordedEvent]) -> bytes:
    """Return records as a block."""
    raw = pack_records(records)
    body: bytes = pa.Codec("zstd", compression_level=LEVEL).compress(raw, asbytes=True)
    frames = [
        len(record.payload)
        for record in records
        if record.kind in {RecordKind.FRAME, RecordKind.HELD}
    ]
    times = [record.ts for record in records]
    head = _HEAD.pack(
        _MARK,
        len(body),
        len(raw),
        min(times),
        max(times),
        len(records),
        len(frames),
        sum(frames),
        zlib.crc32(body),
    )
    return head + _CRC.pack(zlib.crc32(head)) + body


@final
class BlockScan:
    """Reader of one file, block by block.

    Afterwards `damaged` is how many bytes belong to no whole block, `cut` whether those are its
    last.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.damaged = 0
        self.cut = False

    def headers(self) -> Iterator[BlockHeader]:
        """Go through the headers of the blocks without reading their bodies."""
        for head, _ in self._read_blocks():
            yield head

    def records(self, since: int = 0) -> Iterator[list[RecordedEvent]]:
        """Go through the records by blocks, without those that end before `since` (ns UTC)."""
        for head, body in self._read_blocks():
            if head.last < since:
                continue
            if zlib.crc32(body) == head.crc:
                yield unpack_records(pa.Codec("zstd").decompress(body, head.unpacked, asbytes=True))
            else:
                self.damaged += HEADER + head.length

    def _read_blocks(self) -> Iterator[tuple[BlockHeader, bytes]]:
        self.damaged, self.cut = 0, False
        try:
            with self._path.open("rb") as file:
                size = self._path.stat().st_size
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        except OSError as error:
            raise OperatorError(f"{self._path}: {in_words(error)}") from None
        for head, piece in file_pieces(content):
            if head is not None:
                yield head, piece[HEADER:]
            elif piece != FILE:
                self.damaged += len(piece)
            # of the last piece
            self.cut = head is None and piece != FILE


def file_pieces(content: "bytes | mmap.mmap") -> Iterator[tuple[BlockHeader | None, bytes]]:
    """Cut a file's content into its blocks and the bytes of none: its head, and damage."""
    at, size = 0, len(content)
    if content[: len(FILE)] == FILE:
        yield None, FILE
        at = len(FILE)
    while at < size:
        head = _read_header(content[at : at + HEADER])
        after = at + HEADER + head.length if head is not None else size + 1
        if after > size:
            # the next mark is where reading can begin again: damage costs the blocks it lies in,
            # not the day
            head, after = None, content.find(_MARK, at + 1)
            after = size if after < 0 else after
        yield head, content[at:after]
        at = after


def _read_header(head: bytes) -> BlockHeader | None:
    if (
        len(head) < HEADER
        or not head.startswith(_MARK)
        or _CRC.unpack_from(head, _HEAD.size)[0] != zlib.crc32(head[:-4])
    ):
        return None
    found = BlockHeader(*_HEAD.unpack_from(head)[1:])
    # as much as it claims is allocated before the body is unpacked
    return found if found.unpacked <= MOST else None
