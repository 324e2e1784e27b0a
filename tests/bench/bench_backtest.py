"""Measure backtests through the whole kernel.

Bars with a compiled and an interpreted strategy, ticks with depth.

`run()` returns the figures; run it as a script for JSON. The peers' workload is `Workload`: a
random walk of one-minute bars, a cross of the averages of 10 and 30 closes, 100 shares at the next
bar's open.
"""

import gc
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import compiled
from compiled.accounting.charges import ChargeRates, ChargeRow
from compiled.backtest.backtest import ReplayResult, run_bars, run_ticks
from compiled.backtest.recording import BarColumns, RecordedSessions, TickColumns
from compiled.backtest.sample_strategy import SmaCross
from compiled.indicators import SMA, Cross, Indicator
from compiled.model.events import CancelOrder, PlaceOrder
from compiled.model.values import (
    MINUTE,
    SECOND,
    Bar,
    Instrument,
    Order,
    OrderPurpose,
    OrderType,
    Product,
    Side,
    Tick,
)
from compiled.trading.desk_state import StrategyState
from compiled.trading.kernel import Kernel, KernelSetup
from compiled.trading.risk import RiskLimits
from compiled.trading.strategy import Context, Strategy
from compiled.venue.instrument_venue import PercentSlabs, VenueRules
from compiled.venue.slippage import Slippage
from compiled.venue.venue import SimulatedVenue
from engine.system.rare_collections import THRESHOLDS

START = 1_759_808_700 * SECOND
FAST, SLOW, QUANTITY = 10, 30, 100
CASH = 10_000_000_000_00


class Workload:
    """Bars of `symbols` instruments on one clock.

    Arrays of shape (bars, symbols), prices in rupees on a 0.05 grid.
    """

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
        prices = (
            self.open.tobytes(),
            self.high.tobytes(),
            self.low.tobytes(),
            self.close.tobytes(),
        )
        return BarColumns(
            self.tokens, slots.tobytes(), starts.tobytes(), *prices, self.volume.tobytes()
        )

    def sessions(self) -> RecordedSessions:
        """Return one session over everything."""
        return RecordedSessions([START], [START + self.bars * MINUTE])


class Interpreted(Strategy):
    """The same cross in plain Python, on the indicators that an author has."""

    def __init__(
        self,
        name: str = "cross",
        span: int = 60,
        fast: int = FAST,
        slow: int = SLOW,
        quantity: int = QUANTITY,
    ) -> None:
        super().__init__(name, span)
        self.quantity = quantity
        self.crosses = defaultdict[int, Cross](lambda: Cross(SMA(fast), SMA(slow)))

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """Compare the averages at each close; act on a crossing only."""
        turn = self.crosses[bar.token].bar(bar)
        if turn == 0.0:
            return
        token = bar.token
        if turn > 0.0:
            ctx.enter(token, Side.BUY, 0, 0.0, trail=False, quantity=self.quantity)
        elif ctx.position(token):
            ctx.exit(token)


class Following(Strategy):
    """The same cross in plain Python, of averages that the desk keeps.

    It hears the bars at which they cross.
    """

    def __init__(
        self,
        name: str = "cross",
        span: int = 60,
        fast: int = FAST,
        slow: int = SLOW,
        quantity: int = QUANTITY,
    ) -> None:
        super().__init__(name, span)
        self.fast, self.slow, self.quantity = fast, slow, quantity
        self.crosses: dict[int, Cross] = {}

    def follow(self, token: int) -> list[Indicator]:
        """Have a cross kept for each instrument."""
        self.crosses[token] = Cross(SMA(self.fast), SMA(self.slow))
        return [self.crosses[token]]

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """Act on a crossing."""
        token = bar.token
        if self.crosses[token].above:
            ctx.enter(token, Side.BUY, 0, 0.0, trail=False, quantity=self.quantity)
        elif ctx.position(token):
            ctx.exit(token)


def free(segment: str = "EQ_DELIVERY", percent: float = 0.03) -> ChargeRates:
    """Return a table that charges one brokerage, in percent of the turnover, and nothing else."""
    rate = int(percent * 10_000_000)
    rows = [
        ChargeRow(name, segment, "NSE", 0, 99991231, 0, 0)
        for name in ("tax", "txn", "ipft", "sebi", "stamp", "gst")
    ]
    return ChargeRates(ChargeRow("brokerage", segment, "NSE", 0, 99991231, rate, rate), *rows)


def desk(
    tokens: list[int], strategies: list[Strategy], end: int, charged: ChargeRates | None = None
) -> tuple[Kernel, SimulatedVenue]:
    """Return a kernel with these strategies on all instruments, and a venue without slippage."""
    instruments = [Instrument(token, "NSE", f"S{token}", 0.05) for token in tokens]
    setup = KernelSetup(START, end, CASH, RiskLimits(), [60], grace=0)
    rates = {8 * token + Product.CNC: charged or free() for token in tokens}
    kernel = Kernel(
        setup, instruments, [StrategyState(strategy, tokens) for strategy in strategies], rates
    )
    rules = VenueRules(
        PercentSlabs([100.0, 500.0], [2.0, 1.0, 0.5]),
        PercentSlabs([10.0, 100.0, 500.0], [5.0, 3.0, 2.0, 1.0]),
    )
    return kernel, SimulatedVenue(instruments, rules, Slippage())


def bars(
    work: Workload, strategy: Callable[[], Strategy], charged: ChargeRates | None = None
) -> tuple[float, ReplayResult]:
    """Return seconds and result of one run."""
    columns, sessions = work.columns(), work.sessions()
    kernel, venue = desk(work.tokens, [strategy()], START + work.bars * MINUTE, charged)
    begun = time.perf_counter()
    result = run_bars(kernel, venue, columns, 60, sessions)
    return time.perf_counter() - begun, result


def cross(fast: int = FAST, slow: int = SLOW) -> Strategy:
    """Return the compiled strategy."""
    return SmaCross("cross", 60, fast, slow, QUANTITY)


def protected() -> Strategy:
    """Return the compiled strategy with a stop at the broker, 2 % below each average price."""
    return SmaCross("cross", 60, FAST, SLOW, QUANTITY, 2.0)


STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "compiled": cross,
    "interpreted": Interpreted,
    "following": Following,
}


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


LEVEL = np.dtype([("quantity", ">u4"), ("price", ">u4"), ("orders", ">u2"), ("pad", ">u2")])


class Tape:
    """Ticks of one instrument with five levels a side, ten a second, on a 0.05 grid."""

    def __init__(self, count: int, seed: int = 42) -> None:
        rng = np.random.default_rng(seed)
        self.count = count
        self.token = 257
        best = 20_000 + np.cumsum(rng.integers(-1, 2, count))
        side = rng.integers(0, 2, count)
        offsets = np.concatenate([-1 - np.arange(5), np.arange(5)])
        depth = np.zeros((count, 10), LEVEL)
        depth["quantity"] = rng.integers(1, 2_000, (count, 10))
        depth["price"] = (best[:, None] + offsets) * 5
        depth["orders"] = 1
        self.depth = depth.tobytes()
        self.time = START + np.arange(count, dtype=np.int64) * (SECOND // 10)
        self.price = np.round((best - side) * 0.05, 2)
        self.volume = np.cumsum(rng.integers(0, 300, count))
        self.end = START + (count // 10 + 60) * SECOND

    def columns(self) -> TickColumns:
        """Return the ticks as the replay takes them."""
        slots = np.zeros(self.count, dtype=np.int64).tobytes()
        return TickColumns(
            [self.token],
            slots,
            self.time.tobytes(),
            self.price.tobytes(),
            self.volume.tobytes(),
            self.depth,
        )


def ticks(tape: Tape, stop: float) -> tuple[float, ReplayResult]:
    """Return seconds and result of the cross on minutes built from ticks, with depth."""
    columns, sessions = tape.columns(), RecordedSessions([START], [tape.end])
    strategy = SmaCross("cross", 60, FAST, SLOW, QUANTITY, stop)
    kernel, venue = desk([tape.token], [strategy], tape.end)
    begun = time.perf_counter()
    result = run_ticks(kernel, venue, columns, sessions)
    return time.perf_counter() - begun, result


def quoting(tape: Tape, every: int) -> tuple[float, int]:
    """Return seconds and reports of a venue with a bid and an offer at the touch, often renewed.

    The ticks are handed in one by one from Python, as objects made beforehand.
    """
    _, venue = desk([tape.token], [], tape.end)
    venue.begin_session(START, tape.end)
    told = [
        Tick(
            tape.token,
            int(ts),
            float(price),
            int(volume),
            depth=tape.depth[row * 120 : row * 120 + 120],
        )
        for row, (ts, price, volume) in enumerate(
            zip(tape.time, tape.price, tape.volume, strict=True)
        )
    ]
    reports, intent, working = 0, 0, list[Order]()
    begun = time.perf_counter()
    for row, tick in enumerate(told):
        if row % every == 0:
            venue.take_commands([CancelOrder(order) for order in working], tick.ts)
            working = []
            for side in (Side.BUY, Side.SELL):
                intent += 1
                order = Order(
                    intent,
                    f"P{intent}",
                    "quote",
                    tape.token,
                    side,
                    QUANTITY,
                    OrderType.LIMIT,
                    Product.MIS,
                    OrderPurpose.ENTRY,
                    round(tick.ltp - side * 0.05, 2),
                )
                venue.take_commands([PlaceOrder(order)], tick.ts)
                working.append(order)
            while venue.has_pending:
                event = venue.next_event()
                reports += 1
                for order in working:
                    if getattr(event, "intent", 0) == order.intent:
                        order.order_id = event.broker_id  # type: ignore[attr-defined]  # an Answer
        venue.meet_tick(tick)
    return time.perf_counter() - begun, reports


def first_result() -> float:
    """Return seconds from the start of a process to the end of a small backtest in it."""
    code = "import bench_backtest as b; b.bars(b.Workload(1, 1_000), b.cross)"
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=__file__.rsplit("/", 1)[0])
    return time.perf_counter() - begun


def run(rounds: int = 3, scale: float = 1.0) -> dict[str, object]:
    """Return the figures, the best of several rounds; `scale` shortens the workloads."""
    gc.set_threshold(*THRESHOLDS)  # as in a backtest's own process
    one, many = Workload(1, int(1_000_000 * scale)), Workload(50, int(75_000 * scale))
    tape = Tape(int(2_000_000 * scale))
    depth = min(ticks(tape, 1.0)[0] for _ in range(rounds))
    quote = Tape(int(300_000 * scale))
    figures: dict[str, object] = {
        "native": compiled.NATIVE,
        "1 symbol, no strategy": best(one, lambda: Strategy("none", 60), rounds),
        "1 symbol, compiled": best(one, cross, rounds),
        "1 symbol, compiled, a stop at the broker": best(one, protected, rounds),
        "1 symbol, interpreted": best(one, Interpreted, rounds),
        "1 symbol, following": best(one, Following, rounds),
        "50 symbols, compiled": best(many, cross, rounds),
        "50 symbols, interpreted": best(many, Interpreted, 1),
        "ticks with depth, through the kernel, million a second": round(
            tape.count / depth / 1e6, 2
        ),
        (
            "ticks with depth, venue alone, a bid and an offer resting, from Python, million a "
            "second"
        ): round(quote.count / min(quoting(quote, 100)[0] for _ in range(rounds)) / 1e6, 2),
        "first result, s": round(min(first_result() for _ in range(rounds)), 3),
    }
    gc.enable()
    return figures


if __name__ == "__main__":
    print(json.dumps(run(scale=1.0 if compiled.NATIVE else 0.01), indent=2))
