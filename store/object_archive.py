"""Objects in S3-compatible storage, each known by what it holds.

Verified copies of them on this disk, bounded.

    bars/history/version=live/span=60/symbol=INFY/2024-06-0001-SHA.parquet
    recordings/live/2026-11-27/0001-0001-SHA.parquet

The name of an object ends in the SHA-256 of its content, and none is ever replaced: whoever reads
one can tell whether it is whole, and nothing that went wrong with the second can spoil the first.
"""

import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple, final

from engine.errors import DataError, OperatorError, in_words
from engine.system import private_files
from engine.system.bounded_folder import trim_folder

AT_ONCE: Final = 8
"""Objects on their way at the same time."""
_NAME: Final = re.compile(r"(?P<stem>.+)-(?P<sha>[0-9a-f]{64})\.parquet")


class StoredObject(NamedTuple):
    """One object: its name without hash and ending, its hash, bytes."""

    stem: str
    sha: str
    size: int

    @property
    def name(self) -> str:
        """Return the object's name below the archive's root."""
        return f"{self.stem}-{self.sha}.parquet"


@final
class ObjectArchive:
    """The objects below `root` ("bucket/prefix") of a pyarrow file system.

    Copies of at most `most` bytes lie in `cache`. Raises `OperatorError` where the storage or the
    disk refuses, `DataError` for an object whose content does not have the hash of its name.
    """

    def __init__(self, files: Any, root: str, cache: Path, most: int) -> None:
        self._files, self._root, self._cache, self.most = files, root.rstrip("/"), cache, most
        # so that the first fetch trims, whatever earlier processes have left
        self._fetched = most

    def objects(self, below: str) -> list[StoredObject]:
        """Return the objects below a folder as they are now, by name, without foreign ones."""
        from pyarrow.fs import FileSelector  # noqa: PLC0415  only where there is an archive

        # a folder that was never written to is no error
        selector = FileSelector(f"{self._root}/{below}", recursive=True, allow_not_found=True)
        with self._archive_errors():
            found = self._files.get_file_info(selector)
            bucket = self._root.partition("/")[0]
            # an empty answer is also that of a bucket that is not there
            if not found and not self._files.get_file_info([bucket])[0].type:
                raise OSError(f"there is no bucket {bucket}")
        names = (
            (_NAME.fullmatch(each.path.removeprefix(f"{self._root}/")), each.size)
            for each in found
            if each.is_file
        )
        return sorted(
            StoredObject(match["stem"], match["sha"], size) for match, size in names if match
        )

    def put(self, stem: str, content: bytes, there: Iterable[StoredObject] = ()) -> StoredObject:
        """Store content, read it back, and return its object.

        `there`: objects that may hold it already.
        """
        sha = hashlib.sha256(content).hexdigest()
        made = next((each for each in there if each.sha == sha), None)
        # an archiving that was broken off may have sent it; sent it may still be damaged
        if made is None or not self._reads_back(made):
            made = made or StoredObject(stem, sha, len(content))
            with (
                self._archive_errors(),
                self._files.open_output_stream(f"{self._root}/{made.name}") as out,
            ):
                out.write(content)
            if not self._reads_back(made):
                raise DataError(
                    f"archive: {made.name} did not come back as it was sent; nothing was removed: "
                    "once more"
                )
        return made

    def content(self, stored: StoredObject) -> bytes:
        """Return the content of an object, from this disk where it is there."""
        path = self._cache / stored.name
        with contextlib.suppress(OSError):
            content = path.read_bytes()
            # this disk may have damaged its copy since
            if _has_hash(content, stored.sha):
                # copies are trimmed by age: that of their last use
                path.touch()
                return content
        content = self.fetched(stored)
        keep_copy(path, content)
        self._fetched += stored.size
        # a walk through the whole cache, and so not after every object
        if self._fetched > self.most // 8:
            self._fetched = 0
            trim_folder(self._cache, ".parquet", self.most)
        return content

    def contents(self, stored: Sequence[StoredObject]) -> list[bytes]:
        """Return what several objects hold, in their order."""
        if len(stored) < 2:
            return [self.content(each) for each in stored]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(self.content, stored))

    def copies(self, stored: Sequence[StoredObject]) -> list[Path]:
        """Return verified copies on this disk.

        Raise `OperatorError` where they exceed the cache.
        """
        size = sum(each.size for each in stored)
        # they would push each other out while they are read
        if size > self.most:
            raise OperatorError(
                f"{size / 1e6:,.0f} MB of it are archived, and archive.cache_mb takes "
                f"{self.most / 1e6:,.0f}:"
                " name fewer days with --from and --to, or raise it"
            )
        self.contents(stored)
        return [self._cache / each.name for each in stored]

    def fetched(self, stored: StoredObject) -> bytes:
        """Return an object's content from the storage.

        Raise `DataError` where its hash is another.
        """
        with (
            self._archive_errors(),
            self._files.open_input_file(f"{self._root}/{stored.name}") as source,
        ):
            content = bytes(source.read())
        if not _has_hash(content, stored.sha):
            raise DataError(
                f"archive: {stored.name} is damaged: what it holds is not what its name says"
            )
        return content

    def _reads_back(self, stored: StoredObject) -> bool:
        try:
            self.fetched(stored)
        except DataError:
            return False
        return True

    @contextlib.contextmanager
    def _archive_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            text = " ".join(str(error).split()).partition(" (Request ID")[0]
            raise OperatorError(f"archive {self._root}: {text[:300]}; see patang doctor") from None


def keep_copy(path: Path, content: bytes) -> None:
    """Keep on this disk what was fetched; raise `OperatorError`."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_files.replace_private(path, content)
    except OSError as error:
        raise OperatorError(f"cannot write {path}: {in_words(error)}") from error


def _has_hash(content: bytes, sha: str) -> bool:
    return hashlib.sha256(content).hexdigest() == sha
