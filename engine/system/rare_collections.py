"""Garbage collections of a run that keeps what it makes: few of them."""

import contextlib
import gc
from collections.abc import Iterator
from typing import Final

# At Python's own 700 new objects a collection, those of a year of minutes with a stop at the broker
# take a sixth of its run, and find nothing: orders and fills refer to each other and are kept.
THRESHOLDS: Final = (500_000, 10, 1_000)


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """Have the collector come seldom within the block; the cycles of an author's own still go."""
    before = gc.get_threshold()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
