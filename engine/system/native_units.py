"""Native units: modules that mypyc compiles together, and that call each other's natively.

`setup.py` makes the core by it; run as a program it makes a strategy's unit beside that core.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

CORE: Final = "patang_core"
IDENTITY: Final = "native_core.txt"
"""Beside the modules of a native core: of what it was made."""
# Set, CFLAGS take the place of Python's own: without the first two every access to a list or
# bytes is asserted, and an overflow is undefined. A fused multiply-add would make compiled
# floats differ from interpreted ones. Without the last gcc inlines nothing across the functions
# of one module, and a frame takes 1.4 times as long.
FLAGS: Final = "-O3 -DNDEBUG -fwrapv -ffp-contract=off -fno-semantic-interposition"
CORE_OPTIONS: Final = ("--strict",)
# An author's own functions must be typed, or there is nothing to compile; the rest is his affair.
AUTHOR_OPTIONS: Final = ("--config-file=", "--follow-imports=silent", "--disallow-untyped-defs")


def core_sources(root: Path) -> list[str]:
    """Return the files of the core below a folder, by their names from there."""
    found = (root / "compiled").rglob("*.py")
    return sorted(str(path.relative_to(root)) for path in found)


def core_identity(root: Path) -> str:
    """Return what a native core made here would be: its mypyc, and a hash of its sources.

    Raise `PackageNotFoundError` without mypyc.
    """
    sha = hashlib.sha256()
    for name in core_sources(root):
        sha.update(name.encode() + b"\0" + (root / name).read_bytes() + b"\0")
    return f"{version('mypy')} {sha.hexdigest()}\n"


def generate_units(
    units: Sequence[tuple[list[str], str]], options: Sequence[str], folder: str
) -> list[list[Any]]:
    """Write the C of units of files, each with its name, and return the extensions of each.

    Faults of the files are printed, and end the process.
    """
    # only a native build needs the compiler
    from mypyc import build  # noqa: PLC0415
    from mypyc.options import CompilerOptions  # noqa: PLC0415

    chosen = CompilerOptions(separate=True, target_dir=folder)
    # Separate units export what others call. mypyc then gives up direct calls within a unit, as a
    # class might have a subclass elsewhere; ours say by `allow_interpreted_subclasses` which have.
    chosen.global_opts = True
    files = [file for names, _ in units for file in names]
    # what it remembers of the core would name the subclasses of the last strategy
    with tempfile.TemporaryDirectory() as cache:
        groups, made, _ = build.mypyc_build(
            [*options, f"--cache-dir={cache}", *files],
            chosen,
            separate=[(names, name) for names, name in units],
        )
    build.setup_mypycify_vars()
    os.environ["CFLAGS"] = f"{os.environ.get('CFLAGS', '')} {FLAGS}"
    # notes for a debugger take a seventh of the compiler's time
    flags = build.get_cflags(compiler_type="unix", opt_level="3", debug_level="0")
    by_name = {
        name: build.build_using_shared_lib(sources, str(name), cfiles, deps, folder, flags, [])
        for (sources, name), (cfiles, deps) in zip(groups, made, strict=True)
    }
    return [by_name[name] for _, name in units]


def build_beside_core(module: str, file: str) -> None:
    """Build `module`.py of this folder, which stands for an author's file, into `native` here.

    The folder has the core's sources.
    """
    from setuptools import setup  # noqa: PLC0415  see above

    core, own = generate_units(
        [(core_sources(Path()), CORE), ([f"{module}.py"], f"{module}_unit")], AUTHOR_OPTIONS, "c"
    )
    del core
    # a traceback names the author's file
    text = Path(own[0].sources[0])
    text.write_text(text.read_text().replace(f'"{module}.py"', json.dumps(file)))
    setup(
        ext_modules=own,
        script_args=["--quiet", "build_ext", "--build-lib", "native", "--build-temp", "temp"],
    )
    shutil.rmtree("temp")


if __name__ == "__main__":
    build_beside_core(sys.argv[1], sys.argv[2])
