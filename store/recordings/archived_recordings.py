"""Files of recordings in an archive.

A row per block in Parquet, from which the same file comes back byte by byte.

recordings/live/2026-11-27/0001-0002-SHA.parquet        the second part of the day's first run
"""

import hashlib
import io
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple, final

import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import DataError, OperatorError, in_words
from engine.system.bounded_folder import trim_folder
from store.object_archive import ObjectArchive, StoredObject, keep_copy
from store.recordings.recording_blocks import RecordingPart, file_pieces, part_name, recording_parts

SHELF: Final = "recordings"
_STEM: Final = re.compile(
    rf"{SHELF}/(?P<mode>[^/]+)/(?P<day>\d{{4}}-\d{{2}}-\d{{2}})/(?P<run>\d{{4,}})-(?P<part>\d{{4,}})"
)
_SCHEMA: Final = pa.schema(
    [
        ("first", pa.timestamp("ns", "UTC")),
        ("last", pa.timestamp("ns", "UTC")),
        ("records", pa.int64()),
        ("frames", pa.int64()),
        ("block", pa.large_binary()),
    ]
)


class MovedDay(NamedTuple):
    """A day of recordings that went to the archive, or would: files, and bytes here."""

    mode: str
    day: str
    files: int
    bytes: int


@final
class ArchivedRecordings:
    """The recordings of all modes in an archive.

    `here` returns where those of a mode lie on this disk.
    """

    def __init__(self, archive: ObjectArchive, here: Callable[[str], Path], copies: Path) -> None:
        self._archive, self._here, self._copies = archive, here, copies
        self._listed: dict[tuple[str, str, int, int], StoredObject] | None = None

    def parts(self, mode: str) -> list[RecordingPart]:
        """Return the archived files of a mode, oldest first, with where `bring` puts them."""
        return sorted(self._part_copy(*key) for key in self._archived_objects() if key[0] == mode)

    def bring(self, mode: str, part: RecordingPart) -> Path:
        """Return the file of an archived part on this disk, fetched where it is not there.

        Raise `OperatorError` or `DataError` as the archive does.
        """
        if not part.path.exists():
            stored = self._archived_objects()[mode, part.day, part.run, part.part]
            keep_copy(part.path, unpack_recording(self._archive.fetched(stored)))
            trim_folder(self._copies, ".feed", self._archive.most, used=part.path)
        return part.path

    def push(
        self, mode: str, before: date, *, keep: bool, dry: bool, tell: Callable[[str], None]
    ) -> list[MovedDay]:
        """Move a mode's files of days before `before`.

        Each is read back before it is removed here.
        """
        moved: dict[str, MovedDay] = {}
        for each in recording_parts(self._here(mode)):
            if each.day < str(before):
                size = each.path.stat().st_size if dry else self._move_part(mode, each, keep=keep)
                known = moved.get(each.day, MovedDay(mode, each.day, 0, 0))
                moved[each.day] = known._replace(files=known.files + 1, bytes=known.bytes + size)
                tell(f"{mode}/{each.day}/{each.path.name}")
        return list(moved.values())

    def _move_part(self, mode: str, part: RecordingPart, *, keep: bool) -> int:
        try:
            content = part.path.read_bytes()
        except OSError as error:
            raise OperatorError(f"{part.path}: {in_words(error)}") from None
        stem = f"{SHELF}/{mode}/{part.day}/{part.path.stem}"
        self._archive.put(
            stem,
            pack_recording(content),
            [each for each in self._archived_objects().values() if each.stem == stem],
        )
        # a desk may have written to it since it was read
        if not keep and part.path.stat().st_size == len(content):
            part.path.unlink()
            if not any(part.path.parent.iterdir()):
                part.path.parent.rmdir()
        return len(content)

    def _archived_objects(self) -> dict[tuple[str, str, int, int], StoredObject]:
        if self._listed is None:
            found = ((_STEM.fullmatch(each.stem), each) for each in self._archive.objects(SHELF))
            self._listed = {
                (match["mode"], match["day"], int(match["run"]), int(match["part"])): each
                for match, each in found
                if match
            }
        return self._listed

    def _part_copy(self, mode: str, day: str, run: int, part: int) -> RecordingPart:
        return RecordingPart(day, run, part, self._copies / mode / day / part_name(run, part))


def pack_recording(content: bytes) -> bytes:
    """Return a file of a recording as the content of a Parquet file.

    Parquet does not compress it: the blocks are compressed already.
    """
    rows = [
        (
            head and head.first,
            head and head.last,
            head and head.records,
            head and head.frames,
            piece,
        )
        for head, piece in file_pieces(content)
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(_SCHEMA)
    table = pa.Table.from_arrays(
        [pa.array(column, kind.type) for column, kind in zip(columns, _SCHEMA, strict=True)],
        schema=_SCHEMA,
    )
    out = io.BytesIO()
    told = {"sha256": hashlib.sha256(content).hexdigest()}
    pq.write_table(
        table.replace_schema_metadata(told),
        out,
        compression="none",
        use_dictionary=False,
        write_statistics=["first", "last"],
    )
    if unpack_recording(out.getvalue()) != content:
        raise DataError(
            "a recording does not come back from Parquet as it went in: it was not archived"
        )
    return out.getvalue()


def unpack_recording(content: bytes) -> bytes:
    """Return the file that `pack_recording` was given; raise `DataError` for any other content."""
    try:
        table = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
        found = b"".join(table.column("block").to_pylist())
        if hashlib.sha256(found).hexdigest().encode() == table.schema.metadata[b"sha256"]:
            return found
    except (pa.ArrowInvalid, KeyError, TypeError) as error:
        raise DataError(
            f"an archived recording cannot be read: {str(error).splitlines()[0]}"
        ) from None
    raise DataError("an archived recording is not what it was when it was archived")
