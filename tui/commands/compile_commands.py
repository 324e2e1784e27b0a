"""`patang compile`: a strategy's file as native code that calls the core natively."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter

import compiled
from compiled.indicators.price import Indicator
from compiled.trading.strategy import Strategy
from engine.backtest.run_identity import ROOT
from engine.errors import ConfigError, DataError, OperatorError, PatangError, in_words
from engine.exit_codes import DONE, FAILED
from engine.numbers import counted
from engine.system import native_units
from engine.system.private_files import make_private
from engine.texts import plain_text
from strategies import failure_text
from strategies.native_strategies import (
    BuiltStrategy,
    build_of,
    build_remark,
    builds_folder,
    keep_build,
    kept_builds,
    running_core,
)
from strategies.strategy_sources import load_file, user_folder
from tui.commands.shared.options import RowsAsJson
from tui.commands.shared.text_tables import print_table
from tui.native_core import MEND

LINKED: Final = ("compiled", "engine", "strategies")
"""What an author's imports lead to, for the types."""
TOLD: Final = 20
"""Faults of a file that are shown."""


def compile_strategy(
    file: Annotated[
        str, Parameter(help="A file of yours, or the name of one in your folder of strategies.")
    ] = "",
    *,
    listed: Annotated[
        bool, Parameter(name="--list", negative="", help="List what is compiled.")
    ] = False,
    clear: Annotated[bool, Parameter(negative="", help="Remove all that is compiled.")] = False,
    as_json: RowsAsJson = False,
) -> int:
    """Compile a strategy: whatever runs it then runs native code, with the same results."""
    if sum((bool(file), listed, clear)) != 1:
        raise ConfigError("compile: expected a file, --list or --clear")
    if clear:
        count, home = len(kept_builds()), builds_folder()
        try:
            if home.exists():
                shutil.rmtree(home)
        except OSError as error:
            raise OperatorError(f"cannot remove {home}: {in_words(error)}") from None
        sys.stderr.write(f"removed what was compiled of {counted(count, 'file')}\n")
        return DONE
    if listed:
        return _list_builds(as_json=as_json)
    path = Path(file).expanduser() if file.endswith(".py") else user_folder() / f"{file}.py"
    _check_tools()
    try:
        source = load_file(path)
    # ours are in one line already, and ctrl-c is the operator's
    except (PatangError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise ConfigError(f"{path} cannot be run: {failure_text(error)}") from error
    if mixed := next(mixed_classes(source), ""):
        raise ConfigError(f"{path} is not compiled: {mixed}")
    begun = time.perf_counter()
    if faults := _build_native(build_of(path), source):
        for fault in faults[:TOLD]:
            sys.stderr.write(plain_text(fault) + "\n")
        raise ConfigError(f"{path} is not compiled: {counted(len(faults), 'fault')}")
    sys.stderr.write(plain_text(f"{path}: compiled in {time.perf_counter() - begun:.0f} s") + "\n")
    return DONE


def _list_builds(*, as_json: bool) -> int:
    rows = [
        {
            "source": str(source),
            "state": "gone" if not source.is_file() else "old" if build_remark(source) else "runs",
            "kB": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) // 1024,
        }
        for source, folder in kept_builds()
    ]
    if not rows and not as_json:
        sys.stderr.write("nothing is compiled: see patang compile FILE\n")
        return FAILED
    print_table(rows, as_json=as_json)
    return DONE


def _check_tools() -> None:
    """Raise `ConfigError`, with the mend, where something is missing to compile with."""
    if not compiled.NATIVE:
        raise ConfigError(f"the core runs interpreted, and a strategy runs as the core: {MEND}")
    try:
        here = native_units.core_identity(ROOT)
    except PackageNotFoundError:
        here = ""
    wanted = running_core().partition(" ")[0]
    if not wanted:
        raise ConfigError(f"the native core does not say of what it was made: {MEND}")
    if here.partition(" ")[0] != wanted or find_spec("setuptools") is None:
        raise ConfigError(
            f"compile: mypy {wanted}, which made the core, and setuptools are needed: "
            f'pip install "mypy[mypyc]=={wanted}" setuptools'
        )
    # another layout of the core's objects would be read at the wrong places
    if here != running_core():
        raise ConfigError(f"the native core is older than compiled/: {MEND}")
    if shutil.which(os.environ.get("CC", "cc").partition(" ")[0]) is None:
        raise ConfigError("compile: there is no C compiler: install gcc, or set CC")


def _build_native(built: BuiltStrategy, source: ModuleType) -> list[str]:
    """Build it and keep it; return the faults of the file instead, a line for each."""
    home = builds_folder()
    make_private(home, "name another folder in XDG_CACHE_HOME")
    try:
        with tempfile.TemporaryDirectory(dir=home) as place:
            folder = Path(place)
            # names below the working folder are what mypyc calls modules by
            for name in LINKED:
                (folder / name).symlink_to(ROOT / name)
            text = built.source.read_text(encoding="utf-8")
            (folder / f"{built.plain}.py").write_text(text, encoding="utf-8")
            (folder / f"{built.module}.py").write_text(
                without_structs(text, built.plain, source), encoding="utf-8"
            )
            script = [sys.executable, "-P", native_units.__file__, built.module, str(built.source)]
            done = subprocess.run(script, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  our own script
            # before the exit code, which is the same for faults of types and of the compiler
            if faults := list(type_faults(done.stdout + done.stderr, built)):
                return faults
            if done.returncode:
                log = home / "build.log"
                log.write_text(done.stdout + done.stderr, encoding="utf-8")
                said = next(re.finditer("error: .*", done.stderr), None)
                why = said[0] if said else (done.stderr.splitlines() or ["no word"])[-1]
                # a compiler without a word leaves the whole of how it was called
                why = re.sub(r"Command '\[.*\]'", "the C compiler", why)
                raise DataError(f"{built.source} cannot be compiled: {why}; see {log}")
            # its key is of what it was when the work began
            if built.source.read_text(encoding="utf-8") != text or build_of(built.source) != built:
                raise DataError(f"{built.source} has changed meanwhile: compile it again")
            keep_build(built, folder / "native")
    except OSError as error:
        raise OperatorError(f"cannot write in {home}: {in_words(error)}") from None
    return []


def mixed_classes(source: ModuleType) -> Iterator[str]:
    """Yield classes of a source that mypyc makes wrong: it calls past an interpreted base."""
    for kind in vars(source).values():
        if not isinstance(kind, type) or kind.__module__ != source.__name__:
            continue
        if not issubclass(kind, Strategy | Indicator):
            continue
        # mypyc binds `super()` to the nearest native base, whatever stands between
        for base in kind.__mro__[1:-1]:
            if base.__module__ != source.__name__ and not base.__module__.startswith("compiled."):
                yield f"{base.__name__}, of which {kind.__name__} is made, runs interpreted"


def without_structs(text: str, plain: str, source: ModuleType) -> str:
    """Return a source whose structs are imported from the module of its plain file, line by line.

    mypyc keeps no metadata of annotations: compiled, parameters would have lost their bounds.
    """
    lines = text.splitlines()
    for node in ast.parse(text).body:
        if not isinstance(node, ast.ClassDef):
            continue
        kind = getattr(source, node.name, None)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1
            last = node.end_lineno or node.lineno
            # faults and tracebacks name lines of the author's file
            lines[first:last] = [""] * (last - first)
            lines[first] = f"from {plain} import {node.name} as {node.name}"
    return "\n".join(lines) + "\n"


def type_faults(said: str, built: BuiltStrategy) -> Iterator[str]:
    """Yield what mypy found wrong, by the author's own file and line."""
    for line in said.splitlines():
        found = re.match(rf"{built.module}\.py:(\d+):(?:\d+:)? error: (.*)", line)
        if found:
            yield f"{built.source}:{found[1]}: {found[2]}"
