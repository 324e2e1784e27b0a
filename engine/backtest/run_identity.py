"""The identity of a run: hashes of code, strategies and settings, and its number."""

import hashlib
import inspect
import json
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import compiled
import engine
from compiled.trading.strategy import Strategy

ROOT: Final = Path(engine.__file__).parent.parent
PARTS: Final = ("compiled", "engine/backtest", "engine/market")
"""What decides a result besides strategies, bars and settings."""
LIBRARIES: Final = ("numpy", "pyarrow", "duckdb")


def code_hash(parts: Iterable[str] = PARTS) -> str:
    """Return a hash over the code and the dated tables that a result depends on."""
    files = (
        path
        for part in parts
        for path in (ROOT / part).rglob("*")
        # Dated tables decide results as much as code does.
        if path.suffix in {".py", ".json"}
    )
    return _files_hash(sorted(files))


def source_hash(strategy: Strategy) -> str:
    """Return a hash of the file a strategy stands in, and of its parts', empty without any."""
    kinds = [type(strategy), *(type(part) for part in parts_of(strategy).values())]
    found = dict.fromkeys(file for kind in kinds if (file := source_file(kind)) is not None)
    return _files_hash([*found]) if found else ""


def parts_of(strategy: Strategy) -> dict[str, object]:
    """Return the parts that a strategy is composed of, by name."""
    parts: dict[str, object] = getattr(strategy, "composed_of", {})
    return parts


def part_identity(part: object) -> dict[str, str]:
    """Return what a manifest says of a part: its class, and the hash of its file."""
    file = source_file(type(part))
    return {"class": type(part).__name__, "sha256": _files_hash([file]) if file else ""}


def source_file(kind: type) -> Path | None:
    """Return the file a class stands in; None where there is none, as in a session of Python."""
    try:
        file = inspect.getsourcefile(kind)
    except TypeError:
        return None
    return Path(file) if file and Path(file).is_file() else None


def settings_hash(settings: Mapping[str, object]) -> str:
    """Return a hash of settings, in whatever order they come."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def library_versions() -> dict[str, str]:
    """Return the versions of patang, Python and the libraries that touch the numbers."""
    found = {"patang": _library_version("patang"), "python": platform.python_version()}
    # Only what is loaded already: a question must not import a library for its version.
    return found | {name: _library_version(name) for name in LIBRARIES if name in sys.modules}


def run_number(moment: datetime, digest: str) -> str:
    """Return the number of a run.

    It is its time in UTC to the millisecond, and the beginning of its digest.
    """
    return f"{moment.astimezone(UTC):%Y%m%d-%H%M%S}-{moment.microsecond // 1_000:03d}{digest[:4]}"


def is_native() -> bool:
    """Return whether the core of this process is compiled."""
    return bool(compiled.NATIVE)


def parameters_of(
    tables: Iterable[tuple[str, Mapping[str, object]]],
) -> dict[str, dict[str, object]]:
    """Return the parameters of strategies by name, without those on where and whether they run."""
    return {
        name: {key: value for key, value in table.items() if key not in {"enabled", "symbols"}}
        for name, table in tables
    }


def _files_hash(files: Sequence[Path]) -> str:
    sha = hashlib.sha256()
    for path in files:
        # Names and ends as well: a line moved from one file to the next is another code.
        sha.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return sha.hexdigest()


def _library_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
