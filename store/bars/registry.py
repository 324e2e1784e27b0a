"""The stores of bars that a desk shares with others, by the name that `store.backend` gives.

Another store is a module with an `open_store` and a line here. The files of this machine
(`parquet_bars`) are no entry: they need no server, and every desk has them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, cast

from engine.ports import BarStore

if TYPE_CHECKING:
    from engine.config.schema import StoreSettings

FILES: Final = "parquet"
SERVERS: Final = {"postgres": "store.bars.postgres_bars"}


class SharedStore(BarStore, Protocol):
    """A store on a server, which tells what it is and is closed after use."""

    def describe(self) -> str:
        """Return a line on the server: what it is, and how old."""

    def close(self) -> None:
        """Leave the server."""


def open_shared_store(settings: "StoreSettings") -> SharedStore:
    """Return the store that a checked configuration names."""
    return cast("SharedStore", import_module(SERVERS[settings.backend]).open_store(settings))
