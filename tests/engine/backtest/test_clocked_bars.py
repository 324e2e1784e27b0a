"""Bars on one clock: their order, their parts, and the grid that they stand on."""

import numpy as np
import pytest

import engine.backtest.clocked_bars as module
from engine.backtest.clocked_bars import ReplayColumns, on_one_clock, price_grid
from engine.errors import DataError
from engine.history.bar_series import BarSeries

MINUTE = 60_000_000_000


def bars(minutes, prices, grid=0.05):
    close = np.round(np.array(prices) * grid, 4)
    count = len(minutes)
    start = np.array(minutes, np.int64) * MINUTE
    volume = np.full(count, 10)
    zeros = np.zeros(count, np.int64)
    return BarSeries(start, close, close, close, close, volume, zeros, zeros)


LATE = bars([2, 3, 5], [300, 301, 302])
EARLY = bars([1, 2, 3, 4], [100, 101, 102, 103])


def test_bars_come_by_start_and_then_by_first_appearance():
    clock = on_one_clock({"LATE": LATE, "EARLY": EARLY, "NONE": LATE.pick(slice(0, 0))})
    assert list(clock.names) == ["EARLY", "LATE"]
    assert (clock.starts // MINUTE).tolist() == [1, 2, 2, 3, 3, 4, 5]
    assert clock.slots.tolist() == [0, 0, 1, 0, 1, 0, 1]
    assert np.rint(clock.closes / 0.05).tolist() == [100, 101, 300, 102, 301, 103, 302]


@pytest.mark.parametrize("kept", [0, 100])
def test_parts_give_every_bar_once_and_never_part_a_moment(kept, monkeypatch):
    monkeypatch.setattr(module, "KEPT_ROWS", kept)
    columns = ReplayColumns(on_one_clock({"LATE": LATE, "EARLY": EARLY}), [7, 9])
    assert (columns.count, columns.moments) == (7, 5)
    for _ in range(2):
        ends, at = [], 0
        while at < columns.count:
            part = columns.part(at, min(at + 2, columns.count))
            assert part.starts == columns.bars.starts[at : at + part.count].tobytes()
            assert list(part.tokens) == [7, 9]
            at += part.count
            ends.append(at)
        assert ends == [3, 5, 7]
    assert columns.part(0, 0).count == 0


@pytest.mark.parametrize(("high", "low"), [(4.0, 5.0), (5.0, 0.0), (np.nan, 5.0), (2e9, 5.0)])
def test_prices_that_are_no_bar_are_refused_with_symbol_and_time(high, low):
    wrong = LATE._replace(high=LATE.high.copy(), low=LATE.low.copy())
    wrong.high[1], wrong.low[1] = high, low
    with pytest.raises(DataError, match=r"LATE, 1970-01-01T00:03:00\S*Z: these prices are no bar"):
        on_one_clock({"EARLY": EARLY, "LATE": wrong})


def test_no_bars_at_all_are_refused():
    with pytest.raises(DataError, match="no bar lies in a session of these days"):
        on_one_clock({"INFY": EARLY.pick(slice(0, 0))})


def test_the_grid_is_the_coarsest_that_holds_every_price_to_the_bit():
    assert price_grid(bars([1, 2], [100, 101])) == 500
    assert price_grid(bars([1, 2], [100, 102])) == 1_000
    assert price_grid(bars([1, 2], [100, 102], grid=0.01)) == 100
    assert price_grid(bars([1, 2], [3, 5], grid=1.0)) == 10_000
    assert price_grid(bars(range(200), [100] * 199 + [101])) == 500
    off = bars([1, 2], [100, 101])
    assert price_grid(off._replace(close=off.close + 1e-9)) == 0
