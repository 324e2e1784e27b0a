"""Streaming, batch, and a naive reading of docs/bars.md, span by span, give the same bars."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from compiled.market_data.bar_builder import DAY, BarBuilder, batch
from compiled.model.values import NEVER

S = 1_000_000_000
OPEN = 1_000 * S
CLOSE = OPEN + 50 * S
SPANS = [[1], [1, 2, 4], [2, 4, 6, 12, DAY], [1, 3, 5, 15, 45, DAY], [7, 14], [1, 60], [5, DAY]]


class Naive:
    """Every span by itself, on plain dictionaries; only what the document says."""

    def __init__(self, spans):
        self.spans = spans
        self.late = self.dipped = self.outside = self.unpriced = 0
        self.tokens = []
        self.closed = []
        self.open = {}
        self.before = {}
        self.day = {}
        self.seen = {}
        self.clock = 0

    def bucket(self, span, ts):
        if span == DAY:
            return OPEN, CLOSE
        start = OPEN + (ts - OPEN) // (span * S) * span * S
        return start, min(start + span * S, CLOSE)

    def close(self, token, span):
        bar = self.open.pop((token, span))
        bar["volume"] = self.volume(token, span)
        self.before[token, span] = self.day.get(token, 0)
        self.closed.append(bar)

    def volume(self, token, span):
        return self.day[token] - self.before.get((token, span), 0) if token in self.day else 0

    def update(self, token, ts, price, volume):
        if token not in self.tokens:
            self.tokens.append(token)
        if not OPEN <= ts <= CLOSE:
            self.outside += 1
            if ts < OPEN and volume >= 0 and token not in self.seen:
                self.day[token] = volume
                self.before.update({(token, span): volume for span in self.spans})
            return
        ts = min(ts, CLOSE - 1)
        if price <= 0.0:
            self.unpriced += 1
            return
        if token not in self.seen and 0 <= volume < self.day.get(token, 0):
            del self.day[token]
        newest = ts >= self.seen.get(token, 0)
        refused = [self.give(token, span, ts, price, newest) for span in self.spans]
        self.late += not newest or any(refused)
        self.seen[token] = max(ts, self.seen.get(token, 0))
        if volume >= 0:
            if token not in self.day:
                for span in self.spans:
                    self.before[token, span] = 0 if self.bucket(span, ts)[0] == OPEN else volume
            self.dipped += volume < self.day.get(token, 0)
            self.day[token] = max(volume, self.day.get(token, 0))

    def give(self, token, span, ts, price, newest):
        start, end = self.bucket(span, ts)
        bar = self.open.get((token, span))
        if bar and ts >= bar["end"]:
            self.close(token, span)
            bar = None
        if end <= self.clock or (bar and ts < bar["start"]):
            return True
        if bar is None:
            bar = {
                "token": token,
                "span": span,
                "start": start,
                "end": end,
                "open": price,
                "close": price,
            }
            self.open[token, span] = bar | {"high": price, "low": price, "ticks": 1}
            return False
        bar["high"] = max(bar["high"], price)
        bar["low"] = min(bar["low"], price)
        bar["ticks"] += 1
        if newest:
            bar["close"] = price
        return False

    def advance(self, now):
        self.clock = max(self.clock, now)
        for key in [key for key, bar in self.open.items() if bar["end"] <= now]:
            self.close(*key)

    def take(self):
        order = {token: slot for slot, token in enumerate(self.tokens)}
        bars = sorted(
            self.closed, key=lambda b: (b["end"], self.spans.index(b["span"]), order[b["token"]])
        )
        self.closed = []
        return [tuple(b[name] for name in FIELDS) for b in bars]


FIELDS = ("token", "start", "span", "open", "high", "low", "close", "volume", "ticks")


def rows(bars):
    return [tuple(getattr(bar, name) for name in FIELDS) for bar in bars]


prices = st.integers(0, 12).map(lambda n: n / 4)
volumes = st.one_of(st.just(-1), st.integers(0, 60))
wild = st.tuples(
    st.just("tick"),
    st.integers(1, 3),
    st.integers(-20, 540).map(lambda n: OPEN + n * S // 10),
    prices,
    volumes,
)
clock = st.tuples(st.just("advance"), st.integers(0, 520).map(lambda n: OPEN + n * S // 10))
take = st.just(("take",))


@st.composite
def orderly(draw):
    """A feed as it is: time creeps on, now and then a tick comes late, the clock follows behind."""
    events, now, volume = [], OPEN, 0
    for step in draw(
        st.lists(
            st.tuples(st.integers(0, 25), st.integers(-30, 2), prices, st.integers(-3, 9)),
            max_size=80,
        )
    ):
        now += step[0] * S // 10
        volume += step[3]
        lag = min(0, step[1] + 20) * S // 10
        events.append(("tick", 1 + volume % 3, now + lag, step[2], max(volume, -1)))
        if step[1] == 2:
            events.append(("advance", now - 2 * S))
        if step[1] == 1:
            events.append(("take",))
    return events


feeds = st.one_of(st.lists(st.one_of(wild, wild, wild, clock, take), max_size=60), orderly())


def play(spans, events):
    """Play the same events to both, comparing at every step; return the built bars, all of them."""
    bars, naive, taken = BarBuilder(spans), Naive(spans), []
    bars.begin_session(OPEN, CLOSE)
    for event in [*events, ("advance", NEVER), ("take",)]:
        if event[0] == "tick":
            bars.update(*event[1:])
            naive.update(*event[1:])
        elif event[0] == "advance":
            bars.advance(event[1])
            naive.advance(event[1])
        else:
            got = rows(bars.take_bars())
            assert got == naive.take()
            taken += got
        for token in (1, 2, 3):
            for span in spans:
                forming, expected = bars.current(token, span), naive.open.get((token, span))
                if expected is None:
                    assert forming is None
                else:
                    want = expected | {"volume": naive.volume(token, span)}
                    assert rows([forming]) == [tuple(want[name] for name in FIELDS)]
    counters = (bars.late, bars.dipped, bars.outside, bars.unpriced)
    assert counters == (naive.late, naive.dipped, naive.outside, naive.unpriced)
    return taken


@settings(max_examples=300)
@given(st.sampled_from(SPANS), feeds)
def test_streaming_builds_the_bars_of_the_naive_reading(spans, events):
    play(spans, events)


@settings(max_examples=100)
@given(st.sampled_from(SPANS), st.lists(wild, max_size=60))
def test_batch_builds_the_same_bars_as_streaming(spans, events):
    columns = list(zip(*[event[1:] for event in events], strict=True)) or [(), (), (), ()]
    packed = [
        struct.pack(f"<{len(column)}{kind}", *column)
        for column, kind in zip(columns, "qqdq", strict=True)
    ]
    assert rows(batch(spans, OPEN, CLOSE, *packed)) == play(spans, events)


@settings(max_examples=100)
@given(feeds)
def test_a_bar_does_not_depend_on_which_other_spans_are_built(events):
    together = play([1, 2, 4, 12, DAY], events)
    for spans in ([2], [4, 12], [12, DAY]):
        alone = play(spans, events)
        assert sorted(alone) == sorted(bar for bar in together if bar[2] in spans)


@settings(max_examples=100)
@given(st.lists(wild, max_size=60))
def test_the_bars_of_every_span_add_up_to_the_same_volume_once_volume_is_known_at_the_open(events):
    start = [("tick", token, OPEN, 1.0, 0) for token in (1, 2, 3)]
    taken = play([1, 4, 12, DAY], start + events)
    for token in (1, 2, 3):
        totals = {
            span: sum(bar[7] for bar in taken if bar[0] == token and bar[2] == span)
            for span in (1, 4, 12, DAY)
        }
        heard = [
            event[4]
            for event in events
            if event[1] == token and event[3] > 0 and OPEN <= event[2] <= CLOSE
        ]
        assert set(totals.values()) == {max([0, *heard])}


def test_memory_does_not_grow_with_sessions():
    bars, sizes = BarBuilder([1, 60]), set()
    for day in range(12):
        start = OPEN + day * DAY * S
        bars.begin_session(start, start + 600 * S)
        for second in range(0, 600, 2):
            for token in (1, 2, 3):
                bars.update(token, start + second * S, 10.0 + second % 7, second)
            if second % 100 == 98:
                bars.advance(start + second * S)
                bars.take_bars()
        bars.take_bars()
        if day > 1:
            sizes.add(
                (
                    len(bars._whole),
                    len(bars._price),
                    len(bars._closed_whole),
                    len(bars._closed_price),
                )
            )
    assert len(sizes) == 1
