"""Changes of a configuration file that leave its comments, its order and all else as they are."""

from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Table

from engine.config.toml_reader import Key, dotted_key
from engine.errors import ConfigError


def edited_config(text: str, changes: Mapping[Key, object]) -> str:
    """Return the text of a configuration with other values; raise `ConfigError` for no TOML."""
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise ConfigError(f"the configuration is no TOML: {error}") from None
    for key, value in changes.items():
        *tables, name = key
        place: Any = document
        for table in tables:
            if table not in place:
                # A table that only holds tables needs no head of its own: [strategy.x] is enough.
                place[table] = tomlkit.table(is_super_table=place is document and len(tables) > 1)
            place = place[table]
            if not isinstance(place, Table | dict):
                raise ConfigError(f"{dotted_key(key)}: {table} is no table in this file")
        place[name] = list(value) if isinstance(value, tuple) else value
    # A last line without its end would be joined by whoever appends the next one.
    return tomlkit.dumps(document).rstrip("\n") + "\n"
