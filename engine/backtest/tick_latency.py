"""Latencies of a backtest on ticks: of orders, reports and ticks."""

from typing import Final, NamedTuple

from compiled.venue.latency import LatencyJitter


class TickLatency(NamedTuple):
    """Latencies, ns: an order's and a report's at `least`, a tick's to the desk (`feed`).

    Beyond the least an order or a report takes up to `most`, or on the average `mean`, drawn by a
    `seed`; an order alone takes `later` besides.
    """

    least: int = 0
    most: int = 0
    mean: int = 0
    seed: int = 1
    feed: int = 0
    later: int = 0

    def jitter(self) -> LatencyJitter | None:
        """Return what is drawn beyond the least, from the beginning."""
        return LatencyJitter(self.most, self.mean, self.seed) if self.most or self.mean else None


INSTANT: Final = TickLatency()
