"""Replays: the shortcut against the long way, a naive loop to the paisa, both builds, refusals.

Rules 22 to 26.
"""

import json
import os
import random
import struct
import subprocess
import sys
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

import compiled
from compiled.accounting.charges import ChargeRates, ChargeRow
from compiled.backtest.backtest import run_bars, run_ticks
from compiled.backtest.bar_loop import BarReplay
from compiled.backtest.recording import BarColumns, RecordedSessions, TickColumns
from compiled.backtest.sample_strategy import SmaCross
from compiled.market_data.depth_block import pack_depth
from compiled.model.events import OperatorAct, OperatorInstruction, TickBatch, TimerEvent
from compiled.model.exchange_rules import TriggerDistance
from compiled.model.values import MINUTE, NEVER, SECOND, Instrument, Product, Side, Tick
from compiled.trading.desk_state import StrategyState
from compiled.trading.kernel import Kernel, KernelSetup
from compiled.trading.ladder import LadderPlan, RungPlan
from compiled.trading.risk import RiskLimits
from compiled.trading.strategy import Strategy
from compiled.venue.instrument_venue import PercentSlabs, VenueRules
from compiled.venue.slippage import FixedTicks, Slippage, VolumeShare
from compiled.venue.venue import SimulatedVenue
from tests.reference.replay import LongWay

OPEN = 1_759_808_700 * SECOND
DAY = 86_400 * SECOND
LENGTH = 375 * MINUTE
ROOT = Path(__file__).resolve().parents[3]
PERCENT = 10_000_000  # of a turnover, in billionths


def rates(segment="EQ_DELIVERY", tax=PERCENT // 10):
    """Return STT 0.1 % both ways, brokerage 0.03 %, 18 % GST on it."""
    rows = {"brokerage": 3 * PERCENT // 100, "tax": tax, "gst": 18 * PERCENT}
    row = {
        name: ChargeRow(name, segment, "NSE", 0, 99991231, rate, rate)
        for name, rate in rows.items()
    }
    none = [
        ChargeRow(name, segment, "NSE", 0, 99991231, 0, 0)
        for name in ("txn", "ipft", "sebi", "stamp")
    ]
    return ChargeRates(row["brokerage"], row["tax"], none[0], none[1], none[2], none[3], row["gst"])


def desk(
    strategies,
    tokens,
    slippage=None,
    spans=(60,),
    limits=None,
    grace=0,
    nets=False,
    apart=False,
    **rules,
):
    """Return a kernel and a venue of that many instruments; cash ₹10 crore.

    `nets`: what closes on its day is cheaper. `apart`: each strategy has one of the tokens.
    """
    instruments = [Instrument(token, "NSE", f"S{token}", 0.05) for token in tokens]
    setup = KernelSetup(
        OPEN, OPEN + LENGTH, 10**10, limits or RiskLimits(), list(spans), grace=grace
    )
    charged = {
        8 * token + product: rates() for token in tokens for product in (Product.CNC, Product.MIS)
    }
    if nets:
        charged |= {
            8 * token + Product.MIS: rates("EQ_INTRADAY", PERCENT // 80) for token in tokens
        }
    kernel = Kernel(
        setup,
        instruments,
        [
            StrategyState(strategy, [tokens[index]] if apart else list(tokens))
            for index, strategy in enumerate(strategies)
        ],
        charged,
    )
    slabs = PercentSlabs([100.0, 500.0], [2.0, 1.0, 0.5])
    return kernel, SimulatedVenue(
        instruments,
        VenueRules(slabs, slabs, trigger_distance=TriggerDistance(0.25), **rules),
        slippage or Slippage(),
    )


def walk(seed, tokens, minutes, days=1, holes=0.0):
    """Return rows (token, start, open, high, low, close, volume) of a random walk on the grid."""
    rng = random.Random(seed)
    price = {token: rng.randrange(1_500, 20_000) for token in tokens}
    rows = []
    for day in range(days):
        for minute in range(minutes):
            for token in tokens:
                if rng.random() < holes and (day or minute):
                    continue
                begun = price[token] + rng.randrange(-8, 9)
                close = begun + rng.randrange(-25, 26)
                high, low = (
                    max(begun, close) + rng.randrange(15),
                    min(begun, close) - rng.randrange(15),
                )
                price[token] = max(close, 500)
                shown = [round(ticks * 0.05, 2) for ticks in (begun, high, low, close)]
                rows.append(
                    (token, OPEN + day * DAY + minute * MINUTE, *shown, rng.randrange(200, 50_000))
                )
    return rows


def columns(rows, tokens, seen=0):
    """Return rows as columns."""
    slot = {token: index for index, token in enumerate(tokens)}
    rows = sorted(rows, key=lambda row: (row[1], slot[row[0]]))
    packed = [struct.pack(f"<{len(rows)}q", *(slot[row[0]] for row in rows))]
    for index, letter in ((1, "q"), (2, "d"), (3, "d"), (4, "d"), (5, "d"), (6, "q")):
        packed.append(struct.pack(f"<{len(rows)}{letter}", *(row[index] for row in rows)))
    return BarColumns(list(tokens), *packed, seen=seen)


def days(count):
    return [(OPEN + day * DAY, OPEN + day * DAY + LENGTH) for day in range(count)]


def sessions(count=1):
    return RecordedSessions(
        [begun for begun, _ in days(count)], [close for _, close in days(count)]
    )


class Restless(Strategy):
    """Asks for something at random times: single positions, ladders, shorts, exits."""

    def __init__(self, seed, span=60, every=0, ticks=False, stop=1.5):
        super().__init__(f"restless{seed}", span, every, ticks)
        self.rng = random.Random(seed)
        self.stop = stop
        self.bars = []
        self.ticks = []

    def on_bar(self, ctx, bar):
        self.bars.append(bar)
        self.act(ctx, bar.token)

    def on_tick(self, ctx, tick):
        self.ticks.append((tick.token, tick.ts, tick.ltp, tick.volume))
        if self.rng.random() < 0.02:
            self.act(ctx, tick.token)

    def on_timer(self, ctx, ts):
        for token in list(ctx.instruments):
            self.act(ctx, token)

    def act(self, ctx, token):
        draw = self.rng.random()
        if draw < 0.03:
            ctx.enter(
                token,
                Side.BUY,
                20_000_00,
                self.stop,
                2.0 * self.stop if self.rng.random() < 0.5 else 0.0,
            )
        elif draw < 0.05:
            plan = LadderPlan(
                [RungPlan(0.0, 2.5, 3.0), RungPlan(0.25, 2.5), RungPlan(0.5, 4.0)],
                10_000_00,
                trail_step_percent=0.1,
            )
            ctx.ladder(token, Side.BUY, plan, "climb")
        elif draw < 0.065:
            ctx.exit(token, "enough")


class Intraday(Restless):
    """Goes long and short within the day, at prices of its own, and changes its mind."""

    def act(self, ctx, token):
        draw, instrument, last = self.rng.random(), ctx.instrument(token), ctx.ltp(token)
        if last <= 0.0:
            return
        target = 1.0 if self.rng.random() < 0.5 else 0.0
        if draw < 0.04:
            side = Side.BUY if self.rng.random() < 0.5 else Side.SELL
            ctx.enter(token, side, 20_000_00, self.stop, target, Product.MIS)
        elif draw < 0.08:
            price = instrument.snap(last * 0.998)
            ctx.buy(token, 50, self.stop, price=price, product=Product.MIS, target_percent=target)
        elif draw < 0.11:
            ctx.sell(
                token,
                50,
                self.stop,
                trigger=instrument.snap(last * 0.997),
                product=Product.MIS,
                trail=False,
            )
        elif draw < 0.2:
            for order in ctx.orders(token):
                if draw < 0.17:
                    ctx.modify(
                        order,
                        price=instrument.snap(last * 0.999) if order.price else 0.0,
                        quantity=60,
                    )
                else:
                    ctx.cancel(order)
        elif draw < 0.215:
            ctx.exit(token, "enough")


SET_UPS = {
    "intraday, long and short": {
        "strategies": lambda: [Intraday(20, stop=0.6), Intraday(21, span=300)],
        "spans": (60, 300),
    },
    "stops that trail": {"strategies": lambda: [Restless(1)]},
    "many strategies on many spans": {
        "strategies": lambda: [
            Restless(2),
            Restless(3, span=300),
            Restless(4, span=900, every=120),
        ],
        "spans": (60, 300, 900),
    },
    "ticks of the path": {"strategies": lambda: [Restless(5, ticks=True), Restless(6)]},
    "no stops": {"strategies": lambda: [Restless(7, stop=0.0)]},
    "a share of the volume": {
        "strategies": lambda: [Restless(8)],
        "slippage": lambda: VolumeShare(0.002, 0.1),
    },
    "a limit that halts": {
        "strategies": lambda: [Restless(9)],
        "slippage": lambda: FixedTicks(2),
        "limits": lambda: RiskLimits(
            max_daily_loss=1_500_00, max_positions=4, max_consecutive_losses=6
        ),
    },
}


@pytest.mark.parametrize("name", SET_UPS)
@pytest.mark.parametrize("seed", [11, 12])
def test_23_the_shortcut_gives_what_the_long_way_gives(name, seed):
    tokens = (257, 513, 769)
    rows = walk(seed, tokens, 180, days=2, holes=0.3)
    made = []
    for _ in range(2):
        given = {key: value() if callable(value) else value for key, value in SET_UPS[name].items()}
        made.append((given["strategies"], *desk(tokens=tokens, **given)))
    (short, kernel, venue), (long, reference, other) = made
    result = run_bars(kernel, venue, columns(rows, tokens), 60, sessions(2))
    way = LongWay(reference, other)
    way.run(rows, 60, days(2))
    assert len(result.fills) > 15
    assert result.digest == reference.digest()
    assert list(zip(result.times, result.equity, strict=True)) == way.curve
    assert result.ledger.net == reference.ledger.net
    assert [vars_of(strategy) for strategy in short] == [vars_of(strategy) for strategy in long]


def vars_of(strategy):
    """Return everything a strategy has heard."""
    return [
        (b.token, b.start, b.span, b.open, b.high, b.low, b.close, b.volume, b.ticks)
        for b in strategy.bars
    ], strategy.ticks


def test_22_an_entry_is_protected_in_the_bar_whose_open_filled_it():
    class Once(Strategy):
        def on_bar(self, ctx, bar):
            if bar.start == OPEN:
                ctx.enter(bar.token, Side.BUY, 10_000_00, 2.5, trail=False)

    kernel, venue = desk([Once("once", 60)], (257,))
    rows = [
        (257, OPEN, 100.0, 100.5, 99.5, 100.0, 1_000),
        (257, OPEN + MINUTE, 101.0, 101.5, 98.0, 99.0, 1_000),
        (257, OPEN + 2 * MINUTE, 99.0, 99.5, 98.5, 99.0, 1_000),
    ]
    result = run_bars(kernel, venue, columns(rows, (257,)), 60, sessions())
    # bought at the open of 101; the stop 2.5 % below on the grid is 98.45 and its bar falls to 98
    assert [(f.order.side, f.quantity, f.price, f.ts) for f in result.fills] == [
        (Side.BUY, 100, 101.0, OPEN + MINUTE),
        (Side.SELL, 100, 98.45, OPEN + MINUTE + 40 * SECOND),
    ]


@pytest.mark.parametrize("begun", [100.0, 101.0], ids=["at the first third", "with the open"])
def test_2_a_rung_that_is_reached_early_in_a_bar_enters_at_the_next_open(begun):
    class Once(Strategy):
        def on_bar(self, ctx, bar):
            if bar.start == OPEN:
                plan = LadderPlan(
                    [RungPlan(0.0, 5.0), RungPlan(0.5, 5.0)], 10_000_00, Product.CNC, trail=False
                )
                ctx.ladder(bar.token, Side.BUY, plan, "once")

    kernel, venue = desk([Once("once", 60)], (257,))
    rows = [
        (257, OPEN, 100.0, 100.0, 100.0, 100.0, 1_000),
        (257, OPEN + MINUTE, 100.0, 100.0, 100.0, 100.0, 1_000),
        (257, OPEN + 2 * MINUTE, begun, 101.0, 99.0, 100.0, 1_000),
        (257, OPEN + 3 * MINUTE, 100.1, 100.1, 100.1, 100.1, 1_000),
    ]
    result = run_bars(kernel, venue, columns(rows, (257,)), 60, sessions())
    assert [(f.order.side, f.price, f.ts) for f in result.fills] == [
        (Side.BUY, 100.0, OPEN + MINUTE),
        (Side.BUY, 100.1, OPEN + 3 * MINUTE),
    ]


def naive(rows, fast, slow, quantity):
    """Return (trades, P&L in paise) of a cross of averages, long only, charged by a day's note."""
    closes, trades, held, wanted, above = [], [], False, None, None
    cash, turnover, brokerage = Decimal(0), Decimal(0), Decimal(0)
    for _, start, begun, _, _, close, _ in rows:
        if wanted is not None:
            value = Decimal(str(begun)) * quantity
            brokerage += (value * Decimal("0.0003")).quantize(Decimal("0.01"), ROUND_HALF_UP)
            turnover += value
            cash += -value if wanted else value
            trades.append((start, 1 if wanted else -1, begun))
            held, wanted = wanted, None
        closes.append(Decimal(str(close)))
        if len(closes) < slow:
            continue
        now = sum(closes[-fast:]) * slow > sum(closes[-slow:]) * fast
        if above is not None and now != above and now != held:
            wanted = now
        above = now
    if held:
        cash += Decimal(str(rows[-1][5])) * quantity
    tax = (
        (turnover * Decimal("0.001"))
        .quantize(Decimal("0.01"), ROUND_HALF_UP)
        .quantize(Decimal(1), ROUND_HALF_UP)
    )
    gst = 2 * (brokerage * Decimal("0.09")).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return trades, int((cash - brokerage - tax - gst) * 100)


class InterpretedCross(Strategy):
    """The twin of `SmaCross` in plain Python."""

    def __init__(self, fast, slow, quantity):
        super().__init__("cross", 60)
        self.fast, self.slow, self.quantity = fast, slow, quantity
        self.closes, self.above = {}, {}

    def on_bar(self, ctx, bar):
        closes = self.closes.setdefault(bar.token, [])
        closes.append(round(bar.close * 10_000))
        if len(closes) < self.slow:
            return
        above = sum(closes[-self.fast :]) * self.slow > sum(closes[-self.slow :]) * self.fast
        was = self.above.get(bar.token)
        self.above[bar.token] = above
        if was is None or was == above:
            return
        if above:
            ctx.enter(bar.token, Side.BUY, 0, 0.0, trail=False, quantity=self.quantity)
        elif ctx.position(bar.token):
            ctx.exit(bar.token)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_cross_of_averages_trades_as_a_naive_loop_does_to_the_paisa(seed):
    rows = walk(seed, (257,), 370)
    trades, net = naive(rows, 5, 12, 100)
    assert len(trades) > 10
    for strategy in (SmaCross("cross", 60, 5, 12, 100), InterpretedCross(5, 12, 100)):
        kernel, venue = desk([strategy], (257,))
        result = run_bars(kernel, venue, columns(rows, (257,)), 60, sessions())
        assert [(f.ts, int(f.order.side), f.price) for f in result.fills] == trades
        assert result.ledger.net == net


def test_compiled_and_interpreted_twins_trade_alike_on_many_instruments():
    tokens = (257, 513, 769, 1025)
    rows = walk(4, tokens, 370, holes=0.05)
    results = []
    for strategy in (SmaCross("cross", 60, 5, 12, 100), InterpretedCross(5, 12, 100)):
        kernel, venue = desk([strategy], tokens)
        results.append(run_bars(kernel, venue, columns(rows, tokens), 60, sessions()))
    assert len(results[0].fills) > 50
    assert results[0].digest == results[1].digest


def test_a_long_run_keeps_of_what_is_over_nothing_but_its_fills():
    tokens = (257, 513, 769)
    kernel, venue = desk([Restless(21), SmaCross("cross", 60, 3, 7, 10, 0.5)], tokens)
    result = run_bars(
        kernel, venue, columns(walk(21, tokens, 370, days=8), tokens), 60, sessions(8)
    )
    assert len(result.fills) > 1_500
    kept = [
        kernel.state.rungs,
        kernel.state.owners,
        kernel.order_store.orders,
        kernel.order_store.gtts,
        kernel.order_store.by_gtt_id,
    ]
    kept += [
        kernel.order_store.by_tag,
        kernel.order_store.by_order_id,
        kernel.order_reports.applied,
        kernel.decisions.fresh,
        kernel.state.changed_rungs,
    ]
    assert max(map(len, kept)) < 300


def test_a_bare_position_has_no_gtt_and_is_not_counted_as_naked():
    rows = walk(1, (257,), 370)
    kernel, venue = desk([SmaCross("cross", 60, 5, 12, 100)], (257,))
    result = run_bars(kernel, venue, columns(rows, (257,)), 60, sessions())
    assert kernel.order_store.next_intent == 1 + len(result.fills)  # every intent was an order
    assert kernel.view.naked() == 0


class Planned(Strategy):
    """Enters and leaves with given bars of its span, counted from 0."""

    def __init__(self, span, enters, leaves, stop):
        super().__init__("planned", span)
        self.enters, self.leaves, self.stop, self.count = enters, leaves, stop, -1

    def on_bar(self, ctx, bar):
        self.count += 1
        if self.count == self.enters:
            ctx.enter(bar.token, Side.BUY, 10_000_00, self.stop, trail=False)
        elif self.count == self.leaves:
            ctx.exit(bar.token)


def traded(result):
    return [(fill.order.side, fill.price, fill.ts) for fill in result.fills]


@pytest.mark.parametrize("stop", [0.0, 5.0])
@pytest.mark.parametrize("other", [(), (300,)])
def test_2_what_is_asked_with_a_day_trades_at_the_next_open(stop, other):
    rows = [
        (257, OPEN + k * DAY, 100.0 + k, 102.0 + k, 99.0 + k, 101.0 + k, 1_000) for k in range(5)
    ]
    kernel, venue = desk(
        [Planned(86_400, 0, 2, stop), *(Restless(1, span) for span in other)],
        (257,),
        spans=(86_400,),
    )
    result = run_bars(kernel, venue, columns(rows, (257,)), 86_400, sessions(5))
    assert traded(result) == [(Side.BUY, 101.0, OPEN + DAY), (Side.SELL, 103.0, OPEN + 3 * DAY)]
    # 101 is also the close of the first day, by which the size was reckoned: ₹ 10,000 / 101 = 99
    # shares
    assert [fill.quantity for fill in result.fills] == [99, 99]


def test_2_a_day_built_of_minutes_is_acted_upon_at_the_next_open_too():
    rows = walk(3, (257,), 375, days=3)
    kernel, venue = desk([Planned(86_400, 0, 1, 0.0)], (257,), spans=(60, 86_400))
    result = run_bars(kernel, venue, columns(rows, (257,)), 60, sessions(3))
    assert traded(result) == [
        (Side.BUY, rows[375][2], OPEN + DAY),
        (Side.SELL, rows[750][2], OPEN + 2 * DAY),
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_23_days_give_what_the_long_way_gives(seed):
    tokens = (257, 513, 769)
    rng = random.Random(seed)
    rows = [
        (row[0], OPEN + index // 3 * DAY, *row[2:])
        for index, row in enumerate(walk(seed, tokens, 120))
        if rng.random() > 0.1 or index < 3
    ]
    made = [
        desk(
            [Restless(5), Restless(6, 86_400, stop=0.0), Restless(7, 86_400)],
            tokens,
            spans=(86_400,),
        )
        for _ in "ab"
    ]
    result = run_bars(*made[0], columns(rows, tokens), 86_400, sessions(120))
    way = LongWay(*made[1])
    way.run(rows, 86_400, days(120))
    assert len(result.fills) > 10
    assert result.digest == made[1][0].digest()
    assert list(zip(result.times, result.equity, strict=True)) == way.curve


@pytest.mark.parametrize("span", [60, 3_600])
@pytest.mark.parametrize("stop", [0.0, 20.0])
def test_25_an_exit_asked_with_the_last_bar_of_a_session_leaves_at_the_next_open(span, stop):
    starts = range(OPEN, OPEN + LENGTH, span * SECOND)
    last = len(starts) - 1
    rows = [
        (257, start + day * DAY, 100.0 + day, 100.5 + day, 99.5 + day, 100.0 + day, 1_000)
        for day in (0, 1)
        for start in starts
    ]
    kernel, venue = desk([Planned(span, 1, last, stop)], (257,), spans=(span,))
    result = run_bars(kernel, venue, columns(rows, (257,)), span, sessions(2))
    assert traded(result) == [(Side.BUY, 100.0, starts[2]), (Side.SELL, 101.0, OPEN + DAY)]


def test_25_a_session_ends_its_orders_and_lifts_the_halt_of_the_day_before():
    class Daily(Strategy):
        def __init__(self):
            super().__init__("daily", 60)
            self.held = []

        def on_bar(self, ctx, bar):
            self.held.append(ctx.position(bar.token))
            ctx.enter(bar.token, Side.BUY, 10_000_00, 5.0)

    rows = [
        (257, OPEN + day * DAY + m * MINUTE, 100.0, 100.0, 100.0, 100.0, 10)
        for day in (0, 1)
        for m in (0, 1, 2)
    ]
    rows[2] = (257, OPEN + 2 * MINUTE, 96.0, 96.0, 96.0, 96.0, 10)
    strategy = Daily()
    kernel, venue = desk([strategy], (257,), limits=RiskLimits(max_daily_loss=100_00))
    result = run_bars(kernel, venue, columns(rows, (257,)), 60, sessions(2))
    assert strategy.held == [0, 100, 100, 100, 100, 100]
    assert not kernel.state.halted
    assert result.equity[2] < -400_00


def test_determinism_the_same_run_gives_the_same_digest():
    tokens = (257, 513)
    rows = walk(21, tokens, 200)
    digests = set()
    for _ in range(3):
        kernel, venue = desk([Restless(1)], tokens)
        digests.add(run_bars(kernel, venue, columns(rows, tokens), 60, sessions()).digest)
    assert len(digests) == 1


# ticks


def tape(seed, tokens, count, depth):
    """Return rows (token, ts, ltp, volume, depth) of a random market with five levels a side."""
    rng = random.Random(seed)
    ticks = {token: rng.randrange(1_800, 2_200) for token in tokens}
    day = dict.fromkeys(tokens, 0)
    rows, ts = [], OPEN
    for _ in range(count):
        ts += rng.randrange(0, 2 * SECOND // len(tokens))
        token = rng.choice(tokens)
        ticks[token] += rng.choice((-6, -3, -2, -1, 0, 0, 0, 1, 2, 3, 6))
        day[token] += rng.choice((0, 0, 10, 100, 500))
        best = ticks[token]
        bids = [(round((best - n) * 0.05, 2), rng.randrange(1, 400), 1) for n in range(1, 6)]
        asks = [(round((best + n) * 0.05, 2), rng.randrange(1, 400), 1) for n in range(5)]
        rows.append(
            (
                token,
                ts,
                round(best * 0.05, 2),
                day[token],
                pack_depth(token, bids, asks) if depth else b"",
            )
        )
    return rows


def tick_columns(rows, tokens):
    slots = struct.pack(f"<{len(rows)}q", *(tokens.index(row[0]) for row in rows))
    packed = [
        struct.pack(f"<{len(rows)}{letter}", *(row[k] for row in rows))
        for k, letter in ((1, "q"), (2, "d"), (3, "q"))
    ]
    return TickColumns(list(tokens), slots, *packed, b"".join(row[4] for row in rows))


def by_events(kernel, venue, rows):
    """Drive the same day by events alone, as rule 26 says it."""

    def tell(event, now):
        venue.take_commands(kernel.handle(event), now)

    def hear(until):
        while True:
            venue.advance(until)
            if venue.due > until:
                return
            due = venue.due
            tell(venue.next_event(), due)

    kernel.begin_session(OPEN, OPEN + LENGTH)
    venue.begin_session(OPEN, OPEN + LENGTH)
    tell(OperatorInstruction(OPEN, OperatorAct.READY), OPEN)
    timer = OPEN
    for token, ts, ltp, volume, depth in [*rows, (0, OPEN + LENGTH - 1, 0.0, 0, b"")]:
        while timer <= ts:
            hear(timer)
            tell(TimerEvent(timer), timer)
            hear(timer)
            timer += SECOND
        hear(ts - 1)
        if token:
            bid, ask = (
                (struct.unpack_from(">i", depth, at)[0] / 100.0 for at in (4, 64))
                if depth
                else (0.0, 0.0)
            )
            tick = Tick(token, ts, ltp, volume, bid=bid, ask=ask, depth=depth)
            venue.meet_tick(tick)
            tell(TickBatch(ts, [tick]), ts)
            hear(ts)
    hear(OPEN + LENGTH)
    tell(TimerEvent(OPEN + LENGTH), OPEN + LENGTH)
    venue.end_session(OPEN + LENGTH)
    hear(NEVER - 1)
    tell(TimerEvent(OPEN + LENGTH + SECOND), OPEN + LENGTH + SECOND)
    hear(NEVER - 1)


@pytest.mark.parametrize("depth", [True, False])
@pytest.mark.parametrize("latency", [0, 30_000_000])
@pytest.mark.parametrize("ticks", [True, False])
def test_26_run_ticks_gives_what_the_events_give(depth, latency, ticks):
    tokens = (257, 513)
    rows = tape(31, tokens, 6_000, depth)
    made = [
        desk(
            [Restless(41, ticks=ticks)],
            tokens,
            grace=SECOND,
            to_exchange=latency,
            from_exchange=latency,
        )
        for _ in range(2)
    ]
    result = run_ticks(*made[0], tick_columns(rows, tokens), sessions())
    by_events(*made[1], rows)
    assert len(result.fills) > 10
    assert result.digest == made[1][0].digest()
    assert result.ledger.net == made[1][0].ledger.net


def test_26_a_tick_is_heard_before_the_fill_it_brings():
    heard = []

    class Watcher(Strategy):
        def on_tick(self, ctx, tick):
            heard.append((tick.ltp, ctx.position(tick.token)))
            if tick.ltp == 100.0:
                ctx.enter(tick.token, Side.BUY, 10_000_00, 5.0)

    kernel, venue = desk([Watcher("watcher", 60, wants_ticks=True)], (257,))
    rows = [
        (257, OPEN + k * SECOND, ltp, 10 + 10 * k, b"")
        for k, ltp in enumerate((100.0, 101.0, 102.0))
    ]
    run_ticks(kernel, venue, tick_columns(rows, (257,)), sessions())
    assert heard == [(100.0, 0), (101.0, 0), (102.0, 100)]


# what is refused


def test_bars_in_parts_replay_as_bars_in_one():
    tokens = (257, 513)
    rows = walk(7, tokens, 370)
    told = []
    for sizes in ((740,), (2, 500, 238)):
        kernel, venue = desk([Restless(21), SmaCross("cross", 60, 3, 7, 10)], tokens)
        parts, at = [], 0
        for size in sizes:
            parts.append(columns(rows[at : at + size], tokens, seen=2 if at else 0))
            at += size
        replay = BarReplay(kernel, venue, parts[0], 60, sessions())
        for part in parts:
            replay.turn_to(part)
            replay.advance(part.count, True)
        replay.finish()
        told.append((kernel.digest(), [*replay.equity]))
    assert told[0] == told[1]
    assert len(told[0][1]) == 370
    assert len(kernel.order_store.fills) > 20


def test_bars_out_of_order_are_refused_by_row():
    rows = walk(1, (257,), 3)
    good = columns(rows, (257,))
    starts = struct.pack("<3q", rows[0][1], rows[2][1], rows[1][1])
    with pytest.raises(ValueError, match="row 2: not in order"):
        BarColumns(
            [257], good.slots, starts, good.opens, good.highs, good.lows, good.closes, good.volumes
        )


@pytest.mark.parametrize("high", [99.0, float("nan"), -1.0])
def test_prices_that_are_no_bar_are_refused_by_row(high):
    with pytest.raises(ValueError, match="row 0: these prices are no bar"):
        columns([(257, OPEN, 100.0, high, 98.0, 100.0, 1)], (257,))


def test_a_bar_outside_every_session_is_refused():
    kernel, venue = desk([], (257,))
    with pytest.raises(ValueError, match="lies in no session"):
        run_bars(
            kernel, venue, columns([(257, OPEN - 1, 1.0, 1.0, 1.0, 1.0, 1)], (257,)), 60, sessions()
        )


def test_a_kernel_that_waits_for_late_ticks_is_refused():
    kernel, venue = desk([], (257,), grace=SECOND)
    with pytest.raises(ValueError, match="grace must be 0"):
        run_bars(kernel, venue, columns(walk(1, (257,), 2), (257,)), 60, sessions())


def test_ticks_that_go_back_in_time_are_refused_by_row():
    rows = [(257, OPEN + 5, 1.0, 1, b""), (257, OPEN, 1.0, 1, b"")]
    with pytest.raises(ValueError, match="row 1: older"):
        tick_columns(rows, (257,))


def test_sessions_that_overlap_are_refused():
    with pytest.raises(ValueError, match="session 1"):
        RecordedSessions([0, 5], [10, 20])


# both builds, and real bars

SCRIPT = """
import json, compiled
from tests.compiled.backtest.test_replay import *
tokens = (257, 513, 769)
kernel, venue = desk([Restless(1), Restless(2, span=300)], tokens, spans=(60, 300))
bars = run_bars(kernel, venue, columns(walk(5, tokens, 300, holes=0.1), tokens), 60, sessions())
kernel, venue = desk([Restless(3, ticks=True)], tokens, grace=SECOND, to_exchange=5_000_000)
ticks = run_ticks(kernel, venue, tick_columns(tape(6, tokens, 3_000, True), tokens), sessions())
print(json.dumps([compiled.NATIVE, bars.digest, len(bars.fills), ticks.digest, len(ticks.fills)]))
"""


def test_both_builds_give_the_same_digest():
    native = Path(compiled.__file__).parent.parent if compiled.NATIVE else ROOT / "build" / "native"
    if not list(native.glob("compiled/backtest/*.so")):
        pytest.skip(f"no native build of this core in {native}: make native")
    answers = []
    for first in (native, ROOT):
        environment = {**os.environ, "PYTHONPATH": f"{first}{os.pathsep}{ROOT}"}
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            capture_output=True,
            text=True,
            env=environment,
            cwd=first,
            check=True,
            timeout=100,
        )
        answers.append(json.loads(run.stdout))
    assert [answer[0] for answer in answers] == [True, False]
    assert answers[0][1:] == answers[1][1:]
    assert answers[0][2] > 20
    assert answers[0][4] > 5
