"""Bars as a run replays them: those of its days on one clock, and the loop over them."""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, final

import numpy as np

from compiled.backtest.backtest import ReplayResult
from compiled.backtest.bar_loop import BarReplay
from compiled.model.values import E4, Instrument
from compiled.trading.kernel import Kernel
from compiled.venue.venue import SimulatedVenue
from engine.backtest.clocked_bars import ReplayColumns, is_on_grid, on_one_clock, shared_clock
from engine.backtest.loaded_bars import LoadedBars
from engine.backtest.traded_market import TradedMarket
from engine.history.bar_series import BarSeries, Floats, Ints
from engine.market.calendar import midnight

# Small enough that ctrl-c is heeded at once.
CHUNK: Final = 5_000
"""Bars between two looks at whether to go on."""


def bars_within(series: BarSeries, opens: Ints, closes: Ints) -> BarSeries:
    """Return the bars that start in one of the sessions [open, close), which are in order."""
    begun, ended = np.searchsorted(series.start, [opens, closes])
    if int((ended - begun).sum()) == len(series.start):
        return series
    at = np.searchsorted(opens, series.start, side="right") - 1
    return series.pick((at >= 0) & (series.start < closes[np.maximum(at, 0)]))


def prices_on_grid(series: BarSeries, tick: float) -> BarSeries:
    """Return the bars with every price on the grid of a tick (₹), as `Instrument.snap` rounds it.

    It rounds half away from zero.
    """
    tick_e4 = round(tick * E4)

    # numpy rounds half to even; the core's `snap` half away from zero.
    def snapped(column: Floats) -> Floats:
        prices: Floats = np.floor(column * E4 / tick_e4 + 0.5) * tick_e4 / E4
        # What many processes map is held once as long as nobody copies it.
        return column if np.array_equal(prices, column) else prices

    return series._replace(
        open=snapped(series.open),
        high=snapped(series.high),
        low=snapped(series.low),
        close=snapped(series.close),
    )


class ReplayBars(NamedTuple):
    """Bars as a run replays them: made once, for any number of runs over the same days.

    `series` are those of the days, on the grid of their instrument, `columns` the same on one
    clock, `warm` those before; `dropped` counts the ones outside a session.
    """

    series: dict[str, BarSeries]
    columns: ReplayColumns
    warm: dict[str, BarSeries]
    dropped: int

    @property
    def grace(self) -> int:
        """Return 0: bars are final, there is no late tick to wait for, as on a desk."""
        return 0

    def traded(self, instruments: Mapping[str, Instrument]) -> list[Instrument]:
        """Return the instruments with a price to be traded at, not in the warm-up alone."""
        return [each for symbol, each in instruments.items() if len(self.series[symbol].start)]

    def spans(self, heard: Collection[int]) -> list[int]:
        """Return the spans of the bars that the kernel builds."""
        return sorted(set(heard))

    def passage(
        self, kernel: Kernel, venue: SimulatedVenue, market: TradedMarket, span: int
    ) -> "BarPassage":
        """Return the loop over these bars, about to begin."""
        return BarPassage(self, kernel, venue, market, span)


@final
class BarPassage:
    """The loop over bars, a part at a time: of `total` bars so many are `done`."""

    def __init__(
        self,
        bars: ReplayBars,
        kernel: Kernel,
        venue: SimulatedVenue,
        market: TradedMarket,
        span: int,
    ) -> None:
        # Within one bar there is no time by which a request could be later than another.
        venue.without_latency()
        self._kernel = kernel
        self._columns = bars.columns
        self._replay = BarReplay(kernel, venue, bars.columns.part(0, 0), span, market.sessions)
        self._replay.reserve_curve(bars.columns.moments)
        self.series = self.met_series = bars.series
        self.remarks: list[str] = []
        self.total = bars.columns.count
        self.done = 0

    @property
    def is_over(self) -> bool:
        """Return whether every bar is done."""
        return self.done == self.total

    @property
    def points(self) -> int:
        """Return how many points the curve has so far."""
        return int(self._replay.points)

    def keep_decisions(self) -> None:
        """Let every decision be kept; bare positions then are positions like others."""
        self._replay.keeps_decisions = True
        # The fast path keeps bare positions in columns, without a decision for each.
        self._replay.fast_path.enabled = False

    def advance(self, most: int) -> None:
        """Replay some bars more, not more than so many but those of one start together."""
        part = self._columns.part(self.done, min(self.done + min(CHUNK, most), self.total))
        self._replay.turn_to(part)
        self._replay.advance(part.count, True)
        self.done += int(part.count)

    @property
    def passed(self) -> int:
        """Return how far it is, of `total`."""
        return self.done

    def finish(self) -> ReplayResult:
        """End the last session; return the result."""
        self._replay.finish()
        return ReplayResult(self._kernel, self._replay, self.total, self._replay.fast_path)


def replay_bars(
    series: Mapping[str, BarSeries],
    market: TradedMarket,
    begins: int = 0,
    known: LoadedBars | None = None,
) -> ReplayBars:
    """Return the bars of a market's days; what starts before `begins` (ns UTC) only warms up.

    `known` are the loaded bars that the series are parts of.
    """
    opens: Ints = np.array(list(market.sessions.opens), np.int64)
    closes: Ints = np.array(list(market.sessions.closes), np.int64)
    begin = max(midnight(market.days[0]), begins)
    replayed: dict[str, BarSeries] = {}
    warm: dict[str, BarSeries] = {}
    dropped = 0
    unchanged = True
    for symbol, bars in series.items():
        first = int(np.searchsorted(bars.start, begin))
        kept = bars_within(bars.pick(slice(first, None)), opens, closes)
        dropped += len(bars.start) - first - len(kept.start)
        tick = float(market.instruments[symbol].tick)
        stands = known is not None and is_on_grid(known.grids.get(symbol, 0), tick)
        replayed[symbol] = kept if stands else prices_on_grid(kept, tick)
        unchanged = unchanged and stands
        warm[symbol] = bars.pick(slice(0, first))
    clocked = None
    if known is not None and known.clock is not None and unchanged:
        clocked = shared_clock(known.clock, replayed)
    clocked = clocked or on_one_clock(replayed)
    tokens = [int(market.instruments[name].token) for name in clocked.names]
    return ReplayBars(replayed, ReplayColumns(clocked, tokens), warm, dropped)
