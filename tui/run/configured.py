"""The configuration that applies here, read and checked."""

import os
from pathlib import Path

import strategies
from engine.config import schema
from engine.config.schema import DeskConfig, LoadedConfig
from strategies.parameters import SOURCE


def find_configuration(file: Path | None) -> LoadedConfig:
    """Read the configuration that applies here; raise `ConfigError`."""
    configuration = strategies.load_config(schema.find_config(file, Path.cwd(), os.environ))
    elsewhere = [
        name
        for name, table in configuration.values.strategy.items()
        if isinstance(table, dict) and table.get(SOURCE)
    ]
    schema.check_strategies(configuration, [*strategies.names(), *elsewhere])
    return configuration


def configuration(file: Path | None) -> DeskConfig:
    """Return the values of the configuration that applies here."""
    return find_configuration(file).values
