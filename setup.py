"""Compile the core as one unit; PATANG_NATIVE=0 leaves it to the interpreter."""

import os
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))  # an installer runs this file from elsewhere

from engine.system.native_units import (  # noqa: E402  see above
    CORE,
    CORE_OPTIONS,
    IDENTITY,
    core_identity,
    core_sources,
    generate_units,
)


class CoreBuild(build_ext):
    """Build the core, and leave beside it of what it was made."""

    def run(self) -> None:
        """Build it."""
        super().run()
        if self.extensions:
            beside = Path(self.build_lib, "compiled", IDENTITY)
            beside.write_text(core_identity(ROOT), encoding="utf-8")


def extensions() -> list[object]:
    """Return the native modules, or none where they are not wanted."""
    if os.environ.get("PATANG_NATIVE", "1") == "0":
        return []
    return generate_units([(core_sources(ROOT), CORE)], CORE_OPTIONS, "build")[0]


setup(ext_modules=extensions(), cmdclass={"build_ext": CoreBuild})
