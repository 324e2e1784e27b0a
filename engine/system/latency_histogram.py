"""Histogram of times with a bounded error and a fixed size, cheap enough for a hot path."""

from array import array
from collections.abc import Sequence
from typing import Final, final

# Eight parts of an octave keep a percentile within a sixteenth of the truth.
PARTS: Final = 8
LOWEST: Final = 11
"""Bits of the first octave: all below 2,048 ns counts as that."""
OCTAVES: Final = 27
"""Up to 137 s; longer times count there."""


@final
class LatencyHistogram:
    """Counts of times by eighths of octaves, and the longest of them."""

    __slots__ = ("counts", "most")

    def __init__(self) -> None:
        self.counts = array("q", bytes(8 * PARTS * OCTAVES))
        self.most = 0
        """ns."""

    def add(self, ns: int) -> None:
        """Count a time."""
        self.most = max(self.most, ns)
        octave = ns.bit_length() - LOWEST
        # What is below the first octave is noise of the clock, and a clock set back gives less.
        if octave < 0 or ns < 0:
            self.counts[0] += 1
        elif octave >= OCTAVES:
            self.counts[-1] += 1
        else:
            self.counts[octave * PARTS + (ns >> octave + LOWEST - 4 & 7)] += 1


def quantile(counts: Sequence[int], share: float, most: int) -> int:
    """Return the time (ns) below which a share of all lies, 0 for none; never above `most`."""
    left = share * sum(counts)
    if not left:
        return 0
    for index, count in enumerate(counts):
        left -= count
        # A sum of shares is not exact: a thousandth of a count is none.
        if left <= 1e-3:
            octave, part = divmod(index, PARTS)
            # The middle of the part.
            return min((2 * (PARTS + part) + 1) << octave + LOWEST - 5, most)
    return most


def octave_counts(counts: Sequence[int]) -> tuple[int, ...]:
    """Return the counts of whole octaves."""
    return tuple(sum(counts[at : at + PARTS]) for at in range(0, len(counts), PARTS))
