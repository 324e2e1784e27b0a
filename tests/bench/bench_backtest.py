"""Measure backtests through the whole kernel: bars with a compiled and an interpreted strategy, ticks with depth.

`run()` returns the figures; run it as a script for JSON. The peers' workload is `Workload`: a random walk of one-minute
bars, a cross of the averages of 10 and 30 closes, 100 shares at the next bar's open.
"""

import json
import struct
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import compiled
from compiled.charges import Rates, Row
from compiled.floor import Rules, Slabs
from compiled.kernel import Kernel, Setup, Slot
from compiled.model import MINUTE, SECOND, Bar, Instrument, Product, Side
from compiled.recording import BarColumns, Sessions, TickColumns
from compiled.replay import Result, run_bars, run_ticks
from compiled.risk import Limits
from compiled.samples import SmaCross
from compiled.slippage import Slippage
from compiled.strategy import Context, Strategy
from compiled.venue import Venue

START = 1_759_808_700 * SECOND
FAST, SLOW, QUANTITY = 10, 30, 100
CASH = 10_000_000_000_00


class Workload:
    """Bars of `symbols` instruments on one clock: arrays of shape (bars, symbols), prices in rupees on a 0.05 grid."""

    def __init__(self, symbols: int, bars: int, seed: int = 42) -> None:
        rng = np.random.default_rng(seed)
        close = 40_000 + np.cumsum(rng.integers(-8, 9, (bars, symbols)), axis=0)
        opened = np.vstack([close[:1], close[:-1] + rng.integers(-2, 3, (bars - 1, symbols))])
        high = np.maximum(opened, close) + rng.integers(0, 6, (bars, symbols))
        low = np.minimum(opened, close) - rng.integers(0, 6, (bars, symbols))
        self.symbols, self.bars = symbols, bars
        self.open, self.high, self.low, self.close = (
            np.round(column * 0.05, 2) for column in (opened, high, low, close)
        )
        self.volume: NDArray[np.int64] = rng.integers(1_000, 100_000, (bars, symbols))
        self.start = START + np.arange(bars, dtype=np.int64) * MINUTE
        self.tokens = [(n + 1) * 256 + 1 for n in range(symbols)]

    def columns(self) -> BarColumns:
        """Return the bars as the replay takes them."""
        slots = np.tile(np.arange(self.symbols, dtype=np.int64), self.bars)
        starts = np.repeat(self.start, self.symbols)
        prices = (self.open.tobytes(), self.high.tobytes(), self.low.tobytes(), self.close.tobytes())
        return BarColumns(self.tokens, slots.tobytes(), starts.tobytes(), *prices, self.volume.tobytes())

    def sessions(self) -> Sessions:
        """Return one session over everything."""
        return Sessions([START], [START + self.bars * MINUTE])


class Interpreted(Strategy):
    """The same cross in plain Python."""

    def __init__(self) -> None:
        super().__init__("cross", 60)
        self.closes: dict[int, list[int]] = {}
        self.sums: dict[int, list[int]] = {}
        self.above: dict[int, bool] = {}

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        token = bar.token
        closes = self.closes.setdefault(token, [])
        sums = self.sums.setdefault(token, [0, 0])
        close = round(bar.close * 10_000)
        closes.append(close)
        sums[0] += close
        sums[1] += close
        seen = len(closes)
        if seen > FAST:
            sums[0] -= closes[-1 - FAST]
        if seen > SLOW:
            sums[1] -= closes[-1 - SLOW]
            if seen > 4 * SLOW:
                del closes[: seen - SLOW]
        if seen < SLOW:
            return
        above = sums[0] * SLOW > sums[1] * FAST
        was = self.above.get(token, above)
        self.above[token] = above
        if above == was:
            return
        if above:
            ctx.enter(token, Side.BUY, 0, 0.0, trail=False, quantity=QUANTITY)
        elif ctx.position(token):
            ctx.exit(token)


def free(segment: str = "EQ_DELIVERY", percent: float = 0.03) -> Rates:
    """Return a table that charges one brokerage, in percent of the turnover, and nothing else."""
    rate = int(percent * 10_000_000)
    rows = [Row(name, segment, "NSE", 0, 99991231, 0, 0) for name in ("tax", "txn", "ipft", "sebi", "stamp", "gst")]
    return Rates(Row("brokerage", segment, "NSE", 0, 99991231, rate, rate), *rows)


def desk(tokens: list[int], strategies: list[Strategy], end: int) -> tuple[Kernel, Venue]:
    """Return a kernel with these strategies on all instruments, and a venue without slippage."""
    instruments = [Instrument(token, "NSE", f"S{token}", 0.05) for token in tokens]
    setup = Setup(START, end, CASH, Limits(), [60], grace=0)
    rates = {8 * token + Product.CNC: free() for token in tokens}
    kernel = Kernel(setup, instruments, [Slot(strategy, tokens) for strategy in strategies], rates)
    rules = Rules(Slabs([100.0, 500.0], [2.0, 1.0, 0.5]), Slabs([10.0, 100.0, 500.0], [5.0, 3.0, 2.0, 1.0]))
    return kernel, Venue(instruments, rules, Slippage())


def bars(work: Workload, strategy: Callable[[], Strategy]) -> tuple[float, Result]:
    """Return seconds and result of one run."""
    columns, sessions = work.columns(), work.sessions()
    kernel, venue = desk(work.tokens, [strategy()], START + work.bars * MINUTE)
    begun = time.process_time()
    result = run_bars(kernel, venue, columns, 60, sessions)
    return time.process_time() - begun, result


def cross() -> Strategy:
    """Return the compiled strategy."""
    return SmaCross("cross", 60, FAST, SLOW, QUANTITY)


def best(work: Workload, strategy: Callable[[], Strategy], rounds: int) -> dict[str, object]:
    """Return the best of several runs."""
    runs = [bars(work, strategy) for _ in range(rounds)]
    taken = min(seconds for seconds, _ in runs)
    result = runs[0][1]
    count = work.symbols * work.bars
    return {
        "million bars a second": round(count / taken / 1e6, 2),
        "seconds": round(taken, 4),
        "fills": len(result.fills),
        "P&L in paise": int(result.ledger.net),
        "digest": result.digest[:16],
    }


if __name__ == "__main__":
    work = Workload(1, 1_000_000 if compiled.NATIVE else 50_000)
    print(json.dumps(best(work, cross, 3)))
    print(json.dumps(best(work, Interpreted, 1)))
    work = Workload(50, 75_000 if compiled.NATIVE else 1000)
    print(json.dumps(best(work, cross, 1)))
