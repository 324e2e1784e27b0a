"""`patang bars archive`: old bars and recordings in S3-compatible storage."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from engine.config.desk_modes import MODES
from engine.config.disk_places import desk_paths
from engine.config.schema import DeskConfig
from engine.errors import ConfigError, DataError, NothingFound, OperatorError, in_words
from engine.exit_codes import DONE, FAILED
from engine.market.calendar import ist_day
from engine.ports import BarStore
from engine.system.file_hold import FileHold
from engine.texts import plain_text
from store.bars.archived_bars import HISTORY, ArchivedBars
from store.bars.parquet_bars import ParquetBars
from store.object_archive import AT_ONCE
from tui.commands.shared.options import ConfigFile, RowsAsJson
from tui.commands.shared.text_tables import print_table
from tui.run.bar_stores import (
    KEYS,
    archive_of,
    archive_secret,
    archived_recordings,
    desk_shelves,
    local_store,
)
from tui.run.configured import configuration

if TYPE_CHECKING:
    from store.object_archive import ObjectArchive, StoredObject


archive = App(
    name="archive",
    help="Keep old bars and recordings in S3-compatible storage.",
    help_format="plaintext",
)


@archive.command
def push(
    *,
    keep: Annotated[bool, Parameter(negative="", help="Only copy: remove nothing here.")] = False,
    dry_run: Annotated[bool, Parameter(negative="", help="Only tell what would go.")] = False,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """Move what is older than archive.days and archive.recording_days.

    Each copy is read back before anything here goes.
    """
    values, there = _open_archive(config)
    today = ist_day(time.time_ns())
    recordings, settings = archived_recordings(values, there), values.archive
    rows: list[dict[str, object]] = []
    with (
        # two at once would send everything twice, and one removes what the other is reading
        _exclusive_lock(desk_paths(values, os.environ).state / "archive.lock"),
        _terminal_progress() as tell,
    ):
        stores: dict[str, BarStore] = {HISTORY: local_store(values)}
        stores |= {
            shelf: ParquetBars(folder)
            for shelf, folder in desk_shelves(values).items()
            if folder.is_dir()
        }
        for shelf, local in stores.items():
            bars = ArchivedBars(local, there, shelf=shelf).push(
                # a day counts whole: what is exactly so old stays
                today - timedelta(days=settings.days - 1),
                keep=keep,
                dry=dry_run,
                tell=tell,
            )
            rows += [
                {
                    "what": _bars_name(shelf, each.version, str(each.span)),
                    "series": each.symbols,
                    "periods": each.periods,
                    "bars": each.bars,
                    "bytes": each.bytes,
                }
                for each in bars
            ]
        for mode in MODES:
            before = today - timedelta(days=settings.recording_days - 1)
            rows += [
                {
                    "what": f"recordings {mode}/{each.day}",
                    "series": each.files,
                    "periods": None,
                    "bars": None,
                    "bytes": each.bytes,
                }
                for each in recordings.push(mode, before, keep=keep, dry=dry_run, tell=tell)
            ]
    did = "would go" if dry_run else "copied" if keep else "moved, each read back first"
    print_table(
        rows,
        as_json=as_json,
        summary=f"{sum(int(str(row['series'])) for row in rows)} series and files {did}"
        if rows
        else "nothing is old enough",
    )
    return DONE


@archive.command(name="list")
def list_(*, config: ConfigFile = None, as_json: RowsAsJson = False) -> int:
    """List the archive: bars by version and span, recordings by day."""
    _, there = _open_archive(config)
    found = [(_shelf_name(each.stem), each) for each in there.objects("")]
    if not found:
        raise NothingFound("nothing is archived yet: patang bars archive push")
    rows: list[dict[str, object]] = []
    for shelf, each in groupby(found, key=lambda one: one[0]):
        stored = [one for _, one in each]
        months = (
            sorted({one.stem.rpartition("/")[2].rpartition("-")[0] for one in stored})
            # the stem of a recording names its run, no month
            if shelf.startswith("bars")
            else ["", ""]
        )
        rows.append(
            {
                "what": shelf,
                "from": months[0],
                "to": months[-1],
                "objects": len(stored),
                "bytes": sum(one.size for one in stored),
            }
        )
    print_table(
        rows,
        as_json=as_json,
        summary=f"{len(found)} objects, {sum(each.size for _, each in found) / 1e6:,.1f} MB",
    )
    return DONE


@archive.command
def verify(*, config: ConfigFile = None, as_json: RowsAsJson = False) -> int:
    """Read everything back and hold it against the hash in its name.

    Prints the objects that are damaged. Exits with 1 where there is one.
    """
    _, there = _open_archive(config)
    found = there.objects("")

    def wrong(each: "StoredObject") -> str:
        try:
            there.fetched(each)
        except DataError as error:
            return str(error)
        return ""

    # the way there and back takes longer than the hash
    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = list(pool.map(wrong, found))
    rows: list[dict[str, object]] = [
        {"object": each.name, "wrong": text} for each, text in zip(found, told, strict=True) if text
    ]
    text = (
        f"{len(rows)} of {len(found)} objects are damaged"
        if rows
        else f"{len(found)} objects are what their names say"
    )
    print_table(rows, as_json=as_json, summary=text)
    return FAILED if rows else DONE


@archive.command
def login(*, config: ConfigFile = None) -> int:
    """Ask for the storage's key and secret, and keep them in the keyring or encrypted file."""
    from tui.run.credentials import ask_secret, vault_of

    values = configuration(config)
    _require_bucket(values)
    key, secret = (
        ask_secret(f"{what} of the archive: ", name)
        for what, name in zip(("Key id", "Secret"), KEYS, strict=True)
    )
    vault = vault_of(values)
    # one entry: a key id without its secret is of no use
    vault.put(archive_secret(values), f"{key} {secret}")
    sys.stderr.write(plain_text(f"kept in {vault.where}") + "\n")
    return DONE


def _open_archive(config: Path | None) -> "tuple[DeskConfig, ObjectArchive]":
    values = configuration(config)
    _require_bucket(values)
    found = archive_of(values)
    assert found is not None
    return values, found


def _require_bucket(config: DeskConfig) -> None:
    if not config.archive.bucket:
        raise ConfigError(
            "there is no archive: name its bucket in archive.bucket (docs/history.md)"
        )


def _shelf_name(stem: str) -> str:
    """Return what an object belongs to: a version and span of bars, or a day of recordings."""
    kind, shelf, *parts = stem.split("/")
    if kind == "bars":
        return _bars_name(shelf, parts[0].removeprefix("version="), parts[1].removeprefix("span="))
    return f"recordings {shelf}/{parts[0]}"


def _bars_name(shelf: str, version: str, span: str) -> str:
    return f"bars {version} {span} s{'' if shelf == HISTORY else f' ({shelf})'}"


@contextlib.contextmanager
def _exclusive_lock(lock: Path) -> Iterator[None]:
    """Keep a second one out; raise `BusyError`."""
    try:
        lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"cannot write in {lock.parent}: {in_words(error)}") from None
    # the kernel releases it with the process, however that ends
    hold = FileHold(
        lock, f"the archive's lock {lock}", "wait for the end of its patang bars archive push"
    )
    try:
        yield
    finally:
        hold.release()


@contextlib.contextmanager
def _terminal_progress() -> Iterator[Callable[[str], None]]:
    """Yield a progress text that writes over itself on a terminal."""
    # in a file nothing can be written over
    over = sys.stderr.isatty()

    def tell(text: str) -> None:
        if over:
            sys.stderr.write(f"\r{plain_text(text)}\x1b[K")
            sys.stderr.flush()

    try:
        yield tell
    finally:
        if over:
            sys.stderr.write("\r\x1b[K")
