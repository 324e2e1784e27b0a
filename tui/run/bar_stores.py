"""Stores of bars by the configuration, for a running desk and for the history."""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

from engine.config import addresses
from engine.config.desk_modes import MODES
from engine.config.disk_places import desk_paths
from engine.config.schema import DeskConfig
from engine.errors import ConfigError, OperatorError
from engine.market.calendar import DAY
from engine.market.instrument_dumps import DumpFolder, listings_of
from engine.ports import BarStore
from store.bars.archived_bars import ArchivedBars
from store.bars.parquet_bars import ParquetBars
from store.bars.postgres_bars import open_store
from store.bars.postgres_instruments import PostgresDumps
from store.bars.registry import FILES, open_shared_store
from store.bars.waiting_bars import WaitingBars
from store.object_archive import ObjectArchive
from tui.run.run_records import bars_folder, recordings_folder, state_folder

if TYPE_CHECKING:
    from store.recordings.archived_recordings import ArchivedRecordings

KEYS = ("PATANG_ARCHIVE_KEY", "PATANG_ARCHIVE_SECRET")
LEAST_DAYS = 31
"""Nothing younger is ever archived: `archive.days` has this bound."""


def history_store(config: DeskConfig, folder: Path | None) -> BarStore:
    """Return the store of the past, its archive included; or the files in a folder."""
    if folder is not None:
        return ParquetBars(folder)
    archive = archive_of(config)
    if archive is None:
        return local_store(config)
    # nothing younger can be there: a question about the last days costs no look over the network
    return ArchivedBars(local_store(config), archive, time.time_ns() - LEAST_DAYS * DAY)


def desk_store(config: DeskConfig, folder: Path) -> BarStore:
    """Return the bars in a folder that desks write, with what of them is archived."""
    shelf = next((name for name, kept in desk_shelves(config).items() if kept == folder), "")
    archive = archive_of(config) if shelf else None
    if archive is None:
        return ParquetBars(folder)
    return ArchivedBars(ParquetBars(folder), archive, time.time_ns() - LEAST_DAYS * DAY, shelf)


def desk_shelves(config: DeskConfig) -> dict[str, Path]:
    """Return the folders in which desks keep the bars of all days, by their shelf in an archive."""
    if config.store.bars_dir:
        return {"desk": desk_paths(config, os.environ).bars}
    return {mode: state_folder(config, mode) / "bars" for mode in MODES}


def local_store(config: DeskConfig) -> BarStore:
    """Return the store of the past without its archive."""
    if config.store.backend != FILES:
        return open_shared_store(config.store)
    return ParquetBars(desk_paths(config, os.environ).history)


def shared_dumps(config: DeskConfig) -> PostgresDumps:
    """Return the instrument dumps in the Postgres of the bars."""
    return PostgresDumps(open_store(config.store))


def share_dumps(config: DeskConfig) -> int:
    """Give the Postgres of the bars every dump it lacks; return how many.

    Without one do nothing.
    """
    # files need no sharing, and no other server has a table of dumps
    if config.store.backend != "postgres":
        return 0
    kept, shared = (
        DumpFolder(desk_paths(config, os.environ).state / "instruments"),
        shared_dumps(config),
    )
    count = 0
    for exchange in kept.exchanges():
        there = set(shared.days(exchange))
        # versions come oldest first: of several dumps of a day the last one counts
        last = {each.day: each.path for each in kept.versions(exchange)}
        for day, path in last.items():
            if day not in there:
                shared.keep(day, listings_of(path))
                count += 1
    return count


def share_averages(config: DeskConfig, version: str) -> int:
    """Add new minutes of a version to those with averages in the Postgres of the bars.

    Return how many; without one do nothing.
    """
    if config.store.backend != "postgres":
        return 0
    store = open_store(config.store)
    try:
        return store.follow_averages(version)
    finally:
        store.close()


def archive_of(config: DeskConfig) -> ObjectArchive | None:
    """Return the archive that is configured; raise `OperatorError` without credentials for it."""
    if not config.archive.bucket:
        return None
    settings, place = config.archive, addresses.parse_address(config.archive.endpoint)
    key, secret = archive_keys(config)
    files = S3FileSystem(
        access_key=key,
        secret_key=secret,
        region=settings.region,
        background_writes=False,
        connect_timeout=5.0,
        request_timeout=60.0,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=3),
        **(
            {"scheme": place.scheme, "endpoint_override": place.root.partition("://")[2]}
            if place
            else {}
        ),
    )
    root = f"{settings.bucket}/{settings.prefix}"
    return ObjectArchive(
        files,
        root,
        desk_paths(config, os.environ).state / "archive-copies",
        settings.cache_mb * 1_000_000,
    )


def archived_recordings(config: DeskConfig, archive: ObjectArchive) -> "ArchivedRecordings":
    """Return the recordings in the archive that is configured."""
    from store.recordings.archived_recordings import ArchivedRecordings  # noqa: PLC0415  0.05 s, for the archive alone

    copies = desk_paths(config, os.environ).state / "archive-copies" / "feeds"
    return ArchivedRecordings(archive, partial(recordings_folder, config), copies)


def archive_keys(config: DeskConfig) -> tuple[str, str]:
    """Return key id and secret, of the environment or kept; raise `OperatorError` without."""
    found = tuple(os.environ.get(name, "") for name in KEYS)
    if all(found):
        return found[0], found[1]
    # half a pair must not fall back to what is kept: that may be of another account
    if any(found):
        raise ConfigError(f"{' and '.join(KEYS)} belong together: only one of them is set")
    from tui.run.credentials import vault_of  # noqa: PLC0415  0.1 s, where nothing stands in the environment

    kept = vault_of(config).get(archive_secret(config))
    if kept is None:
        raise OperatorError(
            f"no credentials for the archive: patang bars archive login, or {' and '.join(KEYS)}"
        )
    key, _, secret = kept.partition(" ")
    return key, secret


def archive_secret(config: DeskConfig) -> str:
    """Return the name of the kept credentials: those of one place go to no other."""
    return f"archive:{config.archive.endpoint or 'aws'}/{config.archive.bucket}"


def live_store(
    config: DeskConfig, mode: str, database: Path, tell: Callable[[str], None], *, embedded: bool
) -> BarStore:
    """Return the store of a desk's own bars; those of an own exchange stay beside its run."""
    # an own exchange makes its bars up: they must not stand among those that others trade by
    if embedded or config.store.backend == FILES:
        return ParquetBars(bars_folder(config, mode, database))
    # a server that is away costs the desk no bar and no moment
    waiting = state_folder(config, mode) / "bars-waiting"
    return WaitingBars(open_shared_store(config.store), waiting, tell)
