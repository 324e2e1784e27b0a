"""The native core beside the sources it was built from: whether it still fits them."""

from importlib.util import find_spec
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent / "compiled"
MEND = "run make native"


def is_old() -> bool:
    """Return whether the running native core is older than the sources beside it."""
    found = find_spec("compiled")
    running = Path(found.origin or "").resolve() if found is not None else CHECKOUT
    if (
        # an interpreted core is its sources, and an installed one has none beside it to be older
        # than
        running.suffix == ".py"
        or running.parent == CHECKOUT
        or not CHECKOUT.is_dir()
        or not running.is_file()
    ):
        return False
    built = running.stat().st_mtime
    return any(source.stat().st_mtime > built for source in CHECKOUT.rglob("*.py"))


def core_fault(error: Exception) -> str:
    """Return the mend where an unforeseen error comes of a native core that does not fit."""
    words = " ".join(f"{type(error).__name__}: {error}".split())
    if is_old():
        return f"the native core is older than compiled/: {MEND} ({words})"
    # another library that is missing is none of the core's faults
    broken = isinstance(error, ImportError) and (
        "__mypyc" in words or (error.name or "").startswith("compiled")
    )
    return f"the native core cannot be loaded: {MEND} ({words})" if broken else ""
