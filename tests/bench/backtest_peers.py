"""Backtesters on one job: a cross of the averages of 10 and 30 closes, at the next bar's open.

Each trade is 100 shares, at 0.03 % a side.

Prices are whole ticks, so that every average is exact and two equal ones compare as equal in each
contender; the trades must then be the same to the bar and the tick. `run` of each returns seconds
and round trips; imports are timed apart.
"""

import gc
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from zlib import crc32

import numpy as np
from contender import timed
from numpy.typing import NDArray

FAST, SLOW, QUANTITY, FEE, CASH = 10, 30, 100, 0.0003, 1e13
MINUTE = 60_000_000_000
START = datetime(2025, 10, 7, 3, 45, tzinfo=UTC)
Trip = tuple[int, int, int, int, int]
Columns = dict[str, NDArray[np.int64]]


def averages(close: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both simple averages of whole prices, NaN where there is none yet."""
    total = np.concatenate(([0.0], np.cumsum(close)))
    made = []
    for length in (FAST, SLOW):
        average = np.full(len(close), np.nan)
        average[length - 1 :] = (total[length:] - total[:-length]) / length
        made.append(average)
    return made[0], made[1]


def round_trips(trips: list[Trip]) -> dict[str, int]:
    """Return the number of closed trades, and their checksum.

    A trade is (symbol, entry bar, entry tick, exit bar, exit tick).
    """
    return {"trips": len(trips), "checksum": crc32(repr(sorted(trips)).encode())}


def pair(fills: list[tuple[int, int, int]]) -> list[Trip]:
    """Return the closed trades of a list of fills (symbol, bar, tick).

    Each symbol's enter and leave in turn.
    """
    opened: dict[int, tuple[int, int]] = {}
    trips: list[Trip] = []
    for symbol, bar, tick in fills:
        entry = opened.pop(symbol, None)
        if entry is None:
            opened[symbol] = (bar, tick)
        else:
            trips.append((symbol, *entry, bar, tick))
    return trips


def patang(data: Columns, strategy: str) -> tuple[Callable[[], float], Callable[[], list[Trip]]]:
    """Run our kernel and venue over the same bars, which its own workload makes in rupees.

    A tick is 5 paise.
    """
    ours = import_module("bench_backtest")
    bars, symbols = data["close"].shape
    work = ours.Workload(symbols, bars)
    make = ours.STRATEGIES[strategy]

    def fills() -> list[tuple[int, int, int]]:
        slot = {token: place for place, token in enumerate(work.tokens)}
        return [
            (slot[f.order.token], (f.ts - ours.START) // MINUTE, round(f.price * 20))
            for f in made[-1].fills
        ]

    made: list[object] = []

    def run() -> float:
        seconds, result = ours.bars(work, make)
        made.append(result)
        return seconds

    return run, lambda: pair(fills())


def hand_loop(data: Columns) -> tuple[Callable[[], float], Callable[[], list[Trip]]]:
    """A loop over Python lists, with fees and an equity curve and nothing else.

    The least plain Python can do.
    """
    columns = [
        (data["open"][:, s].tolist(), data["close"][:, s].tolist())
        for s in range(data["close"].shape[1])
    ]
    fills: list[tuple[int, int, int]] = []

    def one(symbol: int, opened: list[int], closes: list[int]) -> None:
        cash, held, fast, slow, was, due = CASH, 0, 0, 0, False, False
        equity = []
        for bar, close in enumerate(closes):
            if due:
                price, due = opened[bar], False
                side = -QUANTITY if held else QUANTITY
                held += side
                cash -= side * price + FEE * QUANTITY * price
                fills.append((symbol, bar, price))
            equity.append(cash + held * close)
            fast += close - (closes[bar - FAST] if bar >= FAST else 0)
            slow += close - (closes[bar - SLOW] if bar >= SLOW else 0)
            above = fast * SLOW > slow * FAST
            if bar >= SLOW and above != was:
                due = above or held > 0
            was = above

    def run() -> float:
        fills.clear()
        return timed(lambda: [one(symbol, *pair) for symbol, pair in enumerate(columns)])

    return run, lambda: pair(fills)


def frame(data: Columns, symbol: int) -> object:
    """Return one symbol's bars as the data frame that backtesting.py and backtrader read."""
    pandas = import_module("pandas")
    index = pandas.date_range(START.replace(tzinfo=None), periods=len(data["close"]), freq="min")
    columns = {
        name.title(): data[name][:, symbol].astype(float)
        for name in ("open", "high", "low", "close")
    }
    return pandas.DataFrame(columns | {"Volume": 1.0}, index=index)


def backtesting_py(data: Columns) -> tuple[Callable[[], float], Callable[[], list[Trip]]]:
    library = import_module("backtesting")

    class Cross(library.Strategy):
        def init(self) -> None:
            fast, slow = averages(self.data.Close)
            self.fast, self.slow = self.I(lambda: fast), self.I(lambda: slow)

        def next(self) -> None:
            if not len(self.data) > SLOW:
                return
            above, was = self.fast[-1] > self.slow[-1], self.fast[-2] > self.slow[-2]
            if above and not was:
                self.buy(size=QUANTITY)
            elif was and not above and self.position:
                self.position.close()

    frames = [frame(data, symbol) for symbol in range(data["close"].shape[1])]
    stats: list[object] = []

    def run() -> float:
        stats.clear()
        return timed(
            lambda: stats.extend(
                library.Backtest(
                    each, Cross, cash=CASH, commission=FEE, finalize_trades=False
                ).run()
                for each in frames
            )
        )

    def trips() -> list[Trip]:
        names = ["EntryBar", "EntryPrice", "ExitBar", "ExitPrice"]
        return [
            (symbol, *(int(value) for value in row))
            for symbol, each in enumerate(stats)
            for row in each["_trades"][names].to_numpy()
        ]

    return run, trips


def backtrader(data: Columns) -> tuple[Callable[[], float], Callable[[], list[Trip]]]:
    library = import_module("backtrader")
    fills: list[tuple[int, int, int]] = []

    class Cross(library.Strategy):
        def __init__(self) -> None:
            closes = [feed.close for feed in self.datas]
            self.pairs = [
                (library.ind.SMA(c, period=FAST), library.ind.SMA(c, period=SLOW)) for c in closes
            ]

        def next(self) -> None:
            if len(self) <= SLOW:
                return
            for feed, (fast, slow) in zip(self.datas, self.pairs, strict=True):
                above, was = fast[0] > slow[0], fast[-1] > slow[-1]
                if above and not was:
                    self.buy(feed, size=QUANTITY)
                elif was and not above and self.getposition(feed).size:
                    self.close(feed)

        def notify_order(self, order: object) -> None:
            if order.status == order.Completed:
                place = next(n for n, feed in enumerate(self.datas) if feed is order.data)
                fills.append((place, len(order.data) - 1, int(order.executed.price)))

    def run() -> float:
        fills.clear()
        cerebro = library.Cerebro(stdstats=False)
        for symbol in range(data["close"].shape[1]):
            cerebro.adddata(library.feeds.PandasData(dataname=frame(data, symbol)))
        cerebro.addstrategy(Cross)
        cerebro.broker.setcash(CASH)
        cerebro.broker.setcommission(FEE)
        return timed(cerebro.run)

    return run, lambda: pair(fills)


def vectorbt(data: Columns) -> tuple[Callable[[], float], Callable[[], list[Trip]]]:
    library, pandas = import_module("vectorbt"), import_module("pandas")
    index = pandas.date_range(START.replace(tzinfo=None), periods=len(data["close"]), freq="min")
    opened, close = (
        pandas.DataFrame(data[name].astype(float), index=index) for name in ("open", "close")
    )
    made: list[object] = []

    def simulate() -> None:
        fast, slow = (library.MA.run(close, length).ma.to_numpy() for length in (FAST, SLOW))
        above = fast > slow
        known = ~np.isnan(slow)
        enter, leave = np.zeros_like(above), np.zeros_like(above)
        # what a close decides is done at the next open
        enter[2:] = above[1:-1] & ~above[:-2] & known[:-2]
        leave[2:] = ~above[1:-1] & above[:-2] & known[:-2]
        portfolio = library.Portfolio.from_signals(
            close, enter, leave, price=opened, size=QUANTITY, fees=FEE, init_cash=CASH, freq="min"
        )
        portfolio.value()
        made[:] = [portfolio]

    def trips() -> list[Trip]:
        records = np.sort(made[0].orders.values, order=["col", "idx"])
        return pair([(int(r["col"]), int(r["idx"]), int(r["price"])) for r in records])

    return lambda: timed(simulate), trips


def nautilus(data: Columns) -> tuple[Callable[[], float], Callable[[], list[Trip]]]:
    """nautilus_trader fills a market order sent from a bar at that bar's close.

    It is fed bars that close at the next open.

    The strategy reads the true closes beside them.
    """
    model, objects = (
        import_module("nautilus_trader.model.data"),
        import_module("nautilus_trader.model.objects"),
    )
    enums, names = (
        import_module("nautilus_trader.model.enums"),
        import_module("nautilus_trader.model.identifiers"),
    )
    engines, config = (
        import_module("nautilus_trader.backtest.engine"),
        import_module("nautilus_trader.config"),
    )
    equity = import_module("nautilus_trader.model.instruments").Equity
    usd = import_module("nautilus_trader.model.currencies").USD
    trading = import_module("nautilus_trader.trading.strategy").Strategy
    average = import_module("nautilus_trader.indicators").SimpleMovingAverage
    bars, symbols = data["close"].shape
    fills: list[tuple[int, int, int]] = []
    venue = names.Venue("NSE")
    fee = Decimal(str(FEE))
    instruments = [
        equity(
            names.InstrumentId(names.Symbol(f"S{s}"), venue),
            names.Symbol(f"S{s}"),
            usd,
            0,
            objects.Price(1, 0),
            objects.Quantity.from_int(1),
            0,
            0,
            maker_fee=fee,
            taker_fee=fee,
        )
        for s in range(symbols)
    ]
    kinds = [model.BarType.from_str(f"{each.id}-1-MINUTE-LAST-EXTERNAL") for each in instruments]
    number = {kind: s for s, kind in enumerate(kinds)}
    slot = {each.id: s for s, each in enumerate(instruments)}
    closes = [data["close"][:, s].astype(float).tolist() for s in range(symbols)]

    class Cross(trading):
        def on_start(self) -> None:
            self.averages = [(average(FAST), average(SLOW)) for _ in kinds]
            self.was = [False] * symbols
            self.seen, self.held = [0] * symbols, [False] * symbols
            for kind in kinds:
                self.subscribe_bars(kind)

        def on_bar(self, bar: object) -> None:
            s = number[bar.bar_type]
            fast, slow = self.averages[s]
            close = closes[s][self.seen[s]]
            fast.update_raw(close)
            slow.update_raw(close)
            self.seen[s] += 1
            above, was = fast.value > slow.value, self.was[s]
            self.was[s] = above
            if self.seen[s] <= SLOW or above == was or not (above or self.held[s]):
                return
            self.held[s] = above
            side = enums.OrderSide.BUY if above else enums.OrderSide.SELL
            order = self.order_factory.market(
                instruments[s].id, side, objects.Quantity.from_int(QUANTITY)
            )
            self.submit_order(order)

        def on_order_filled(self, event: object) -> None:
            s = slot[event.instrument_id]
            fills.append((s, self.seen[s], int(event.last_px)))

    def recorded() -> list[object]:
        opened = data["open"]
        following = np.vstack([opened[1:], data["close"][-1:]])
        high, low = np.maximum(data["high"], following), np.minimum(data["low"], following)
        begin = int(START.timestamp()) * 1_000_000_000
        price, one = objects.Price, objects.Quantity.from_int(1_000_000)
        return [
            model.Bar(
                kinds[s],
                price(opened[bar, s], 0),
                price(high[bar, s], 0),
                price(low[bar, s], 0),
                price(following[bar, s], 0),
                one,
                begin + (bar + 1) * MINUTE,
                begin + (bar + 1) * MINUTE,
            )
            for bar in range(bars)
            for s in range(symbols)
        ]

    rows = recorded()

    def run() -> float:
        fills.clear()
        settings = config.BacktestEngineConfig(
            logging=config.LoggingConfig(bypass_logging=True),
            risk_engine=config.RiskEngineConfig(bypass=True),
        )
        engine = engines.BacktestEngine(settings)
        engine.add_venue(
            venue,
            enums.OmsType.NETTING,
            enums.AccountType.MARGIN,
            [objects.Money(1e10, usd)],
            base_currency=usd,
        )
        for each in instruments:
            engine.add_instrument(each)
        engine.add_data(rows)
        engine.add_strategy(Cross())
        seconds = timed(engine.run)
        engine.dispose()
        return seconds

    return run, lambda: pair(fills)


def contender(
    make: Callable[..., object], package: str, **fixed: object
) -> Callable[..., dict[str, object]]:
    """Return a contender: first and best run, round trips, and what its import took."""

    def run(path: str, rounds: int) -> dict[str, object]:
        data = dict(np.load(path))
        gc.disable()  # for all alike: what a backtest makes, it keeps
        begin = time.perf_counter()
        once, trips = make(data, **fixed)
        ready = time.perf_counter() - begin
        first = once()
        warm = min([once() for _ in range(rounds - 1)], default=first)
        told = round_trips(trips())
        return told | {
            "first": first,
            "seconds": warm,
            "ready": ready,
            "version": version(package) if package else "",
        }

    return run


def first_result(path: str) -> dict[str, object]:
    """Return the seconds from this process's start to the result of a compiled run."""
    ours = import_module("bench_backtest")
    bars = int(Path(path, "bars").read_text())
    names = ("slots", "starts", "open", "high", "low", "close", "volume")
    tokens = [257]
    columns = ours.BarColumns(tokens, *(Path(path, name).read_bytes() for name in names))
    end = ours.START + bars * MINUTE
    kernel, venue = ours.desk(tokens, [ours.cross()], end)
    result = ours.run_bars(kernel, venue, columns, 60, ours.RecordedSessions([ours.START], [end]))
    return {"seconds": since_start(), "fills": len(result.fills)}


def since_start() -> float:
    """Return how long this process has lived, to a hundredth of a second."""
    born = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19]) / os.sysconf(
        "SC_CLK_TCK"
    )
    return float(Path("/proc/uptime").read_text().split()[0]) - born


CONTENDERS = {
    "patang, compiled strategy": contender(patang, "", strategy="compiled"),
    "patang, Python strategy": contender(patang, "", strategy="interpreted"),
    "patang, Python strategy that follows": contender(patang, "", strategy="following"),
    "first result": first_result,
    "hand-written loop": contender(hand_loop, ""),
    "vectorbt": contender(vectorbt, "vectorbt"),
    "backtesting.py": contender(backtesting_py, "backtesting"),
    "backtrader": contender(backtrader, "backtrader"),
    "nautilus_trader": contender(nautilus, "nautilus_trader"),
}
