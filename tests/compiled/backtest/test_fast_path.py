"""Bare positions in columns: kernel, venue, ledger and strategy end as on the long way."""

import random

import pytest

from compiled.backtest.backtest import run_bars
from compiled.backtest.bar_loop import BarReplay
from compiled.backtest.fast_path import COUNTED_LIMITS, FastPath, counts_limits
from compiled.backtest.sample_strategy import SmaCross
from compiled.model.values import MINUTE, Product, Side
from compiled.trading.risk import (
    LIMITS,
    LimitScope,
    LimitUnit,
    RefusalReason,
    RiskLimit,
    RiskLimits,
)
from compiled.trading.strategy import Strategy
from compiled.venue.slippage import FixedTicks, VolumeShare
from tests.compiled.backtest.test_replay import OPEN, columns, days, desk, sessions, walk
from tests.reference.replay import LongWay

ONE = (257,)
THREE = (257, 513, 769)


class Bares(Strategy):
    """Enters and leaves bare positions at random.

    Now and then it looks at them, cancels, or wants a stop.
    """

    def __init__(self, seed, every=0, look=0.0, stops=0.0, products=(Product.CNC, Product.NRML)):
        super().__init__(f"bare{seed}", 60, every)
        self.rng = random.Random(seed)
        self.look, self.stops, self.products = look, stops, products
        self.seen = []

    def on_bar(self, ctx, bar):
        self.act(ctx, bar.token)
        self.seen.append(
            (bar.token, bar.start, bar.close, ctx.position(bar.token), ctx.ltp(bar.token))
        )

    def on_timer(self, ctx, ts):
        for token in list(ctx.instruments):
            self.act(ctx, token)

    def act(self, ctx, token):
        draw = self.rng.random()
        if self.rng.random() < self.look:
            self.watch(ctx, token)
        if draw < 0.12:
            product = self.rng.choice(self.products)
            side = Side.BUY if product is Product.CNC or self.rng.random() < 0.5 else Side.SELL
            stop = 1.0 if self.rng.random() < self.stops else 0.0
            ctx.enter(
                token, side, 20_000_00, stop, product=product, reason=self.rng.choice(("", "up"))
            )
        elif draw < 0.23:
            ctx.exit(token, self.rng.choice(("", "down")))
        elif draw < 0.235:
            ctx.exit(token)
            ctx.exit(token)
        elif draw < 0.24:
            ctx.enter(token, Side.BUY, 20_000_00, 0.0)
            ctx.exit(token)

    def watch(self, ctx, token):
        ladders = [
            (
                ladder.ladder_id,
                ladder.created,
                ladder.reason,
                ladder.leaving,
                *map(rung_of, ladder.rungs),
            )
            for ladder in ctx.ladders(token)
        ]
        orders = [
            (o.intent, o.tag, o.order_id, int(o.status), o.quantity, o.created)
            for o in ctx.orders(token)
        ]
        self.seen.append((ladders, orders, len(ctx.all_ladders())))
        if self.rng.random() < 0.3:
            for order in ctx.orders(token):
                ctx.cancel(order)


def rung_of(rung):
    bought = (rung.bought, rung.bought_value, rung.charges, rung.high, rung.opened)
    return rung.rung_id, int(rung.state), *bought, rung.leaving, rung.exit_reason, rung.retry_at


SET_UPS = {
    "one instrument, no holes": {"strategies": lambda: [Bares(1)], "tokens": ONE, "holes": 0.0},
    "one instrument": {"strategies": lambda: [Bares(2, look=0.1)], "tokens": ONE},
    "several": {"strategies": lambda: [Bares(3)], "holes": 0.0},
    "several, with holes": {"strategies": lambda: [Bares(4)], "holes": 0.3},
    "looked at": {"strategies": lambda: [Bares(5, look=0.2)]},
    "stops between": {"strategies": lambda: [Bares(6, stops=0.3)]},
    "two strategies": {"strategies": lambda: [Bares(7), Bares(8, look=0.05)]},
    "timers": {"strategies": lambda: [Bares(9, every=90)]},
    "intraday between": {"strategies": lambda: [Bares(10, products=(Product.CNC, Product.MIS))]},
    "a share of the volume": {
        "strategies": lambda: [Bares(11)],
        "slippage": lambda: VolumeShare(0.02, 0.1),
    },
    "closed on their day": {"strategies": lambda: [Bares(16, look=0.02), Bares(17)], "nets": True},
    "slippage": {"strategies": lambda: [Bares(12)], "slippage": lambda: FixedTicks(3)},
    "a narrow band": {"strategies": lambda: [Bares(13)], "tokens": ONE, "band": True},
    "limits that halt": {
        "strategies": lambda: [Bares(14, look=0.02)],
        "slippage": lambda: FixedTicks(2),
        "limits": lambda: RiskLimits(
            max_daily_loss=1_200_00, max_positions=2, max_consecutive_losses=6
        ),
    },
    "limits of strategies": {
        "strategies": lambda: [Bares(15)],
        "limits": lambda: RiskLimits(
            strategy_daily_loss=300_00,
            max_exposure=60_000_00,
            max_orders_per_minute=2,
            max_trades_per_day=40,
            max_symbol_exposure=30_000_00,
        ),
    },
}


def band_of(rows):
    """Return a band that a tenth of the closes is below, and a tenth above.

    Nobody trades at its edges.
    """
    closes = sorted(row[5] for row in rows)
    return closes[len(closes) // 10], closes[-len(closes) // 10]


def state(kernel, venue, fills, curve, strategies):
    """Return all that can be told apart."""
    ledger = kernel.ledger
    return {
        "digest": kernel.digest(),
        "curve": curve,
        "sums": (
            ledger.net,
            ledger.cash,
            ledger.charges,
            kernel.state.round_trips,
            kernel.state.losses,
            kernel.state.entry_count,
        ),
        "limits": (kernel.state.peak, kernel.state.refusal_count, kernel.state.halted),
        "numbers": (
            kernel.state.next_number,
            kernel.order_store.next_intent,
            venue.reports.next_id,
            kernel.decisions.next_number,
        ),
        "counts": (kernel.state.tick_count, kernel.state.bar_count),
        "fills": [
            (f.ts, f.trade_id, f.quantity, f.price, f.charges, f.realised, *order_of(f.order))
            for f in fills
        ],
        "markets": [
            (m.ltp, m.bid, m.volume, m.version, m.heard_at, m.live)
            for m in kernel.state.markets.values()
        ],
        "positions": [
            (p.token, p.quantity, p.value, p.last, p.realised, p.realised_fifo, p.marked, p.charges)
            for p in ledger.positions() + ledger.account_positions()
        ],
        "strategies": [
            (s.signals, s.last_signal, s.losses, s.peak, s.stopped) for s in kernel.state.slots
        ],
        "seen": [strategy.seen for strategy in strategies],
    }


def order_of(order):
    names = (
        order.intent,
        order.tag,
        order.order_id,
        order.rung,
        int(order.side),
        int(order.purpose),
        int(order.product),
    )
    return (
        *names,
        int(order.status),
        order.quantity,
        order.filled,
        order.traded,
        order.value,
        order.charged,
        order.created,
    )


@pytest.mark.parametrize("name", SET_UPS)
@pytest.mark.parametrize("seed", [21, 22, 23])
def test_columns_leave_everything_as_the_long_way_does(name, seed):
    given = {key: value() if callable(value) else value for key, value in SET_UPS[name].items()}
    tokens = given.pop("tokens", THREE)
    rows = walk(seed, tokens, 370 if tokens is ONE else 150, days=2, holes=given.pop("holes", 0.1))
    band = given.pop("band", False)
    told = []
    for short in (True, False):
        given |= {key: value() for key, value in SET_UPS[name].items() if callable(value)}
        kernel, venue = desk(tokens=tokens, **given)
        if band:
            for floor in venue.instrument_venues.values():
                floor.instrument.lower, floor.instrument.upper = band_of(rows)
        if short:
            result = run_bars(kernel, venue, columns(rows, tokens), 60, sessions(2))
            fills, curve = result.fills, list(zip(result.times, result.equity, strict=True))
        else:
            way = LongWay(kernel, venue)
            way.run(rows, 60, days(2))
            fills, curve = kernel.order_store.fills, way.curve
        told.append(state(kernel, venue, fills, curve, given["strategies"]))
    assert len(told[0]["fills"]) > 3
    assert told[0] == told[1]


NEW = RiskLimit(
    "strategy_daily_loss",
    LimitUnit.MONEY,
    LimitScope.STRATEGY,
    RefusalReason.STRATEGY_BUDGET,
    used=lambda usage: usage.lost,
)
"""A limit on entries with a figure that the columns do not count."""


@pytest.mark.parametrize(("value", "short"), [(0, True), (300_00, False)])
def test_bare_positions_go_the_long_way_under_a_limit_that_columns_do_not_count(value, short):
    kernel, venue = desk(
        [Bares(1)], THREE, limits=RiskLimits(strategy_daily_loss=value, max_positions=2)
    )
    replay = BarReplay(kernel, venue, columns(walk(1, THREE, 5), THREE), 60, sessions())
    path = FastPath(kernel, venue, replay.markets, replay.instrument_venues)
    path.take_over(kernel, (*LIMITS, NEW))
    assert path.enabled is short
    # as it stands this limit halts, and refuses no entry
    assert replay.fast_path.enabled


def test_every_limit_on_entries_is_counted_in_columns_or_turns_them_off():
    refusing = [each for each in LIMITS if each.reason is not RefusalReason.OK and each.used]
    assert {each.name for each in refusing} >= COUNTED_LIMITS
    for limit in refusing:
        limits = RiskLimits(**{limit.name: 1})
        assert counts_limits(limits) is (limit.name in COUNTED_LIMITS)


def test_a_strategy_is_not_shown_what_another_holds():
    class Holder(Strategy):
        def on_bar(self, ctx, bar):
            if bar.start == OPEN:
                ctx.enter(bar.token, Side.BUY, 10_000_00, 0.0)

    class Neighbour(Strategy):
        def __init__(self, name):
            super().__init__(name, 60)
            self.seen = []

        def on_bar(self, ctx, bar):
            self.seen.append(ctx.position(257))

    rows = walk(1, (257, 513), 6)
    seen = []
    for short in (True, False):
        strategies = [Holder("holder", 60), Neighbour("neighbour")]
        kernel, venue = desk(strategies, (257, 513), apart=True)
        if short:
            run_bars(kernel, venue, columns(rows, (257, 513)), 60, sessions())
        else:
            LongWay(kernel, venue).run(rows, 60, days(1))
        assert kernel.view.open_positions() == 1
        seen.append(strategies[1].seen)
    assert seen[0] == seen[1] == [0] * 6


def test_nothing_is_made_of_a_bare_position_until_somebody_looks():
    kernel, venue = desk([SmaCross("cross", 60, 5, 12, 100)], ONE)
    result = run_bars(kernel, venue, columns(walk(1, ONE, 370), ONE), 60, sessions())
    assert kernel.order_store.fills == []
    assert len(kernel.order_store.orders) <= 2
    first = result.fills[0]
    assert (first.order.tag, first.trade_id, first.order.side) == ("P1", "T2", Side.BUY)
    assert len(result.fills) == kernel.order_store.next_intent - 1


def test_an_entry_whose_bar_does_not_come_is_given_up_as_by_the_long_way():
    class Once(Strategy):
        def on_bar(self, ctx, bar):
            if bar.start == OPEN:
                ctx.enter(bar.token, Side.BUY, 10_000_00, 0.0)

    rows = [(257, OPEN + n * MINUTE, 100.0, 100.0, 100.0, 100.0, 1_000) for n in (0, 3, 4)]
    kernel, venue = desk([Once("once", 60)], ONE)
    result = run_bars(kernel, venue, columns(rows, ONE), 60, sessions())
    assert result.fills == []  # a market order that has no trade within thirty seconds is cancelled
    assert kernel.ledger.positions() == []


def test_an_entry_in_an_instrument_without_bars_is_refused_and_touches_no_other():
    class Other(Strategy):
        def on_bar(self, ctx, bar):
            ctx.enter(257 if bar.start == OPEN else 513, Side.BUY, 10_000_00, 0.0)

    rows = [(257, OPEN + n * MINUTE, 100.0, 100.0, 100.0, 100.0, 1_000) for n in range(4)]
    kernel, venue = desk([Other("other", 60)], (257, 513))
    result = run_bars(kernel, venue, columns(rows, ONE), 60, sessions())
    assert [(fill.order.token, fill.quantity) for fill in result.fills] == [(257, 100)]
    assert kernel.state.refusal_count == 3
    assert kernel.view.open_positions() == 1
