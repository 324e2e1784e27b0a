"""The bars of earlier backtests, packed: the next run of the same bars maps them."""

import hashlib
import json
import os
import shutil
from functools import cache
from pathlib import Path
from typing import Final, final

from engine.backtest.clocked_bars import on_one_clock, price_grid
from engine.backtest.loaded_bars import LoadedBars
from engine.backtest.packed_bars import packed_size, read_packed, write_packed
from engine.backtest.run_identity import code_hash
from engine.errors import PatangError
from engine.system.bounded_folder import trim_folder

LEAST_BARS: Final = 200_000
"""Fewer are read in no time."""
DAYS: Final = 30
"""Days without a use after which a file goes."""
SPARE: Final = 1_000_000_000
"""Bytes that stay free on the disk."""
ENDING: Final = ".packed"
READERS: Final = ("engine/backtest", "engine/history", "engine/market", "store/bars")
"""The code that makes loaded bars of stored ones."""


@final
class KeptBars:
    """Packed bars in a folder of at most `most` bytes: the ones not used for longest go first.

    A file is named by all that its bars follow from, so none is ever out of date. Each may be
    removed at any time: its bars are then read anew.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most

    def key(self, **facts: object) -> str:
        """Return the name of bars that follow from some facts, and from the code that reads."""
        said = json.dumps({**facts, "code": _reading_code()}, sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()

    def find(self, key: str) -> LoadedBars | None:
        """Return the bars of a name, None without any that are whole."""
        path = self._file_path(key)
        try:
            loaded = read_packed(path, check=True)
            os.utime(path)
        except (PatangError, OSError):
            return None
        return loaded

    def keep(self, key: str, loaded: LoadedBars) -> LoadedBars:
        """Return bars as they lie in a file of their own from now on.

        Where they are too few or too many, or the disk has no room, they come back as they are.
        """
        if sum(len(bars.start) for bars in loaded.series.values()) < LEAST_BARS:
            return loaded
        path = self._file_path(key)
        try:
            grids = {symbol: price_grid(bars) for symbol, bars in loaded.series.items()}
            whole = loaded._replace(grids=grids, clock=on_one_clock(loaded.series))
            size = packed_size(whole)
            self._folder.mkdir(parents=True, exist_ok=True)
            # A desk that writes on the same disk halts where it is full.
            if size > self._most or shutil.disk_usage(self._folder).free < size + SPARE:
                return loaded
            # Not synced: after a power cut its sum tells what has not reached the disk.
            write_packed(path, whole, durable=False)
            trim_folder(self._folder, ENDING, self._most, used=path, days=DAYS)
            return read_packed(path)
        except (PatangError, OSError):
            return loaded

    def _file_path(self, key: str) -> Path:
        return self._folder / f"{key}{ENDING}"


@cache
def _reading_code() -> str:
    return code_hash(READERS)
