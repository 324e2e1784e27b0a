"""Tick backtests on one job: 100 shares a minute at the market, against five levels a side.

The book stands still for two seconds around each minute, so that where in that moment an order
arrives makes no difference: the fills must be the same to the tick. One tick is one Kite packet
with ten levels and a trade; hftbacktest reads it as one row a level and one for the trade.
"""

import gc
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version

import numpy as np
from contender import timed
from numpy.typing import NDArray

SECOND = 1_000_000_000
START = 1_759_808_700 * SECOND
EVERY, STEP, LEVELS, QUANTITY, TICK = 60 * SECOND, SECOND // 5, 5, 100, 0.05
Columns = dict[str, NDArray[np.int64]]


def workload(count: int, seed: int = 42) -> Columns:
    """Return ticks five times a second.

    Times, best bids in ticks (asks one above), and ten quantities each.
    """
    rng = np.random.default_rng(seed)
    since = np.arange(count, dtype=np.int64) * STEP
    calm = np.minimum(since % EVERY, EVERY - since % EVERY) <= 2 * SECOND
    moves = np.where(calm, 0, rng.integers(-1, 2, count))
    return {
        "ts": START + since,
        "bid": 20_000 + np.cumsum(moves),
        "quantity": rng.integers(1_000, 50_000, (count, 2 * LEVELS)),
        "traded": rng.integers(1, 500, count),
    }


def levels(ticks: Columns) -> NDArray[np.int64]:
    """Return the ten prices of each tick in ticks, five bids and five asks, best first."""
    away = np.arange(LEVELS)
    return np.concatenate([ticks["bid"][:, None] - away, ticks["bid"][:, None] + 1 + away], axis=1)


def patang(ticks: Columns) -> tuple[Callable[[], float], Callable[[], list[int]], int]:
    """Run the kernel of the live desk on the venue.

    The strategy is plain Python, called once a minute.
    """
    ours, strategies = import_module("bench_backtest"), import_module("compiled.trading.strategy")
    recording, replay = (
        import_module("compiled.backtest.recording"),
        import_module("compiled.backtest.backtest"),
    )
    buy, token = import_module("compiled.model.values").Side.BUY, 257

    class Turn(strategies.Strategy):
        def __init__(self) -> None:
            super().__init__("turn", 60, every=60)

        def on_timer(self, ctx: object, ts: int) -> None:
            if ts == START:
                return
            if ctx.position(token):
                ctx.exit(token)
            else:
                ctx.enter(token, buy, 0, 0.0, trail=False, quantity=QUANTITY)

    count = len(ticks["ts"])
    block = np.zeros(
        (count, 2 * LEVELS),
        dtype=[("quantity", ">i4"), ("price", ">i4"), ("orders", ">i2"), ("pad", ">i2")],
    )
    block["quantity"], block["price"], block["orders"] = ticks["quantity"], levels(ticks) * 5, 1
    columns = [
        np.zeros(count, dtype=np.int64),
        ticks["ts"],
        np.round(ticks["bid"] * TICK, 2),
        np.cumsum(ticks["traded"]),
        block,
    ]
    end = START + (int(ticks["ts"][-1] - START) // EVERY + 1) * EVERY
    made: list[object] = []

    def run() -> float:
        packed = recording.TickColumns([token], *(column.tobytes() for column in columns))
        kernel, venue = ours.desk([token], [Turn()], end)
        sessions = recording.RecordedSessions([START], [end])
        return timed(lambda: made.append(replay.run_ticks(kernel, venue, packed, sessions)))

    return run, lambda: [round(fill.price / TICK) for fill in made[-1].fills], count


def rows(ticks: Columns) -> NDArray[np.void]:
    """Return the ticks as hftbacktest reads them.

    Ten levels, the two that a move left behind, and the trade.
    """
    types = import_module("hftbacktest.types")
    here = types.EXCH_EVENT | types.LOCAL_EVENT
    bids, asks, trade = (
        here | kind
        for kind in (
            types.BUY_EVENT | types.DEPTH_EVENT,
            types.SELL_EVENT | types.DEPTH_EVENT,
            types.SELL_EVENT | types.TRADE_EVENT,
        )
    )
    count, width = len(ticks["ts"]), 2 * LEVELS + 3
    price = levels(ticks)
    before = np.vstack([price[:1], price[:-1]])
    made = np.zeros((count, width), dtype=types.event_dtype)
    made["exch_ts"] = made["local_ts"] = ticks["ts"][:, None]
    move = ticks["bid"] - before[:, 0]
    # what a move leaves behind is emptied first: upwards the last bid and the first ask, downwards
    # the other way round
    made["px"][:, 0] = np.where(move > 0, before[:, LEVELS - 1], before[:, 0])
    made["px"][:, 1] = np.where(move > 0, before[:, LEVELS], before[:, 2 * LEVELS - 1])
    made["ev"][:, 0], made["ev"][:, 1] = bids, asks
    made["px"][:, 2:-1], made["qty"][:, 2:-1] = price, ticks["quantity"]
    made["ev"][:, 2 : 2 + LEVELS], made["ev"][:, 2 + LEVELS : -1] = bids, asks
    made["px"][:, -1], made["qty"][:, -1], made["ev"][:, -1] = ticks["bid"], ticks["traded"], trade
    kept = np.ones((count, width), dtype=bool)
    kept[:, :2] = (move != 0)[:, None]
    return made[kept]


def hftbacktest(ticks: Columns) -> tuple[Callable[[], float], Callable[[], list[int]], int]:
    """Run hftbacktest's hash-map book with its risk-averse queue model, no latency.

    Prices are whole ticks.
    """
    library = import_module("hftbacktest")
    njit = import_module("numba").njit
    data = rows(ticks)
    turns = int(ticks["ts"][-1] - START) // EVERY
    market, gtc = library.MARKET, library.GTC

    @njit
    def turn(hbt: object, prices: NDArray[np.float64]) -> int:
        made = 0
        hbt.elapse(EVERY)
        while made < len(prices):
            depth = hbt.depth(0)
            if made % 2 == 0:
                hbt.submit_buy_order(0, made + 1, depth.best_ask, QUANTITY, gtc, market, False)
            else:
                hbt.submit_sell_order(0, made + 1, depth.best_bid, QUANTITY, gtc, market, False)
            hbt.elapse(SECOND)
            prices[made] = hbt.orders(0).get(made + 1).exec_price
            hbt.clear_inactive_orders(0)
            made += 1
            if hbt.elapse(EVERY - SECOND) != 0:
                break
        return made

    told: list[list[int]] = []

    def run() -> float:
        asset = (
            library.BacktestAsset()
            .data([data])
            .linear_asset(1.0)
            .constant_order_latency(0, 0)
            .risk_adverse_queue_model()
            .no_partial_fill_exchange()
            .tick_size(1.0)
            .lot_size(1.0)
        )
        hbt, prices = library.HashMapMarketDepthBacktest([asset]), np.zeros(turns + 1)
        begin = time.perf_counter()
        made = turn(hbt, prices)
        seconds = time.perf_counter() - begin
        hbt.close()
        told.append([int(price) for price in prices[:made]])
        return seconds

    return run, lambda: told[-1], len(data)


def contender(make: Callable[..., object], package: str) -> Callable[..., dict[str, object]]:
    """Return a contender: first and best run, and its fills in ticks."""

    def run(path: str, rounds: int) -> dict[str, object]:
        gc.disable()  # for all alike: what a backtest makes, it keeps
        once, fills, events = make(dict(np.load(path)))
        first = once()
        warm = min(once() for _ in range(rounds))
        named = version(package) if package else ""
        return {
            "first": first,
            "seconds": warm,
            "fills": fills(),
            "events": events,
            "version": named,
        }

    return run


CONTENDERS = {"patang": contender(patang, ""), "hftbacktest": contender(hftbacktest, "hftbacktest")}
