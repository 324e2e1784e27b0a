"""Strategies compiled from a user's file: where they are kept, and which still fits.

`patang compile` makes one; it runs where file, core and Python are those it was made of.
"""

import functools
import hashlib
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

import compiled
from compiled.trading.strategy import Strategy
from engine.config.disk_places import own_cache_folder
from engine.errors import ConfigError
from engine.system.native_units import IDENTITY
from engine.system.private_files import others_rule

NATIVE: Final = "patang_native_"
"""How the modules of compiled files begin."""
PLAIN: Final = "patang_plain_"
"""How a compiled module calls the file that it was compiled from."""
SOURCE_FILE: Final = "source"
SUM_FILE: Final = "sha256"
KEY_DIGITS: Final = 16


class BuiltStrategy(NamedTuple):
    """A compiled file: its source, its folder, and the key of what it was made of."""

    source: Path
    folder: Path
    key: str

    @property
    def module(self) -> str:
        """Return the name of its module."""
        return f"{NATIVE}{re.sub(r'[^0-9A-Za-z]', '_', self.source.stem)}_{self.key}"

    @property
    def plain(self) -> str:
        """Return the name by which it imports from its source."""
        return PLAIN + self.key

    @property
    def files(self) -> list[Path]:
        """Return its unit, then its module."""
        return [self.folder / f"{name}{EXTENSION_SUFFIXES[0]}" for name in self._names()]

    @property
    def is_there(self) -> bool:
        """Return whether it was made, and is whole.

        What is cut off would end the process that loads it.
        """
        try:
            kept = (self.folder / SUM_FILE).read_bytes()
            return kept == _sum_of(self.files)
        except OSError:
            return False

    def load(self, source: ModuleType) -> ModuleType:
        """Return its module, once for each process; raise `ConfigError` where others can write."""
        sys.modules[self.plain] = source
        # the unit first: the module is a shim that imports it by its name
        for name, file in zip(self._names(), self.files, strict=True):
            # a native module cannot be run a second time
            if name in sys.modules:
                continue
            for place in (self.folder, file):
                if others_rule(place.stat()):
                    raise ConfigError(f"{place}: others can write it: patang compile --clear")
            spec = importlib.util.spec_from_file_location(name, file)
            if spec is None or spec.loader is None:
                raise ConfigError(f"{file}: no native module: patang compile --clear")
            module = sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        found = sys.modules[self.module]
        # the source is what hashes, the bias suite and tracebacks go by
        found.__file__ = str(self.source)
        return found

    def _names(self) -> tuple[str, str]:
        return (f"{self.module}_unit__mypyc", self.module)


def builds_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of all compiled strategies."""
    return own_cache_folder(environ) / "strategies"


def running_core() -> str:
    """Return of what the native core of this process was made; empty without one."""
    beside = Path(compiled.__file__ or "").with_name(IDENTITY)
    return beside.read_text(encoding="utf-8") if compiled.NATIVE and beside.is_file() else ""


def build_of(source: Path) -> BuiltStrategy:
    """Return what a file as it is now is compiled to on this core, made or not."""
    source = source.absolute()
    # its place too: a module's name is its key, and is loaded once in a process
    sha = hashlib.sha256()
    for part in (str(source), running_core(), EXTENSION_SUFFIXES[0]):
        sha.update(part.encode() + b"\0")
    sha.update(source.read_bytes())
    key = sha.hexdigest()[:KEY_DIGITS]
    return BuiltStrategy(source, _source_folder(source) / key, key)


def build_remark(source: Path) -> str:
    """Return why a file that was compiled runs interpreted all the same, empty where it does not.

    The line names the mend.
    """
    if not (_source_folder(source.absolute()) / SOURCE_FILE).is_file():
        return ""
    if not compiled.NATIVE:
        return f"{source} runs interpreted, as the core does"
    if build_of(source).is_there:
        return ""
    return (
        f"{source} runs interpreted: it, patang or its native file is another than was compiled; "
        f"compile it again: patang compile {source}"
    )


def native_factory(
    source: Path, module: ModuleType, made: Callable[[str, Any], Strategy]
) -> Callable[[str, Any], Strategy] | None:
    """Return the compiled class of a file's class as a factory; None where there is none."""
    if not compiled.NATIVE or not isinstance(made, type):
        return None
    built = build_of(source)
    if not built.is_there:
        return None
    kind = getattr(built.load(module), made.__name__)

    # its annotations say which struct has the parameters
    @functools.wraps(made.__init__)  # type: ignore[misc]
    def make(name: str, parameters: Any) -> Strategy:
        strategy: Strategy = kind(name, parameters)
        return strategy

    return make


def is_compiled(strategy: Strategy) -> bool:
    """Return whether a strategy runs compiled from a user's file."""
    return type(strategy).__module__.startswith(NATIVE)


def kept_builds() -> list[tuple[Path, Path]]:
    """Return the sources that were compiled, each with its folder."""
    found = sorted(builds_folder().glob(f"*/{SOURCE_FILE}"))
    return [
        (Path(file.read_text(encoding="utf-8", errors="replace")), file.parent) for file in found
    ]


def keep_build(built: BuiltStrategy, made: Path) -> None:
    """Move a folder of native files to where it is looked for; older ones of the file go."""
    home = built.folder.parent
    home.mkdir(mode=0o700, exist_ok=True)
    (home / SOURCE_FILE).write_text(str(built.source), encoding="utf-8")
    for old in home.iterdir():
        # a desk that runs goes on with the old files, which it has open
        if old.is_dir():
            shutil.rmtree(old)
    (made / SUM_FILE).write_bytes(_sum_of([made / file.name for file in built.files]))
    made.rename(built.folder)


def _sum_of(files: Sequence[Path]) -> bytes:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest().encode()


def _source_folder(source: Path) -> Path:
    place = hashlib.sha256(str(source).encode()).hexdigest()[:8]
    return builds_folder() / f"{source.stem}-{place}"
