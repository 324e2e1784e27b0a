"""Configuration files: strict reading over the defaults, and rendering with origins."""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from engine.config import toml_reader
from engine.config.schema import DeskConfig
from engine.config.setting_checks import contradictions
from engine.config.strategy_parameters import StrategyParameters
from engine.config.toml_reader import Key, TomlReader, nearest_hint
from engine.errors import ConfigError
from engine.system import private_files

StrategyKinds = Mapping[str, type[StrategyParameters]]
"""The structs of the strategies whose parameters are known, by name."""
NO_KINDS: StrategyKinds = {}
# Bounded before it is parsed: a file named by mistake may be a disk image.
LONGEST = 1_000_000
"""Bytes of a file; the one that ships has a fiftieth of it."""


class LoadedConfig(NamedTuple):
    """A configuration and the sources of its values.

    `lines` holds the line of every key that `file` sets.
    """

    values: DeskConfig
    file: Path | None = None
    lines: Mapping[Key, int] = {}

    def origin(self, key: Key) -> str:
        """Return the source of a value: "config.toml:12", or "default"."""
        line = self.lines.get(key)
        return "default" if self.file is None or line is None else f"{self.file.name}:{line}"


def load_config(file: Path | None, strategies: StrategyKinds = NO_KINDS) -> LoadedConfig:
    """Read `file` over the defaults, and those of `strategies`.

    Raise `ConfigError` with file, line, key and the remedy for any setting out of bounds.
    """
    if file is None:
        return parse_config("", Path(), strategies)._replace(file=None)
    try:
        # "utf-8-sig" and \r\n below: files are also edited on Windows.
        content = _read_own_file(file)
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise ConfigError(f"{file}: {os.strerror(error.errno or 0).lower()}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not a UTF-8 text") from error
    if len(content) > LONGEST:
        raise ConfigError(f"{file}: more than {LONGEST:,} bytes are no configuration")
    return parse_config(text, file, strategies)


def _read_own_file(file: Path) -> bytes:
    """Return the content of a file that only this user can have written.

    It decides where orders and tokens go.
    """
    with file.open("rb") as opened:
        found = os.fstat(opened.fileno())
        # On the opened file and not on its name, which another user could point elsewhere in
        # between.
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(f"{file}: no regular file")
        if found.st_uid not in {os.getuid(), private_files.TRUSTED}:
            raise ConfigError(
                f"{file}: it is another user's, who could send orders and tokens anywhere; copy "
                f"it and own it"
            )
        if private_files.others_write(found):
            raise ConfigError(
                f"{file}: others can write it, and send orders and tokens anywhere; say chmod "
                f"go-w {file}"
            )
        return opened.read(LONGEST + 1)


def parse_config(text: str, file: Path, strategies: StrategyKinds = NO_KINDS) -> LoadedConfig:
    """Read TOML over the defaults, as if it stood in `file`; raise `ConfigError`."""
    reader = TomlReader(text, file)
    config: DeskConfig = reader.struct(DeskConfig)
    known = {
        # Also without a table: a strategy that ships runs with its defaults.
        name: reader.read(kind, config.strategy.get(name, {}), ("strategy", name))
        for name, kind in strategies.items()
    }
    config = replace(
        config,
        strategy=known
        | {name: table for name, table in config.strategy.items() if name not in known},
    )
    for key, complaint in contradictions(config):
        raise reader.error(key, complaint)
    return LoadedConfig(config, file, reader.lines)


def render_config(configuration: LoadedConfig) -> str:
    """Render the effective configuration as TOML, each value with its origin beside it.

    A token is masked.
    """
    return toml_reader.render_toml(configuration.values, beside=configuration.origin)


def example_config(strategies: StrategyKinds) -> str:
    """Render the defaults as the commented `config.toml` that ships with the desk."""
    config = load_config(None, strategies).values
    return (
        "# The desk's settings, each with its default. Every line may be left out.\n\n"
        + toml_reader.render_toml(config, above=toml_reader.explain_field)
    )


def reference_page(strategies: StrategyKinds) -> str:
    """Render `docs/configuration.md`."""
    return REFERENCE + toml_reader.render_tables(load_config(None, strategies).values)


def check_strategies(configuration: LoadedConfig, known: Iterable[str]) -> None:
    """Raise `ConfigError` for the first [strategy.NAME] table without a strategy in `known`."""
    names = set(known)
    for name in configuration.values.strategy:
        if name not in names:
            where = configuration.origin(("strategy", name))
            raise ConfigError(
                f"{where}: strategy.{name}: no such strategy{nearest_hint(name, names)}"
            )


REFERENCE = """\
# Configuration

The desk reads one TOML file over its defaults: the one named by `--config`, else `config.toml` in
the current folder, else `~/.config/patang/config.toml`. A key or table that is not below, a value
of another type or beyond its bounds, and values that contradict each other stop the desk with file,
line, key and the mend. `patang config show` prints what is in force, and where each value comes
from.

Money is in whole rupees, durations in seconds. A `[strategy.NAME]` table of any other name goes to
the strategy of that name.
"""
