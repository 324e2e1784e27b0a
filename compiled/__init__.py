"""The deterministic core: decisions without clock, socket, disk, thread or random number."""

from compiled.model import values

NATIVE: bool = not (values.__file__ or ".py").endswith(".py")
"""True where this process runs the native build, False where it runs the plain files."""
