"""Records of a mode's runs, and the last of the runs."""

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import date, datetime
from pathlib import Path

from engine.config.desk_modes import MODES
from engine.config.disk_places import desk_paths
from engine.config.schema import DeskConfig
from engine.errors import DataError, NothingFound
from engine.indian_time import INDIA
from engine.orders.killswitch import KillLogEntry
from store.database_integrity import evidence_of_loss
from store.schema import connect, refusal

KEPT = 20
LATCHES = (
    "SELECT ifnull(ts, 0), ifnull(act, ''), ifnull(level, ''), ifnull(reason, ''), ifnull(who, "
    "'') FROM kill_log ORDER BY seq"
)
# a start that failed leaves a database with neither
BEGUN = "SELECT 1 FROM meta WHERE key = 'opened' UNION SELECT 1 FROM intents LIMIT 1"


def state_folder(config: DeskConfig, mode: str) -> Path:
    """Return where the desk of a mode keeps its things."""
    return desk_paths(config, os.environ).state / mode


def own_database(config: DeskConfig, mode: str, *, embedded: bool) -> Path:
    """Return the database of the next run: the configured one, or a new one of its own."""
    folder = state_folder(config, mode)
    if config.store.database:
        return desk_paths(config, os.environ).database
    if not embedded:
        return folder / "desk.db"
    _remove_old_runs(folder)
    # two runs may begin in one second, of one process as well
    name = f"run-{datetime.now(INDIA):%Y%m%d-%H%M%S}-{os.getpid()}"
    names = (name, *(f"{name}-{number}" for number in range(2, 100)))
    return next(path for each in names if not (path := folder / f"{each}.db").exists())


def _remove_old_runs(folder: Path) -> None:
    """Remove all but the last runs, and those that never began; the caller holds the folder."""
    runs = sorted(folder.glob("run-*.db"))
    begun = [run for run in runs if has_begun(run)]
    # one less: the run that is about to begin is one of them
    for old in {*runs} - {*begun[-KEPT + 1 :]}:
        remove_run(old)


def remove_run(database: Path) -> None:
    """Remove the database of a run; its bars, log, lock and mark go with it."""
    for path in database.parent.glob(f"{database.stem}.*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def bars_folder(config: DeskConfig, mode: str, database: Path) -> Path:
    """Return the folder of a run's bars: beside its database, where each run has its own."""
    if config.store.bars_dir:
        return desk_paths(config, os.environ).bars
    if database.name.startswith("run-"):
        return database.with_suffix(".bars")
    return state_folder(config, mode) / "bars"


def recordings_folder(config: DeskConfig, mode: str) -> Path:
    """Return where a mode's recordings of the feed are kept."""
    return state_folder(config, mode) / "recordings"


def latest_database(config: DeskConfig, mode: str) -> Path:
    """Return the database to read: the configured one, or the last run's that began to trade.

    Raise `NothingFound`, `DataError` for one that is lost.
    """
    if config.store.database:
        return desk_paths(config, os.environ).database
    folder = state_folder(config, mode)
    there = sorted(_run_databases(folder), key=_last_written, reverse=True)
    # an older run must not be shown in the place of one that is lost
    if gone := evidence_of_loss(folder / "desk.db"):
        raise DataError(gone)
    if not there:
        others = [
            other
            for other in MODES
            if other != mode and _run_databases(state_folder(config, other))
        ]
        named = f"; there are runs of {', '.join(others)}: say --mode" if others else ""
        raise NothingFound(f"nothing has run yet in mode {mode}: no database in {folder}{named}")
    for database in there:
        if has_begun(database):
            return database
    raise NothingFound(
        f"no run in mode {mode} has begun to trade: {there[0]} holds a start that failed"
    )


def database_of_day(config: DeskConfig, mode: str, day: date) -> Path:
    """Return the last database in which a desk of a mode has opened a day.

    Raise as `latest_database`, which it is without one.
    """
    from store.journal_day import has_opened  # noqa: PLC0415  numpy, for a day of the past alone

    if config.store.database:
        return desk_paths(config, os.environ).database
    there = sorted(_run_databases(state_folder(config, mode)), key=_last_written, reverse=True)
    return next((path for path in there if has_opened(path, day)), None) or latest_database(
        config, mode
    )


def databases_of(config: DeskConfig, mode: str) -> list[Path]:
    """Return the databases of a mode in which a desk has opened, the last written first.

    Raise `DataError` for one that is lost.
    """
    try:
        newest = latest_database(config, mode)
    except NothingFound:
        return []
    if config.store.database:
        return [newest] if newest.exists() else []
    there = sorted(_run_databases(state_folder(config, mode)), key=_last_written, reverse=True)
    return [path for path in there if has_begun(path)]


def _run_databases(folder: Path) -> list[Path]:
    return [*folder.glob("desk.db"), *folder.glob("run-*.db")]


def has_begun(database: Path) -> bool:
    """Return whether a desk has ever opened in this database.

    One that cannot be read is left to its reader to refuse.
    """
    try:
        with closing(connect(database, write=False)) as connection:
            return connection.execute(BEGUN).fetchone() is not None
    except sqlite3.Error:
        return True


def owner_of(database: Path) -> str | None:
    """Return the account of a database, None for a new one or one its reader must refuse."""
    if not database.exists():
        return None
    try:
        with closing(connect(database, write=False)) as connection:
            found = connection.execute("SELECT value FROM meta WHERE key = 'account'").fetchone()
    except sqlite3.Error:
        return None
    return str(found[0]) if found else None


def kept_latches(database: Path) -> list[KillLogEntry]:
    """Return a database's records of the kill switch, oldest first; raise `OperatorError`."""
    if not database.exists():
        return []
    try:
        with closing(connect(database, write=False)) as connection:
            return [KillLogEntry(*row) for row in connection.execute(LATCHES)]
    except sqlite3.Error as error:
        # written before the switch was kept there
        if "no such table" in str(error):
            return []
        raise refusal(database, error) from error


def _last_written(database: Path) -> int:
    """Return when a database was last written to, its log included (ns)."""
    # a commit goes to the log first: the file itself may be hours older
    log = database.with_name(database.name + "-wal")
    return max(path.stat().st_mtime_ns for path in (database, log) if path.exists())
