"""The configuration that applies here, read and checked."""

import os
from pathlib import Path

import strategies
from brokers.registry import ADAPTERS
from engine.config import config_files, disk_places
from engine.config.config_files import LoadedConfig
from engine.config.schema import DeskConfig
from engine.config.toml_reader import dotted_key, nearest_hint
from engine.errors import ConfigError
from store.bars.registry import FILES, SERVERS
from strategies.parameters import SOURCE


def find_configuration(file: Path | None) -> LoadedConfig:
    """Read the configuration that applies here; raise `ConfigError`."""
    configuration = strategies.load_config(disk_places.find_config(file, Path.cwd(), os.environ))
    elsewhere = [
        name
        for name, table in configuration.values.strategy.items()
        if isinstance(table, dict) and table.get(SOURCE)
    ]
    config_files.check_strategies(configuration, [*strategies.names(), *elsewhere])
    _check_registered(configuration)
    return configuration


def _check_registered(configuration: LoadedConfig) -> None:
    """Raise `ConfigError` for a broker or a store of bars that has no line in its registry."""
    values = configuration.values
    for key, name, known in (
        (("broker", "name"), values.broker.name, [*ADAPTERS]),
        (("store", "backend"), values.store.backend, [FILES, *SERVERS]),
    ):
        if name not in known:
            where, hint = configuration.origin(key), nearest_hint(name, known)
            raise ConfigError(f'{where}: {dotted_key(key)}: there is no "{name}"{hint}')


def configuration(file: Path | None) -> DeskConfig:
    """Return the values of the configuration that applies here."""
    return find_configuration(file).values
