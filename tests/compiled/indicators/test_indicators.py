"""Indicators against TA-Lib where it has them, else a plain reckoning, and over long runs."""

import hashlib
import math
import random
import struct
import sys

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st
from librt.vecs import vec

from compiled import indicators as ind
from compiled.indicators.rolling import CompensatedSum, RollingExtreme, RollingSpread, RollingWindow
from compiled.model.values import Bar

NEAR = {"rel": 1e-9, "abs": 1e-9}


def market(count, seed=7, tick=0.05):
    """Return high, low, close and volume of a wandering market, with flat bars and repeats."""
    draw = random.Random(seed)
    price = 20_000
    high, low, close, volume = [], [], [], []
    for _ in range(count):
        path = [price]
        for _ in range(draw.choice([0, 1, 4])):
            path.append(max(200, path[-1] + draw.randint(-40, 40)))
        price = path[-1]
        high.append(max(path) * tick)
        low.append(min(path) * tick)
        close.append(price * tick)
        volume.append(float(draw.choice([0, 1, 500, 12_345])))
    return tuple(np.array(column) for column in (high, low, close, volume))


HIGH, LOW, CLOSE, VOLUME = market(3_000)
MARKET = tuple(vec[float](column) for column in (HIGH, LOW, CLOSE, VOLUME))


def middle(period):
    return (talib.MAX(HIGH, period) + talib.MIN(LOW, period)) / 2


def delayed(column, count):
    return np.concatenate([np.full(count, np.nan), column[:-count]])


def bollinger(period, width):
    upper, value, lower = talib.BBANDS(CLOSE, period, width, width)
    return value, upper, lower


def keltner(period, width, atr):
    value, away = talib.EMA(CLOSE, period), width * talib.ATR(HIGH, LOW, CLOSE, atr)
    return value + 0 * away, value + away, value - away


def ichimoku(conversion, base, span):
    ahead_a, ahead_b = (middle(conversion) + middle(base)) / 2, middle(span)
    columns = [
        middle(conversion),
        middle(base),
        ahead_a,
        ahead_b,
        delayed(ahead_a, base),
        delayed(ahead_b, base),
    ]
    return [column + 0 * columns[-1] for column in columns]


def directional(period):
    adx = talib.ADX(HIGH, LOW, CLOSE, period)
    return (
        adx,
        talib.PLUS_DI(HIGH, LOW, CLOSE, period) + 0 * adx,
        talib.MINUS_DI(HIGH, LOW, CLOSE, period) + 0 * adx,
    )


def psar(acceleration, maximum):
    """Return TA-Lib's SAR; the direction is told by the side of the bar it stands on."""
    stop = talib.SAR(HIGH, LOW, acceleration, maximum)
    return stop, None


CASES = [
    ("SMA 1", ind.SMA(1), [talib.MA(CLOSE, 1)]),
    ("SMA 20", ind.SMA(20), [talib.SMA(CLOSE, 20)]),
    ("SMA 200", ind.SMA(200), [talib.SMA(CLOSE, 200)]),
    ("EMA 2", ind.EMA(2), [talib.EMA(CLOSE, 2)]),
    ("EMA 21", ind.EMA(21), [talib.EMA(CLOSE, 21)]),
    ("WMA 2", ind.WMA(2), [talib.WMA(CLOSE, 2)]),
    ("WMA 30", ind.WMA(30), [talib.WMA(CLOSE, 30)]),
    ("ROC 1", ind.ROC(1), [talib.ROC(CLOSE, 1)]),
    ("ROC 12", ind.ROC(12), [talib.ROC(CLOSE, 12)]),
    ("RSI 2", ind.RSI(2), [talib.RSI(CLOSE, 2)]),
    ("RSI 14", ind.RSI(14), [talib.RSI(CLOSE, 14)]),
    ("MACD 12 26 9", ind.MACD(), talib.MACD(CLOSE)),
    ("MACD 5 34 5", ind.MACD(5, 34, 5), talib.MACD(CLOSE, 5, 34, 5)),
    ("Bollinger 20 2", ind.Bollinger(), bollinger(20, 2.0)),
    ("Bollinger 5 1.5", ind.Bollinger(5, 1.5), bollinger(5, 1.5)),
    ("ATR 1", ind.ATR(1), [talib.TRANGE(HIGH, LOW, CLOSE)]),
    ("ATR 14", ind.ATR(14), [talib.ATR(HIGH, LOW, CLOSE, 14)]),
    ("ADX 2", ind.ADX(2), directional(2)),
    ("ADX 14", ind.ADX(14), directional(14)),
    ("Stochastic 14 3 3", ind.Stochastic(), talib.STOCH(HIGH, LOW, CLOSE, 14, 3, 0, 3, 0)),
    ("Stochastic 5 1 4", ind.Stochastic(5, 1, 4), talib.STOCH(HIGH, LOW, CLOSE, 5, 1, 0, 4, 0)),
    ("CCI 20", ind.CCI(20), [talib.CCI(HIGH, LOW, CLOSE, 20)]),
    ("OBV", ind.OBV(), [talib.OBV(CLOSE, VOLUME)]),
    ("MFI 2", ind.MFI(2), [talib.MFI(HIGH, LOW, CLOSE, VOLUME, 2)]),
    ("MFI 14", ind.MFI(14), [talib.MFI(HIGH, LOW, CLOSE, VOLUME, 14)]),
    ("Donchian 20", ind.Donchian(20), [middle(20), talib.MAX(HIGH, 20), talib.MIN(LOW, 20)]),
    ("Keltner 20 2 10", ind.Keltner(), keltner(20, 2.0, 10)),
    ("Keltner 5 1 30", ind.Keltner(5, 1.0, 30), keltner(5, 1.0, 30)),
    ("PSAR", ind.PSAR(), psar(0.02, 0.2)),
    ("PSAR 0.5 0.3", ind.PSAR(0.5, 0.3), psar(0.5, 0.3)),
    ("Ichimoku", ind.Ichimoku(), ichimoku(9, 26, 52)),
    ("Ichimoku 3 7 20", ind.Ichimoku(3, 7, 20), ichimoku(3, 7, 20)),
]

MAKERS = [
    lambda: ind.SMA(20),
    lambda: ind.EMA(20),
    lambda: ind.WMA(20),
    lambda: ind.ROC(20),
    ind.RSI,
    ind.MACD,
    ind.Bollinger,
    ind.ZScore,
    ind.ATR,
    ind.ADX,
    ind.Stochastic,
    ind.CCI,
    ind.OBV,
    ind.MFI,
    ind.Donchian,
    ind.Keltner,
    ind.PSAR,
    ind.Ichimoku,
    ind.Supertrend,
    ind.VWAP,
    lambda: ind.Cross(ind.SMA(5), ind.EMA(20)),
]


@pytest.mark.parametrize(
    ("indicator", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_every_output_is_ta_libs_from_the_same_bar_on(indicator, expected):
    columns = ind.batch(indicator, *MARKET)
    assert len(columns) == len(indicator.names()) == len(expected)
    for name, column, reference in zip(indicator.names(), columns, expected, strict=True):
        if reference is None:
            continue
        warm = int(np.isnan(reference).sum())
        got = np.array(column)
        assert not got[:warm].any(), name
        assert got[warm:] == pytest.approx(reference[warm:], **NEAR), name


@pytest.mark.parametrize(
    ("indicator", "bars"),
    [
        (ind.SMA(20), 20),
        (ind.EMA(20), 20),
        (ind.WMA(20), 20),
        (ind.ROC(20), 21),
        (ind.RSI(14), 15),
        (ind.MACD(12, 26, 9), 34),
        (ind.Bollinger(20), 20),
        (ind.ZScore(20), 20),
        (ind.ATR(14), 15),
        (ind.ADX(14), 28),
        (ind.Stochastic(14, 3, 3), 18),
        (ind.CCI(20), 20),
        (ind.OBV(), 1),
        (ind.MFI(14), 15),
        (ind.Donchian(20), 20),
        (ind.Keltner(20, 2.0, 10), 20),
        (ind.PSAR(), 2),
        (ind.Ichimoku(9, 26, 52), 78),
        (ind.Supertrend(10), 11),
        (ind.Cross(ind.SMA(5), ind.RSI(14)), 15),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_indicator_is_ready_with_the_bar_its_docstring_says_and_zero_before(indicator, bars):
    for i in range(bars - 1):
        indicator.step(HIGH[i], LOW[i], CLOSE[i], VOLUME[i])
        assert not indicator.ready
        assert [indicator.output(k) for k in range(len(indicator.names()))] == [0.0] * len(
            indicator.names()
        )
    indicator.step(HIGH[bars - 1], LOW[bars - 1], CLOSE[bars - 1], VOLUME[bars - 1])
    assert indicator.ready


def test_a_zscore_counts_population_deviations_from_the_average():
    (got,) = ind.series(ind.ZScore(20), MARKET[2])
    expected = (CLOSE - talib.SMA(CLOSE, 20)) / talib.STDDEV(CLOSE, 20)
    assert np.array(got)[19:] == pytest.approx(expected[19:], **NEAR)


def test_the_parabolic_stop_stands_on_the_side_its_direction_says():
    stop, direction = map(np.array, ind.batch(ind.PSAR(), *MARKET))
    up = direction[1:] > 0
    assert set(direction[1:]) == {1.0, -1.0}
    assert (stop[1:][up] <= LOW[1:][up]).all()
    assert (stop[1:][~up] >= HIGH[1:][~up]).all()


def test_the_supertrend_follows_the_published_rule():
    period, width = 10, 3.0
    atr = talib.ATR(HIGH, LOW, CLOSE, period)
    line, direction = map(np.array, ind.batch(ind.Supertrend(period, width), *MARKET))
    upper = (HIGH + LOW) / 2 + width * atr
    lower = (HIGH + LOW) / 2 - width * atr
    up = False
    for i in range(period + 1, len(CLOSE)):
        upper[i] = (
            upper[i] if upper[i] < upper[i - 1] or CLOSE[i - 1] > upper[i - 1] else upper[i - 1]
        )
        lower[i] = (
            lower[i] if lower[i] > lower[i - 1] or CLOSE[i - 1] < lower[i - 1] else lower[i - 1]
        )
        up = CLOSE[i] >= lower[i] if up else CLOSE[i] > upper[i]
        assert direction[i] == (1.0 if up else -1.0)
        assert line[i] == pytest.approx(lower[i] if up else upper[i], **NEAR)
    assert set(direction[period:]) == {1.0, -1.0}


def test_the_vwap_is_the_traded_value_over_the_volume_since_the_session_began():
    vwap = ind.VWAP()
    vwap.update(100.0, 0.0)
    assert not vwap.ready
    vwap.update(100.0, 30.0)
    vwap.update(110.0, 10.0)
    assert vwap.value == 102.5
    vwap.reset()
    assert (vwap.value, vwap.ready) == (0.0, False)
    vwap.step(12.0, 9.0, 9.0, 5.0)
    assert vwap.value == 10.0


def test_a_bar_object_is_taken_as_its_prices():
    one, other = ind.MFI(14), ind.MFI(14)
    for i in range(50):
        one.bar(Bar(1, i, 60, CLOSE[i], HIGH[i], LOW[i], CLOSE[i], int(VOLUME[i])))
        other.update(HIGH[i], LOW[i], CLOSE[i], VOLUME[i])
    assert one.value == other.value != 0.0


@pytest.mark.parametrize("make", MAKERS)
def test_the_batch_form_gives_what_streaming_gives(make):
    streamed = make()
    columns = ind.batch(make(), *MARKET)
    for i in range(300):
        streamed.step(HIGH[i], LOW[i], CLOSE[i], VOLUME[i])
        assert [streamed.output(k) for k in range(len(columns))] == [
            column[i] for column in columns
        ]
        assert [getattr(streamed, name) for name in streamed.names()] == [
            column[i] for column in columns
        ]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("volume", [0.0, 100.0])
def test_a_market_that_stands_still_gives_numbers_and_no_division_by_zero(make, volume):
    indicator = make()
    for _ in range(200):
        indicator.step(250.0, 250.0, 250.0, volume)
    assert all(math.isfinite(indicator.output(k)) for k in range(len(indicator.names())))


@pytest.mark.parametrize("make", MAKERS)
def test_an_update_leaves_no_memory_behind(make):
    indicator = make()
    bars = [tuple(float(column[i]) for column in (HIGH, LOW, CLOSE, VOLUME)) for i in range(500)]
    for bar in bars:
        indicator.step(*bar)
    before = sys.getallocatedblocks()
    for _ in range(4):
        for bar in bars:
            indicator.step(*bar)
    assert sys.getallocatedblocks() - before < 50


def test_a_million_updates_end_where_a_fresh_reckoning_ends():
    draw = random.Random(11)
    prices, price = [], 100_000.0
    for i in range(1_000_000):
        price = max(1.0, price * (1 + draw.gauss(0, 0.002)))
        prices.append(price if i % 100_000 != 99_900 else 1e9)  # a bad tick now and then
    moving = [ind.SMA(50), ind.WMA(50), ind.Bollinger(50), ind.ZScore(50), ind.MFI(50)]
    sma, wma, bollinger, zscore, mfi = moving
    for i, price in enumerate(prices):
        for indicator in moving:
            indicator.step(price, price, price, float(i % 7))
    window = prices[-50:]
    mean = math.fsum(window) / 50
    deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in window) / 50)
    assert sma.value == pytest.approx(mean, rel=1e-13)
    assert wma.value == pytest.approx(
        math.fsum((k + 1) * x for k, x in enumerate(window)) / 1275, rel=1e-13
    )
    assert bollinger.upper == pytest.approx(mean + 2 * deviation, rel=1e-12)
    assert zscore.value == pytest.approx((window[-1] - mean) / deviation, rel=1e-9)
    fresh = ind.MFI(50)
    for i in range(1_000_000 - 51, 1_000_000):
        fresh.update(prices[i], prices[i], prices[i], float(i % 7))
    assert mfi.value == pytest.approx(fresh.value, rel=1e-12)


def test_the_native_and_the_interpreted_build_give_the_same_bytes():
    digest = hashlib.sha256()
    for make in MAKERS:
        for column in ind.batch(make(), *MARKET):
            digest.update(struct.pack(f"<{len(column)}d", *column))
    assert digest.hexdigest() == "23b5dd87a480d8ef92612d721adddae231a9eb8eb8db3bffba042845475fdfa9"


prices = st.lists(st.floats(0.05, 1e6), min_size=1, max_size=80)


@given(prices, st.integers(1, 9))
def test_a_rolling_extreme_is_the_extreme_of_the_last_values(values, period):
    highest, lowest = RollingExtreme(period), RollingExtreme(period, -1.0)
    for i, value in enumerate(values):
        highest.push(value)
        lowest.push(value)
        window = values[max(0, i - period + 1) : i + 1]
        assert (highest.value, lowest.value) == (max(window), min(window))
        assert highest.full == (i + 1 >= period)


@given(prices, st.integers(1, 9))
def test_a_rolling_sum_and_spread_are_those_of_the_last_values(values, period):
    window, spread = RollingWindow(period), RollingSpread(period)
    for i, value in enumerate(values):
        window.push(value)
        spread.push(value)
        last = values[max(0, i - period + 1) : i + 1]
        assert window.value == pytest.approx(math.fsum(last), rel=1e-12)
        if len(last) == period:
            mean = math.fsum(last) / period
            deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in last) / period)
            assert spread.mean == pytest.approx(mean, rel=1e-12)
            assert spread.deviation == pytest.approx(deviation, rel=1e-7, abs=1e-7)


def test_a_spread_is_exact_again_as_soon_as_a_jump_has_left_the_window():
    spread = RollingSpread(9)
    values = [0.05] + [1e6, 1e6 + 0.05] * 6
    for i, value in enumerate(values):
        spread.push(value)
        if i >= 9:
            mean = math.fsum(values[i - 8 : i + 1]) / 9
            expected = math.sqrt(math.fsum((x - mean) ** 2 for x in values[i - 8 : i + 1]) / 9)
            assert spread.deviation == pytest.approx(expected, rel=1e-7)


def test_a_total_keeps_what_plain_addition_would_lose():
    total = CompensatedSum()
    for x in (1e16, 1.0, 1.0, -1e16):
        total.add(x)
    assert total.value == 2.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ind.SMA(0), "a period of 0: at least 1"),
        (lambda: ind.RSI(1), "a period of 1: at least 2"),
        (lambda: ind.MACD(26, 12, 9), "a period of 12: at least 27"),
        (lambda: ind.Ichimoku(9, 26, 20), "a period of 20: at least 26"),
    ],
)
def test_a_period_that_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.real_data
def test_recorded_minutes_of_a_share_give_ta_libs_values(market_data):
    import pyarrow.parquet as pq

    file = min((market_data / "nse_1min").rglob("*.parquet"))
    table = pq.read_table(file).slice(0, 20_000)
    columns = {name.lower(): table.column(name) for name in table.column_names}
    high, low, close, volume = (
        np.array(columns[name], dtype=float) for name in ("high", "low", "close", "volume")
    )
    bars = [vec[float](column) for column in (high, low, close, volume)]
    for indicator, expected in (
        (ind.RSI(14), talib.RSI(close, 14)),
        (ind.ADX(14), talib.ADX(high, low, close, 14)),
        (ind.PSAR(), talib.SAR(high, low)),
        (ind.Bollinger(20), talib.SMA(close, 20)),
        (ind.MFI(14), talib.MFI(high, low, close, volume, 14)),
        (ind.CCI(20), talib.CCI(high, low, close, 20)),
    ):
        got = np.array(ind.batch(indicator, *bars)[0])
        warm = int(np.isnan(expected).sum())
        assert got[warm:] == pytest.approx(expected[warm:], rel=1e-8, abs=1e-8), type(
            indicator
        ).__name__


def test_a_cross_tells_when_the_fast_average_passes_the_slow_one_and_equal_is_not_above():
    draw = random.Random(3)
    ticks = [20_000]
    for _ in range(5_000):
        ticks.append(ticks[-1] + draw.randint(-2, 2))
    cross, above, turns, equal = ind.Cross(ind.SMA(4), ind.SMA(6)), None, 0, 0
    for place, tick in enumerate(ticks):
        bar = Bar(1, 0, 60, tick * 0.05, tick * 0.05, tick * 0.05, tick * 0.05, 1)
        told = cross.bar(bar) if place % 2 else cross.update(tick * 0.05)
        if place < 5:
            assert (told, cross.ready) == (0.0, False)
            continue
        fast, slow = 6 * sum(ticks[place - 3 : place + 1]), 4 * sum(ticks[place - 5 : place + 1])
        was, above = above, fast > slow
        assert told == (0.0 if was in (None, above) else 1.0 if above else -1.0)
        assert told == cross.value
        assert cross.above == above
        turns += told != 0.0
        equal += fast == slow
    assert turns > 300
    assert equal > 100


class HighLow(ind.Indicator):
    """An author's own indicator, in plain Python also where the core is native."""

    def __init__(self):
        super().__init__()
        self.low = 0.0

    def step(self, high, low, close, volume):
        del close, volume
        self.value, self.low, self.ready = max(self.value, high), low, True

    def names(self):
        return ["value", "low"]

    def output(self, index):
        return self.value if index == 0 else self.low


def test_an_indicator_of_ones_own_takes_bars_outputs_and_crosses_like_any_other():
    assert HighLow().bar(Bar(1, 0, 60, 2.0, 5.0, 1.0, 4.0, 10)) == 5.0
    column = vec[float]
    high, low = column([3.0, 5.0, 4.0]), column([1.0, 2.0, 3.0])
    highest, lowest = ind.batch(HighLow(), high, low, low, low)
    assert (list(highest), list(lowest)) == ([3.0, 5.0, 5.0], [1.0, 2.0, 3.0])
    cross = ind.Cross(ind.SMA(1), HighLow())
    assert [cross.update(price) for price in (4.0, 3.0, 5.0)] == [0.0, 0.0, 0.0]
    other = ind.Cross(HighLow(), ind.SMA(1))
    assert [other.update(price) for price in (4.0, 3.0, 4.0)] == [0.0, 1.0, -1.0]


def test_a_rate_of_change_keeps_the_price_it_is_measured_from():
    change = ind.ROC(3)
    assert [(change.update(price), change.before)[1] for price in (8.0, 9.0, 10.0, 11.0, 12.0)] == [
        *[0.0] * 3,
        8.0,
        9.0,
    ]
