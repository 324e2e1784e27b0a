"""Backtests: recorded bars or ticks through one kernel and one venue (`docs/fills.md`)."""

from typing import final

from mypy_extensions import i64

from compiled.accounting.ledger import Ledger
from compiled.backtest.bar_loop import BarReplay
from compiled.backtest.fast_path import FastPath
from compiled.backtest.recording import BarColumns, RecordedSessions, TickColumns
from compiled.backtest.session_loop import RungRecord, SessionLoop
from compiled.backtest.tick_loop import TickReplay
from compiled.trading.kernel import Kernel
from compiled.trading.order_store import BookedFill
from compiled.venue.venue import SimulatedVenue


@final
class ReplayResult:
    """The result of a run: its fills, its ledger, the digest, and the P&L after charges over time.

    `times` are ns UTC, `equity` paise; both are packed and have the buffer interface. `rows` counts
    the replayed ones. `notes` are the lines of each session's contract notes (`DayNotes.lines`),
    `rungs` have the facts that fills do not.
    """

    def __init__(
        self, kernel: Kernel, stage: SessionLoop, rows: i64, bare: FastPath | None = None
    ) -> None:
        self._made: list[BookedFill] = kernel.order_store.fills
        self._bare = bare
        self.ledger: Ledger = kernel.ledger
        self.digest: str = kernel.digest()
        self.rows = rows
        self.times = stage.times
        self.equity = stage.equity
        self.notes: list[list[int]] = stage.notes
        self.rungs: list[RungRecord] = stage.rungs

    @property
    def fills(self) -> list[BookedFill]:
        """Return the fills, in order.

        Those of bare positions are made when they are first asked for.
        """
        if self._bare is not None:
            self._bare.make_fills()
        return self._made


def run_bars(
    kernel: Kernel,
    venue: SimulatedVenue,
    bars: BarColumns,
    span: i64,
    sessions: RecordedSessions,
    curve: bool = True,
) -> ReplayResult:
    """Replay bars of `span` seconds (86400: one a session) and return the result.

    Latencies do not apply inside bars: the venue's are set to zero.
    `kernel.market_feed.closed_bars` is not filled. Raises `ValueError` for a kernel whose bars wait
    for late ticks, and for a bar outside every session.
    """
    if kernel.market_feed.grace != 0:
        raise ValueError("recorded bars wait for no late ticks: KernelSetup.grace must be 0")
    venue.without_latency()
    replay = BarReplay(kernel, venue, bars, span, sessions)
    replay.run(curve)
    return ReplayResult(kernel, replay, bars.count, replay.fast_path)


def run_ticks(
    kernel: Kernel,
    venue: SimulatedVenue,
    ticks: TickColumns,
    sessions: RecordedSessions,
    every: i64 = 60,
) -> ReplayResult:
    """Replay ticks and return the result, with a point of the curve every so many seconds.

    With 0 there is none. Raises `ValueError` for a tick outside every session.
    """
    replay = TickReplay(kernel, venue, ticks.tokens, sessions, every)
    replay.run(ticks)
    return ReplayResult(kernel, replay, ticks.count)
