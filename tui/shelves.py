"""Which store of bars the configuration names, for a running desk and for the history."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from engine.config import Config, paths
from engine.errors import ConfigError
from engine.ports import BarStore
from store.bars.parquet import ParquetBars
from tui.runs import bars_folder, state_folder

SECRET = re.compile(r"password\s*=|^\w+://[^/@\s]*:[^/@\s]*@", re.IGNORECASE)


def target(config: Config) -> str:
    """Return how to reach the server; raise `ConfigError` for a password in the configuration, or where nothing says it."""
    settings = config.store
    if settings.dsn_env:
        found = os.environ.get(settings.dsn_env, "")
        if not found:
            raise ConfigError(f"store.dsn_env: the environment variable {settings.dsn_env} is not set")
        return found
    if SECRET.search(settings.dsn):
        raise ConfigError(
            "store.dsn holds a password: put it into ~/.pgpass, or the whole into a variable named by store.dsn_env"
        )
    if not settings.dsn:
        raise ConfigError(
            'store.backend is "postgres": say where in store.dsn, as "host=db dbname=patang", or in store.dsn_env'
        )
    return settings.dsn


def history(config: Config, folder: Path | None) -> BarStore:
    """Return the store of the past: that of the configuration, or the files in a folder."""
    if folder is None and config.store.backend == "postgres":
        from store.bars.postgres import PostgresBars  # noqa: PLC0415

        return PostgresBars(target(config))
    return ParquetBars(folder or paths(config, os.environ).history)


def live(config: Config, mode: str, database: Path, tell: Callable[[str], None], *, embedded: bool) -> BarStore:
    """Return where a desk keeps the bars it builds; those of an exchange of its own stay beside its run."""
    if embedded or config.store.backend != "postgres":
        return ParquetBars(bars_folder(config, mode, database))
    from store.bars.postgres import PostgresBars  # noqa: PLC0415
    from store.bars.waiting import WaitingBars  # noqa: PLC0415

    return WaitingBars(PostgresBars(target(config)), state_folder(config, mode) / "bars-waiting", tell)
