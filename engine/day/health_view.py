"""The desk's health on the board: pulses, the feed by instrument, and how long each step takes."""

from typing import TYPE_CHECKING, Final

from compiled.model.values import SECOND
from engine.board.feed_view import FeedView, MinuteCounts
from engine.board_rows import ATTENTION, GOOD, WRONG, LatencyRow, PulseRow
from engine.day.desk_pulses import OpeningFacts, all_pulses
from engine.ops.health_sources import HealthSources, PulseReading
from engine.system.latency_histogram import LatencyHistogram, octave_counts, quantile

if TYPE_CHECKING:
    from engine.day.day_loop import DayLoop

RECENT: Final = 60 * SECOND
"""The recent times of a step are those of one to two of these."""


class HealthView:
    """Writes its sections of the board, once a second of the machine's time."""

    def __init__(self, loop: "DayLoop") -> None:
        self.facts = OpeningFacts()
        self.sources = HealthSources()
        self._loop = loop
        self._feed = FeedView(
            loop.board_writer,
            loop.kernel,
            loop.kernel_view.stale_after,
            lambda: MinuteCounts(loop.gaps.lost_by_token, loop.gaps.healed_by_token),
        )
        self._due = 0
        self._since: dict[str, tuple[str, int, int]] = {}
        """State of each pulse, since when by the desk's clock, and by the machine's."""
        self._rotated = 0
        self._old: dict[str, list[int]] = {}
        self._older: dict[str, list[int]] = {}
        """Counts of each step a minute or less ago, and a minute before."""

    def publish(self, now: int, steady: int) -> None:
        """Bring pulses and times up to date, once a second, and a part of the feed's rows.

        `steady` is monotonic ns.
        """
        self._feed.publish(now, steady)
        if steady < self._due:
            return
        self._due = steady + SECOND
        # A recorder or a server of bars may not be there: its row goes with it.
        writer, kept = self._loop.board_writer, set[object]()
        for reading in all_pulses(self._loop, self.facts, self.sources, now, steady):
            kept.add(reading.name)
            writer.put(writer.board.pulses, reading.name, self._pulse_row(reading, now, steady))
        writer.keep(writer.board.pulses, kept)
        self._publish_times(steady)

    def _pulse_row(self, reading: PulseReading, now: int, steady: int) -> PulseRow:
        name = reading.name
        ill = reading.state != GOOD
        before, since, begun = self._since.get(name, ("", now, steady))
        # A fault goes on while its degree changes: since when it is ill is what is asked.
        if not before or ill != (before != GOOD):
            since, begun = now, steady
        state = reading.state
        if state == WRONG and (steady - begun) / SECOND < reading.patience_s:
            state = ATTENTION
        self._since[name] = (state, since, begun)
        return PulseRow(name, state, reading.figure, since, reading.mend if ill else "")

    def _publish_times(self, steady: int) -> None:
        steps = self._loop.times.steps
        # Two marks, so that what is recent never shrinks to nothing when one is set.
        if steady - self._rotated >= RECENT:
            self._rotated = steady
            self._older = self._old
            self._old = {name: list(each.counts) for name, each in steps.items()}
        writer = self._loop.board_writer
        for name, histogram in steps.items():
            row = _latency_row(name, histogram, self._older.get(name, []))
            writer.put(writer.board.latencies, name, row)


def _latency_row(name: str, histogram: LatencyHistogram, older: list[int]) -> LatencyRow:
    counts, most = list(histogram.counts), histogram.most
    fresh = [now - then for now, then in zip(counts, older, strict=True)] if older else counts
    return LatencyRow(
        name,
        octave_counts(counts),
        number=sum(counts),
        p50=quantile(counts, 0.5, most),
        p90=quantile(counts, 0.9, most),
        p99=quantile(counts, 0.99, most),
        most=most,
        recent=quantile(fresh, 0.99, most),
    )
