"""The warm-up: cold instruments rest, kept bars are not asked for, none counts twice."""

import asyncio
from datetime import date

import pytest

from compiled.model.events import (
    OperatorAct,
    OperatorInstruction,
    PlaceOrder,
    TickBatch,
    TimerEvent,
)
from compiled.model.values import MINUTE, Bar, Instrument, Product, Side, Tick
from compiled.trading.desk_state import StrategyState
from compiled.trading.kernel import Kernel, KernelSetup
from compiled.trading.ladder import AT_MARKET, single_rung_plan
from compiled.trading.risk import RefusalReason, RiskLimits
from compiled.trading.strategy import ManualRequest, Strategy, StrategyRequest
from engine.day.opening import choose_instruments, no_such_symbols
from engine.day.warm_up import WarmUp
from engine.errors import RetryableError
from engine.market.calendar import Calendar, midnight
from engine.market.instrument_hours import InstrumentHours
from engine.market.safeguards import TradingSafeguards
from engine.ports import PriceBand
from tests.compiled.trading.scripted import (
    BEL,
    CANBK,
    OPEN,
    Scene,
    instruments,
    no_charges,
    only,
    some,
)

NOW = OPEN + 3 * MINUTE
DAY = date(2025, 10, 7)
HOURS = InstrumentHours(Calendar.load(), TradingSafeguards.load(), set())
SHARE = instruments()[0]
EVENING = HOURS.expected_bars(HOURS.session_before(DAY, SHARE).day, SHARE)
DAYS = [
    midnight(date(2024, 8, 1)),
    midnight(date(2025, 10, 3)),
    midnight(date(2025, 10, 6)),
    midnight(DAY),
]
MORNING = [OPEN, OPEN + MINUTE, OPEN + 2 * MINUTE]


def minutes(token, starts):
    return [Bar(token, start, 60, 100.0, 100.0, 100.0, 100.0, 1) for start in starts]


class Broker:
    """Has every minute of everything.

    Turns requests for the tokens in `busy` away, so many times.
    """

    def __init__(self, **busy):
        self.busy = {CANBK: busy.get("canbk", 0), BEL: busy.get("bel", 0)}
        self.asked = []
        self.during = lambda: None

    async def history(self, token, start, end, span):
        self.asked.append((token, start))
        self.during()
        if span == 86_400:
            return [
                Bar(token, day, span, 90.0, 120.0, 80.0, 110.0, 5)
                for day in DAYS
                if start <= day < end
            ]
        if self.busy[token]:
            self.busy[token] -= 1
            raise RetryableError("Too many requests (HTTP 429)")
        return minutes(token, [each for each in (*EVENING, *MORNING) if each >= start])

    async def bands(self, wanted):
        return [PriceBand(int(each.token), 90.0, 110.0, 100.0) for each in wanted]


class Still:
    """A clock that stands, and lets nobody wait."""

    def now(self):
        return NOW

    async def sleep_until(self, ts):
        del ts


class Cold:
    """A scene three minutes after the open whose strategy notes the starts of the bars it hears."""

    def __init__(self, broker=None, stored=None):
        self.scene = Scene(now=NOW)
        self.heard = []
        self.scene.script.on_bar = lambda _, bar: self.heard.append(
            (int(bar.token), int(bar.start))
        )
        self.broker = broker or Broker()
        self.taken, self.told = [], []
        self.warming = WarmUp(
            self.scene.kernel,
            self.broker,
            HOURS,
            Still(),
            {60},
            lambda *line: self.told.append(line),
            lambda each, bars, read: self.taken.append((each.symbol, len(bars), len(read))),
            stored,
        )

    def begin(self):
        watched = [market.instrument for market in self.scene.kernel.state.markets.values()]
        asyncio.run(self.warming.begin(watched, ()))


def wanted(scene, strategy):
    """Return the verdict on an entry in CANBK that a strategy asks for, or that comes by hand."""
    if strategy:
        scene.script.todo.append(lambda ctx: ctx.enter(CANBK, Side.BUY, 0, 2.0, quantity=5))
        scene.tick(250.0, BEL)
        return scene.kernel.decisions.fresh[-1].verdict
    wish = ManualRequest(
        scene.now,
        StrategyRequest(
            CANBK,
            Side.BUY,
            single_rung_plan(5, 2.0, 0.0, Product.CNC, trail=True, entry=AT_MARKET),
            "by hand",
        ),
    )
    scene.tell(wish)
    return wish.verdict


def test_no_strategy_hears_or_enters_what_is_cold_while_orders_by_hand_go_through():
    cold = Cold()
    scene, kernel = cold.scene, cold.scene.kernel
    kernel.strategy_host.begin_warmup([CANBK])
    asked = []
    scene.script.todo.append(asked.append)
    scene.tick(100.0)
    assert asked == [], "it is not shown a tick"
    scene.tick(100.0, after=61)
    scene.timer(2)
    assert (len(kernel.market_feed.closed_bars), cold.heard) == (1, []), "nor a bar"
    scene.script.todo.clear()
    assert wanted(scene, "script") is RefusalReason.WARMING
    assert kernel.state.slots[0].stopped == ""
    assert wanted(scene, "") is RefusalReason.OK
    kernel.strategy_host.end_warmup(CANBK, minutes(CANBK, [OPEN]))
    assert cold.heard == [(CANBK, OPEN)]
    found = scene.act(lambda ctx: ctx.enter(CANBK, Side.BUY, 0, 2.0, quantity=7))
    assert only(found, PlaceOrder).order.quantity == 7


def test_what_closes_while_the_history_is_read_is_heard_after_it_and_once():
    cold = Cold()
    live = minutes(CANBK, [OPEN + 2 * MINUTE, OPEN + 3 * MINUTE]) + minutes(
        BEL, [OPEN + 3 * MINUTE]
    )
    passed = []
    cold.broker.during = lambda: (
        passed.extend(cold.warming.hold_back(live)) if len(cold.broker.asked) == 1 else None
    )
    cold.begin()
    whole = [*EVENING, *MORNING, OPEN + 3 * MINUTE]
    assert cold.heard == [(token, start) for token in (CANBK, BEL) for start in whole]
    assert passed == []
    assert cold.warming.hold_back(live) == live
    assert (cold.warming.cold_count, cold.told) == (0, [])
    assert cold.scene.kernel.state.markets[BEL].instrument.upper == 110.0


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        ([*EVENING, *MORNING], []),
        ([*EVENING, *MORNING[:2]], [(CANBK, MORNING[2])]),
        ([*EVENING[:100], *EVENING[101:], *MORNING], [(CANBK, EVENING[100])]),
        ([], [(CANBK, EVENING[0])]),
    ],
)
def test_what_is_kept_is_not_asked_for_again(kept, asked):
    cold = Cold(
        stored=lambda symbols, start, end: (
            {"CANBK": minutes(CANBK, kept)} if start == EVENING[0] else {}
        )
    )
    cold.begin()
    assert [each for each in cold.broker.asked if each[0] == CANBK] == asked
    assert [start for token, start in cold.heard if token == CANBK] == [*EVENING, *MORNING]
    read = len([start for start in (*EVENING, *MORNING) if asked and start >= asked[0][1]])
    assert cold.taken[0] == ("CANBK", len(EVENING) + 3, read)


def test_what_a_busy_broker_turns_away_is_asked_for_twice_more_and_then_goes_without():
    cold = Cold(Broker(canbk=2, bel=3))
    cold.begin()
    assert sorted(token for token, _ in cold.broker.asked) == [CANBK] * 3 + [BEL] * 3
    assert cold.told == [
        ("warn", "history", "BEL: no history from the broker (Too many requests (HTTP 429))")
    ]
    assert {token for token, _ in cold.heard} == {CANBK}
    assert cold.warming.cold_count == 0


def listed():
    index = Instrument(256265, "NSE", "NIFTY 50", 0.05, kind="INDEX")
    return [index, *instruments()]


@pytest.mark.parametrize(
    ("watch", "named", "found"),
    [
        ((), (), ["CANBK", "BEL"]),
        ((), ("NIFTY 50", "BEL"), ["NIFTY 50", "BEL", "CANBK"]),
        (("BEL", "NIFTY 50"), ("CANBK",), ["BEL", "NIFTY 50", "CANBK"]),
    ],
)
def test_an_index_is_watched_where_it_is_named(watch, named, found):
    chosen, missing = choose_instruments(listed(), watch, named)
    assert ([each.symbol for each in chosen], missing) == (found, [])


def test_what_the_broker_does_not_list_is_left_out_and_called_by_its_new_name():
    chosen, missing = choose_instruments(listed(), ("NIFTY 51", "BEL"), ("TATAMOTORS",))
    assert ([each.symbol for each in chosen], missing) == (["BEL"], ["NIFTY 51", "TATAMOTORS"])
    assert no_such_symbols(missing) == "no such symbol on NSE: NIFTY 51, TATAMOTORS (TMPV now)"


def test_an_index_is_never_ordered():
    scene = Scene()
    scene.kernel.state.markets[CANBK].instrument.kind = "INDEX"
    assert wanted(scene, "script") is RefusalReason.INDEX
    assert wanted(scene, "") is RefusalReason.INDEX
    assert some(scene.asked, PlaceOrder) == []


# strategies on days


class OnDays(Strategy):
    """Notes the days it hears, and enters with the newest."""

    def __init__(self):
        super().__init__("days", 86_400)
        self.days = []

    def on_bar(self, ctx, bar):
        self.days.append((bar.start, bar.high, bar.close))
        if bar.start == DAYS[2]:
            ctx.enter(bar.token, Side.BUY, 0, 2.0, quantity=5)


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize(
    "stored", [None, lambda *_: {"CANBK": minutes(CANBK, [*EVENING, *MORNING])}]
)
def test_a_strategy_on_days_hears_the_exchanges_own_days_and_enters_at_the_open(stored, early):
    begun = OPEN - 7 * MINUTE if early else OPEN + MINUTE

    class Clock(Still):
        def now(self):
            return begun

    strategy = OnDays()
    setup = KernelSetup(OPEN, OPEN + 375 * MINUTE, 10**10, RiskLimits(), [60, 86_400])
    rates = {8 * CANBK + Product.CNC: no_charges()}
    kernel = Kernel(setup, [SHARE], [StrategyState(strategy, [CANBK])], rates)
    kernel.order_store.begin_moment(begun)
    broker = Broker()
    # the history takes its time
    broker.during = lambda: kernel.order_store.begin_moment(OPEN + 2 * MINUTE)
    warming = WarmUp(
        kernel, broker, HOURS, Clock(), {60, 86_400}, lambda *_: None, lambda *_: None, stored
    )
    asyncio.run(warming.begin([SHARE], ()))
    # four hundred days back from today's midnight: neither the day before that nor today's
    # unfinished one
    assert strategy.days == [(day, 120.0, 110.0) for day in DAYS[1:3]]
    now = OPEN + 3 * MINUTE
    kernel.handle(OperatorInstruction(now, OperatorAct.READY))
    assert some(kernel.handle(TimerEvent(now)), PlaceOrder) == []
    kernel.handle(TickBatch(now, [Tick(CANBK, now, 100.0, 10)]))
    orders = [each.order.quantity for each in some(kernel.handle(TimerEvent(now)), PlaceOrder)]
    assert orders == ([5] if early else [])  # a desk that was started after the open has missed it
