"""Places of the desk on disk: its configuration file, its folder of state, its stores."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from engine.config.schema import DeskConfig


class DeskPaths(NamedTuple):
    """The desk's places on disk."""

    state: Path
    database: Path
    bars: Path
    history: Path


def desk_paths(config: DeskConfig, environ: Mapping[str, str]) -> DeskPaths:
    """Return the folders and files of the desk; nothing is created."""
    home = _home_folder(environ)
    # One folder of state moves everything that is not placed by itself.
    state = _configured_path(config.desk.state_dir, own_state_folder(environ), home)
    return DeskPaths(
        state,
        _configured_path(config.store.database, state / "desk.db", home),
        _configured_path(config.store.bars_dir, state / "bars", home),
        _configured_path(config.store.history_dir, state / "history", home),
    )


def own_state_folder(environ: Mapping[str, str]) -> Path:
    """Return the state folder of whoever configures none."""
    return _xdg_folder("XDG_STATE_HOME", ".local/state", environ) / "patang"


def own_cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of what can be made anew at any time."""
    return _xdg_folder("XDG_CACHE_HOME", ".cache", environ) / "patang"


def index_file(name: str, environ: Mapping[str, str]) -> Path:
    """Return the user's file of what an index was made of."""
    folder = _xdg_folder("XDG_CONFIG_HOME", ".config", environ) / "patang" / "indices"
    return folder / f"{Path(name).name}.csv"


def watch_lists_file(environ: Mapping[str, str]) -> Path:
    """Return the user's file of watch lists, which every desk of his shares."""
    return _xdg_folder("XDG_CONFIG_HOME", ".config", environ) / "patang" / "watchlists.toml"


def find_config(explicit: Path | None, cwd: Path, environ: Mapping[str, str]) -> Path | None:
    """Return the file to read: the one asked for, ./config.toml, the user's own, or None."""
    if explicit is not None:
        return explicit
    places = (cwd / "config.toml", own_config_file(environ))
    return next((file for file in places if file.is_file()), None)


def own_config_file(environ: Mapping[str, str]) -> Path:
    """Return the user's own configuration file, which applies in any folder without one."""
    return _xdg_folder("XDG_CONFIG_HOME", ".config", environ) / "patang" / "config.toml"


def _home_folder(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or Path.home())


def _xdg_folder(variable: str, default: str, environ: Mapping[str, str]) -> Path:
    return Path(environ.get(variable) or _home_folder(environ) / default)


def _configured_path(text: str, default: Path, home: Path) -> Path:
    if not text:
        return default
    return home / text[2:] if text.startswith("~/") else Path(text)
