"""Compile the core as one unit; PATANG_NATIVE=0 leaves it to the interpreter."""

import os
from pathlib import Path

from setuptools import setup


def extensions() -> list[object]:
    """Return the native modules, or none where they are not wanted."""
    if os.environ.get("PATANG_NATIVE", "1") == "0":
        return []
    from mypyc.build import mypycify  # noqa: PLC0415  only a native build needs the compiler

    # Set, CFLAGS take the place of Python's own: without the first two every access to a list or
    # bytes is asserted, and an overflow is undefined. A fused multiply-add would make compiled
    # floats differ from interpreted ones. Without the last gcc inlines nothing across the functions
    # of one module, and a frame takes 1.4 times as long.
    flags = "-O3 -DNDEBUG -fwrapv -ffp-contract=off -fno-semantic-interposition"
    os.environ["CFLAGS"] = f"{os.environ.get('CFLAGS', '')} {flags}"
    sources = sorted(str(path) for path in Path("compiled").rglob("*.py"))
    # notes for a debugger take a seventh of the compiler's time
    return list(
        mypycify(["--strict", *sources], opt_level="3", debug_level="0", group_name="patang_core")
    )


setup(ext_modules=extensions())
