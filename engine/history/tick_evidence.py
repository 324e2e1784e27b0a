"""The cause of a bar's difference from the broker's, by the recording of the day.

Without a recording the prices alone have to say (`engine.history.golden_bars`); with one every tick
that came is looked at, with the time it came at, and when there was no feed, no desk, or no room
for it in the recording.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, final

import numpy as np
import numpy.typing as npt

from compiled.model.values import SECOND
from engine.history.bar_series import Floats, Ints

LATE, CONFLATED, LETTER, UNSENT = "late ticks", "conflated", "dead letter", "not in the feed"
FEED_AWAY, DESK_AWAY, UNRECORDED = "feed away", "desk away", "not recorded"

GRACE: Final = SECOND
"""The kernel's wait for the last ticks of a bar (`compiled.trading.kernel.KernelSetup`)."""
Row = tuple[float, float, float, float, int]
"""Open, high, low, close in rupees, and the volume of a bar."""


class SeenTicks(NamedTuple):
    """The ticks of a token in the order of their arrival.

    They have the exchange's stamp and receipt (ns UTC), price, and the day's volume. `held` are
    those that waited in a late desk, where a newer one of the token replaces an older.
    """

    ts: Ints
    came: Ints
    price: Floats
    volume: Ints
    held: npt.NDArray[np.bool_]


class RecordingAbsence(NamedTuple):
    """A gap [start, end) ns UTC of the recording; `why` is one of the last three causes."""

    start: int
    end: int
    why: str


@final
class TickEvidence:
    """One token in the recordings of a day."""

    def __init__(self, seen: SeenTicks, absences: Sequence[RecordingAbsence]) -> None:
        self._arrived = order = np.argsort(seen.ts, kind="stable")
        ts, came, price, volume, held = seen
        self._seen = SeenTicks(ts[order], came[order], price[order], volume[order], held[order])
        self._absences = sorted(absences)
        self._most = np.maximum.accumulate(self._seen.volume) if len(order) else self._seen.volume
        """The day's highest volume by each tick, in the exchange's order."""

    def cause(
        self, start: int, end: int, raw: Row | None, vendor: Row, *, last: bool = False
    ) -> str:
        """Return why the bar of [start, end) differs, empty where the prices alone can say.

        With `last` the bar takes the tick at its end, too.
        """
        low, high = np.searchsorted(self._seen.ts, [start, end + last]).tolist()
        # Asked first: where the recording has a hole, no tick that is absent proves anything.
        away = self.absence_cause(start, end)
        if high == low:
            return away or UNSENT
        price = self._seen.price[low:high]
        there = float(price[0]), float(price.max()), float(price.min()), float(price[-1])
        if raw is None:
            return self._unused_cause(low, high, end)
        volumes = raw[:4] == vendor[:4]
        if there[1] > vendor[1] or there[2] < vendor[2]:
            return ""  # what came is not in the vendor's bar: it was left out, or corrected
        if self._traded_volume(low, high) != vendor[4] if volumes else there != vendor[:4]:
            return away or UNSENT
        if volumes and self._came_late(0, low, start):
            return LATE  # what they say was traded before is in this bar
        return self._unused_cause(low, high, end)

    def was_printed(self, start: int, end: int, price: float) -> bool:
        """Return whether a price came, or may have come, with a stamp of [start, end).

        It may have where the recording does not have all of it.
        """
        low, high = np.searchsorted(self._seen.ts, [start, end])
        return bool((self._seen.price[low:high] == price).any()) or bool(
            self.absence_cause(start, end)
        )

    def absence_cause(self, start: int, end: int) -> str:
        """Return why ticks of [start, end) may be missing, empty where all are there.

        Those that came within the grace are included.
        """
        return next(
            (each.why for each in self._absences if each.start < end + GRACE and start < each.end),
            "",
        )

    def _traded_volume(self, low: int, high: int) -> int:
        before = self._most[low - 1] if low else 0
        return int(self._most[high - 1] - before)

    def _unused_cause(self, low: int, high: int, end: int) -> str:
        """Return why ticks that came are not in the bar that ends at `end`."""
        if self._came_late(low, high, end):
            return LATE
        return CONFLATED if bool(self._seen.held[low:high].any()) else LETTER

    def _came_late(self, low: int, high: int, end: int) -> bool:
        """Return whether one of some ticks came when their bar was over.

        That is past the kernel's grace, or after a newer one.
        """
        newer = self._arrived[int(np.searchsorted(self._seen.ts, end)) :]
        # A newer tick closes the bar: what arrives after it is late however little time has passed.
        first = int(newer.min()) if len(newer) else len(self._arrived)
        return bool(
            ((self._seen.came[low:high] >= end + GRACE) | (self._arrived[low:high] > first)).any()
        )
