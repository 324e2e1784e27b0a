"""Long runs of the core, each in a process of its own.

What memory they hold early on, and at the end.
"""

import gc
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np

SECOND, MINUTE = 1_000_000_000, 60_000_000_000
DAY, HOURS = 86_400 * SECOND, 22_500 * SECOND
OPEN = 1_759_808_700 * SECOND
PACKETS = 200
SPANS = [60, 180, 300, 900, 3600, 86_400]


def now_mb() -> float:
    """Return what this process holds, in MB."""
    line = next(
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )
    return int(line.split()[1]) / 1024


def market(days: int, instruments: int, ticks: int) -> dict[str, object]:
    """Run the market data of some days.

    Frames into the last state of every token, ticks into bars of six spans.

    Every instrument ticks `ticks` times a day; bars are taken when they close, as a desk does.
    """
    ours, frames = import_module("bench_frames"), import_module("compiled.adapters.kite_frames")
    bars, columns = (
        import_module("compiled.market_data.bar_builder").BarBuilder(SPANS),
        frames.LatestTicks(),
    )
    tokens = np.arange(instruments, dtype=np.int64) * 256 + 257
    made = ours.ticks(instruments)
    sent = [
        frames.encode_frame(made[at : at + PACKETS], [frames.FULL] * len(made[at : at + PACKETS]))
        for at in range(0, instruments, PACKETS)
    ]
    price, volume = np.full(instruments, 100.0), np.zeros(instruments, dtype=np.int64)
    rng, told, count = np.random.default_rng(42), [], 0
    for day in range(days):
        begin = OPEN + day * DAY
        bars.begin_session(begin, begin + HOURS)
        volume[:] = 0
        for step in range(ticks):
            at = begin + step * HOURS // ticks
            price += rng.integers(-1, 2, instruments) * 0.05
            volume += rng.integers(0, 50, instruments)
            stamps = np.full(instruments, at, dtype=np.int64)
            bars.feed(tokens.tobytes(), stamps.tobytes(), price.tobytes(), volume.tobytes())
            for frame in sent:
                columns.update(frame, at)
            bars.advance(at)
            count += len(bars.take_bars())
        bars.advance(begin + HOURS)
        count += len(bars.take_bars())
        told.append(now_mb())
    return {"early": told[1], "end": told[-1], "what": f"{count:,} bars"}


def book(messages: int, rounds: int) -> dict[str, object]:
    """Run a book for some rounds of the busy mix, ids counted on.

    Its fills are read and cleared after each.
    """
    ours = import_module("bench_book")
    made = ours.OrderBook(ours.LOW, ours.HIGH)
    stream = ours.messages("busy", messages)
    fresh, trades, told = max(message[3] for message in stream), 0, []
    # what rests at the end of a round is cancelled, as at the end of a day
    sweep = b"".join(
        ours.RECORD.pack(ours.CANCEL, 0, 0, order, 0, 0) for order in range(1, fresh + 1)
    )
    packed = np.frombuffer(
        ours.packed(stream) + sweep, dtype=[("kind", "<u4"), ("id", "<u4"), ("rest", "<u8")]
    )
    for number in range(rounds):
        shifted = packed.copy()
        shifted["id"] += number * fresh
        made.run(shifted.tobytes())
        trades += made.fills()
        made.clear()
        told.append(now_mb())
    return {
        "early": told[1],
        "end": told[-1],
        "what": f"{trades:,} trades",
        "ids": 8 * fresh * (rounds - 2) / 2**20,
    }


def backtests(bars: int, rounds: int) -> dict[str, object]:
    """Run the same backtest again and again and drop each result."""
    ours = import_module("bench_backtest")
    work, told, fills = ours.Workload(1, bars), [], 0
    for _ in range(rounds):
        fills += len(ours.bars(work, ours.cross)[1].fills)
        gc.collect()
        told.append(now_mb())
    return {"early": told[1], "end": told[-1], "what": f"{fills:,} fills"}


CONTENDERS: dict[str, Callable[..., dict[str, object]]] = {
    "market": market,
    "book": book,
    "backtests": backtests,
}
