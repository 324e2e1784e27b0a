"""Rules of replays of ticks that go beyond rule 26: messages, timers, hours, latencies, rates."""

import struct

import pytest

from compiled.backtest.paced_requests import PacedRequests, RequestRates
from compiled.backtest.recording import RecordedSessions, TickColumns
from compiled.backtest.tick_loop import TickReplay, in_reading_order
from compiled.backtest.tick_packing import TickPacker
from compiled.market_data.depth_block import pack_depth
from compiled.model.events import (
    BrokerAnswer,
    BrokerTrade,
    CancelOrder,
    OrderUpdate,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
)
from compiled.model.values import (
    SECOND,
    Instrument,
    Order,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Product,
    Side,
    Tick,
)
from compiled.trading.strategy import Strategy
from compiled.venue.latency import LatencyJitter
from compiled.venue.resting_orders import ReportQueue
from tests.compiled.backtest.test_replay import LENGTH, OPEN, desk

MS = SECOND // 1_000
TODAY = OPEN - (9 * 3_600 + 15 * 60) * SECOND


def packed(letter, values):
    return struct.pack(f"<{len(values)}{letter}", *values)


def messages(rows, tokens=(257,), timed=True):
    """Return columns of (time, [(token, ltp, volume)]); a message without ticks is a timer."""
    flat = [tick for _, ticks in rows for tick in ticks]
    ends, reached = [], 0
    for _, ticks in rows:
        reached += len(ticks)
        ends.append(reached)
    stamps = [ts // SECOND * SECOND for ts, ticks in rows for _ in ticks]
    return TickColumns(
        list(tokens),
        packed("q", [tokens.index(token) for token, _, _ in flat]),
        packed("q", [ts for ts, _ in rows]),
        packed("d", [ltp for _, ltp, _ in flat]),
        packed("q", [volume for _, _, volume in flat]),
        stamps=packed("q", stamps) if timed else b"",
        ends=packed("q", ends) if timed else b"",
    )


def replayed(kernel, venue, columns, **options):
    replay = TickReplay(
        kernel, venue, columns.tokens, RecordedSessions([OPEN], [OPEN + LENGTH]), **options
    )
    replay.open_session(0, OPEN - 600 * SECOND)
    replay.play(columns, 0, columns.messages)
    replay.close_session()
    return replay


class Noting(Strategy):
    """Notes what it hears and when; enters with the ticks at which it is told to."""

    def __init__(self, enters=(), **options):
        super().__init__("noting", 60, **options)
        self.enters, self.ticks, self.bars, self.timers = enters, [], [], []

    def on_tick(self, ctx, tick):
        self.ticks.append((int(ctx.now), int(tick.token), tick.ltp, ctx.position(tick.token)))
        if len(self.ticks) - 1 in self.enters:
            ctx.enter(tick.token, Side.BUY, 10_000_00, 0.0)

    def on_bar(self, ctx, bar):
        self.bars.append((int(ctx.now), bar.close, int(bar.volume)))

    def on_timer(self, ctx, now):
        del ctx
        self.timers.append(int(now))


def test_orders_meet_all_ticks_of_a_message_before_the_desk_hears_any():
    strategy = Noting(enters=(0,), wants_ticks=True)
    kernel, venue = desk([strategy], (257, 513), grace=SECOND)
    at = OPEN + 10 * SECOND + 250 * MS
    columns = messages(
        [(at, [(257, 100.0, 10)]), (at + 40 * MS, [(513, 50.0, 10), (257, 101.0, 20)])], (257, 513)
    )
    replayed(kernel, venue, columns)
    # the fill of the second message is heard behind both of its ticks
    assert [position for *_, position in strategy.ticks] == [0, 0, 0]
    [fill] = kernel.order_store.fills
    # without a latency fills go by the exchange's stamp, cut to the second
    assert (int(fill.ts), fill.price) == (OPEN + 10 * SECOND, 101.0)


def test_recorded_timers_are_the_only_ones_and_those_of_ticks_alone_go_off_every_second():
    quiet = [(OPEN + k * SECOND + 5 * MS, []) for k in (3, 4, 9)]
    heard = []
    for columns in (
        messages([*quiet, (OPEN + 20 * SECOND, [(257, 100.0, 1)])]),
        messages([(OPEN + 20 * SECOND, [(257, 100.0, 1)])], timed=False),
    ):
        strategy = Noting(every=1)
        kernel, venue = desk([strategy], (257,), grace=SECOND)
        replayed(kernel, venue, columns)
        heard.append(strategy.timers)
    assert heard[0] == [OPEN + k * SECOND + 5 * MS for k in (3, 4, 9)]
    assert heard[1][:19] == [OPEN + k * SECOND for k in range(1, 20)]


def test_what_is_traded_before_the_open_is_in_no_bar_and_nothing_enters_on_it():
    strategy = Noting(enters=(0, 1), wants_ticks=True)
    kernel, venue = desk([strategy], (257,), grace=SECOND)
    rows = [
        (OPEN - 400 * SECOND, [(257, 99.0, 5_000)]),
        (OPEN + SECOND, [(257, 100.0, 5_010)]),
        (OPEN + 2 * SECOND, [(257, 100.5, 5_030)]),
    ]
    replayed(kernel, venue, messages(rows))
    assert strategy.bars == [(OPEN + LENGTH, 100.5, 30)]
    assert [price for _, _, price, _ in strategy.ticks] == [99.0, 100.0, 100.5]
    assert [fill.price for fill in kernel.order_store.fills] == [100.5]


def test_what_comes_after_the_close_is_heard_and_fills_nothing():
    strategy = Noting(enters=(0,), wants_ticks=True)
    kernel, venue = desk([strategy], (257,), grace=SECOND)
    close = OPEN + LENGTH
    rows = [(close - SECOND, [(257, 100.0, 5)]), (close + 2 * SECOND, [(257, 101.0, 9)])]
    replay = replayed(kernel, venue, messages(rows))
    assert len(strategy.ticks) == 2
    assert kernel.order_store.fills == []
    assert (list(replay.times), list(replay.equity)) == ([close], [0])


def test_ticks_behind_the_close_leave_no_bar_open():
    close = OPEN + LENGTH
    rows = [(close - SECOND, [(257, 100.0, 5)]), (close + 2 * SECOND, [(257, 101.0, 9)])]
    for beyond in (rows[:1], rows):
        strategy = Noting()
        kernel, venue = desk([strategy], (257,), grace=SECOND)
        replay = replayed(kernel, venue, messages(beyond, timed=False))
        [bar] = replay.take_bars(60)
        assert (int(bar.start), bar.close) == (close - 60 * SECOND, 100.0)
        assert [close for _, close, _ in strategy.bars] == [100.0]


def test_the_desk_hears_a_tick_later_by_the_feeds_latency_and_meets_what_came_meanwhile():
    rows = [(OPEN + 10 * SECOND + k * 100 * MS, [(257, 100.0 + k, 10 + k)]) for k in range(6)]
    prices = {}
    for feed in (0, 250 * MS):
        strategy = Noting(enters=(0,), wants_ticks=True)
        kernel, venue = desk([strategy], (257,), grace=SECOND)
        # in two parts: what is on its way outlives the columns it came in
        replay = TickReplay(
            kernel, venue, [257], RecordedSessions([OPEN], [OPEN + LENGTH]), feed=feed
        )
        replay.open_session(0, OPEN)
        for part in (rows[:2], rows[2:]):
            columns = messages(part)
            replay.play(columns, 0, columns.messages)
        replay.close_session()
        assert [ts for ts, *_ in strategy.ticks] == [ts + feed for ts, _ in rows]
        prices[feed] = [fill.price for fill in kernel.order_store.fills]
    assert prices == {0: [101.0], 250 * MS: [103.0]}


def test_an_old_tick_is_no_price_to_enter_at():
    strategy = Noting(enters=(0,), wants_ticks=True)
    kernel, venue = desk([strategy], (257,), grace=SECOND)
    columns = messages([(OPEN + 60 * SECOND, [(257, 100.0, 10)])])
    columns.stamps = packed("q", [OPEN + 20 * SECOND])
    replay = TickReplay(kernel, venue, [257], RecordedSessions([OPEN], [OPEN + LENGTH]))
    replay.open_session(0, OPEN, 10 * SECOND)
    replay.play(columns, 0, 1)
    replay.close_session()
    assert dict(kernel.decisions.refusals) == {"STALE_DATA": 1}


# reports and requests


def test_reports_of_one_time_are_heard_as_books_are_read():
    def update(order, status):
        return OrderUpdate(
            1, order, tag="", token=257, side=Side.BUY, status=status, quantity=2, filled=0
        )

    def trade(name):
        return BrokerTrade(1, name, order_id="1", token=257, side=Side.BUY, quantity=1, price=1.0)

    opened, done, other = (
        update("1", OrderStatus.OPEN),
        update("1", OrderStatus.COMPLETE),
        update("2", OrderStatus.OPEN),
    )
    answer = BrokerAnswer(
        1, 7, verb=RequestVerb.PLACE, outcome=RequestOutcome.ACCEPTED, broker_id="1"
    )
    first, second = trade("T1"), trade("T2")
    heard = in_reading_order([other, opened, first, done, second, answer])
    assert heard == [answer, done, other, first, second]


def placed(intent, purpose=OrderPurpose.ENTRY):
    return PlaceOrder(
        Order(
            intent,
            f"T{intent}",
            "s",
            token=257,
            side=Side.BUY,
            quantity=1,
            order_type=OrderType.MARKET,
            product=Product.CNC,
            purpose=purpose,
        )
    )


def taken(requests, now, halted=False):
    found = []
    while (command := requests.take(now, halted)) is not None:
        found.append((int(command.order.intent), requests.why))
    return found


def rates(**changed):
    usual = {
        "per_second": 9,
        "per_minute": 380,
        "per_day": 4_800,
        "reserve": 3,
        "day_reserve": 200,
        "entry_wait": 5 * SECOND,
    }
    return RequestRates(**(usual | changed))


def test_six_entries_leave_in_a_second_exits_pass_them_and_what_waits_too_long_is_given_up():
    requests = PacedRequests(rates())
    requests.put([placed(number) for number in range(1, 9)], 0)
    assert taken(requests, 0) == [(number, "") for number in range(1, 7)]
    requests.put([placed(20, OrderPurpose.EXIT), CancelOrder(placed(21).order)], 1)
    assert taken(requests, 1) == [(20, ""), (21, "")]
    assert taken(requests, SECOND - 1) == []
    assert taken(requests, SECOND) == [(7, ""), (8, "")]
    requests.put([placed(number) for number in range(30, 40)], 2 * SECOND)
    assert len(taken(requests, 2 * SECOND)) == 6
    late = taken(requests, 8 * SECOND)
    assert late == [(number, "it waited too long to be sent") for number in range(36, 40)]


def test_the_day_and_a_halt_leave_exits_alone():
    requests = PacedRequests(rates(per_day=4, day_reserve=2))
    requests.put([placed(1), placed(2), placed(3)], 0)
    assert taken(requests, 0) == [(1, ""), (2, ""), (3, "the day's order limit is used up")]
    requests.put([placed(4), placed(5, OrderPurpose.EXIT)], SECOND)
    assert taken(requests, SECOND, halted=True) == [(5, ""), (4, "the kill switch is latched")]
    requests.begin_day()
    requests.put([placed(6)], 2 * SECOND)
    assert taken(requests, 2 * SECOND) == [(6, "")]


def test_a_replay_with_rates_sends_as_they_allow():
    tokens = tuple(256 * k + 1 for k in range(1, 9))
    strategy = Noting(enters=range(8), wants_ticks=True)
    kernel, venue = desk([strategy], tokens, grace=SECOND)
    rows = [
        (OPEN + k * SECOND + 100 * MS, [(token, 100.0 + k, 10 + k) for token in tokens])
        for k in range(1, 5)
    ]
    replayed(kernel, venue, messages(rows, tokens), rates=rates())
    assert [fill.price for fill in kernel.order_store.fills] == [102.0] * 6 + [103.0] * 2


# latencies


def test_jitter_is_drawn_within_its_bounds_and_the_same_by_the_same_seed():
    even = [LatencyJitter(80 * MS, 0, seed=7) for _ in range(2)]
    drawn = [each.draw() for each in even for _ in range(4_000)]
    assert drawn[:4_000] == drawn[4_000:]
    assert 0 <= min(drawn) < MS < 79 * MS < max(drawn) <= 80 * MS
    assert abs(sum(drawn) / len(drawn) - 40 * MS) < MS
    tail = LatencyJitter(0, 30 * MS, seed=7)
    long = [tail.draw() for _ in range(20_000)]
    assert min(long) >= 0
    # of an exponential: its mean, and how many take more than three times as long
    assert abs(sum(long) / len(long) - 30 * MS) < MS
    assert abs(sum(each > 90 * MS for each in long) / len(long) - 0.0498) < 0.006


@pytest.mark.parametrize("seed", [0, 2_147_483_647, -1])
def test_a_seed_that_would_draw_nothing_is_refused(seed):
    with pytest.raises(ValueError, match="no jitter"):
        LatencyJitter(1, 0, seed)


def test_no_report_passes_the_one_before():
    queue = ReportQueue(10 * MS, 1, LatencyJitter(500 * MS, 0, seed=3))
    due = [queue.due_of(k * MS) for k in range(200)]
    assert due == sorted(due)
    assert all(at >= k * MS + 10 * MS for k, at in enumerate(due))


# packing


def packer(timed=True, listed=None):
    instruments = listed or [Instrument(257, "NSE", "ONE", 0.05), None]
    return TickPacker([257, 513], instruments, SECOND, TODAY, timed)


def test_impossible_ticks_are_left_out_and_counted_and_strange_ones_are_not_heard_of():
    packing = packer()
    at = OPEN + 5 * SECOND
    packing.add_message(at, [Tick(257, at, 100.0, 10), Tick(999, at, 1.0, 1)])
    packing.add_message(at + 1, [Tick(257, at, 100.02, 11)])
    packing.add_message(at + 2, [Tick(257, at + 90 * SECOND, 100.0, 12)])
    packing.add_timer(at + 3)
    packing.add_message(at + 4, [Tick(513, at, 50.0, 12)])
    made = packing.take_columns()
    assert (int(made.count), int(made.messages)) == (1, 2)
    assert packing.dead == {"grid": 1, "future": 1}
    assert int(packing.take_columns().messages) == 0


def test_a_message_is_no_older_than_what_the_desk_took_before_it():
    packing = packer()
    packing.add_timer(OPEN + 2 * SECOND)
    packing.add_message(OPEN + SECOND, [Tick(257, 0, 100.0, 10)])
    made = packing.take_columns()
    assert struct.unpack("<2q", made.times) == (OPEN + 2 * SECOND,) * 2
    assert struct.unpack("<q", made.stamps) == (OPEN + 2 * SECOND,)


def test_prices_of_an_earlier_day_are_told_by_the_volume():
    packing = packer(timed=False)
    earlier = TODAY - SECOND
    for tick in (
        Tick(257, OPEN, 99.0, 0),
        Tick(257, OPEN, 99.0, 700, last_trade_ts=earlier),
        Tick(257, OPEN, 99.0, -1),
    ):
        packing.add_message(OPEN, [tick])
    assert struct.unpack("<3q", packing.take_columns().volumes) == (0, -2, -1)


def test_depth_is_kept_where_a_tick_has_some():
    packing = packer()
    depth = pack_depth(257, [(99.95, 10, 1)], [(100.0, 20, 2)])
    packing.add_message(OPEN, [Tick(257, OPEN, 100.0, 10, depth=depth)])
    packing.add_message(OPEN + 1, [Tick(257, OPEN, 100.0, 10)])
    assert packing.take_columns().depth == depth + bytes(120)


def test_messages_that_end_before_they_begin_are_refused():
    with pytest.raises(ValueError, match="message 1: ends with row 0"):
        TickColumns(
            [257],
            packed("q", [0]),
            packed("q", [OPEN, OPEN]),
            packed("d", [1.0]),
            packed("q", [1]),
            ends=packed("q", [1, 0]),
        )
