"""Conformance suite for every store of bars.

A class of tests that each store's own file derives from, with a fixture `store`.
"""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiled.model.values import Bar
from engine.errors import DataError
from engine.history.bar_series import BarSeries, StoredSeries, from_bars, to_bars
from engine.ports import BarStore

MINUTE = 60_000_000_000
OPEN = 1_717_472_700_000_000_000  # 2024-06-04 09:15:00 IST
FOREVER = 2**63 - 1
FIELDS = ("token", "start", "span", "open", "high", "low", "close", "volume", "ticks")
RELIANCE = {1: "RELIANCE"}


def fields(bars):
    return [tuple(getattr(bar, field) for field in FIELDS) for bar in bars]


def bar(minute=0, close=100.5, token=1, span=60, volume=1_000):
    return Bar(token, OPEN + minute * MINUTE, span, 100.05, 101.0, 99.95, close, volume, 7)


class BarStoreSuite:
    """The port's promises, in the order of its methods."""

    def test_bars_come_back_oldest_first_with_every_field(self, store):
        store.write([bar(2), bar(0), bar(1)], RELIANCE, "live")
        assert fields(store.read("RELIANCE", 60, 0, FOREVER, "live")) == fields(
            [bar(0), bar(1), bar(2)]
        )

    def test_many_symbols_are_read_as_each_would_be_by_itself(self, store):
        names = {1: "RELIANCE", 2: "SBIN", 3: "TCS"}
        store.write(
            [bar(minute, token=token) for minute in range(3) for token in (1, 2)], names, "live"
        )
        store.fold()
        store.write([bar(2, close=99.0), bar(3), bar(1, token=3)], names, "live")
        store.write([bar(3, close=98.0), bar(9)], names, "live")
        wanted, start, end = ["RELIANCE", "SBIN", "TCS", "NONE"], OPEN + MINUTE, OPEN + 5 * MINUTE
        found = store.read_many(wanted, 60, start, end, "live")
        assert {name: fields(bars) for name, bars in found.items()} == {
            name: fields(store.read(name, 60, start, end, "live")) for name in wanted
        }
        every = store.read_many(wanted, 60, 0, FOREVER, "live")
        assert {name: len(bars) for name, bars in every.items()} == {
            "RELIANCE": 5,
            "SBIN": 3,
            "TCS": 1,
            "NONE": 0,
        }
        assert [(b.start, b.close) for b in found["RELIANCE"]] == [
            (OPEN + MINUTE, 100.5),
            (OPEN + 2 * MINUTE, 99.0),
            (OPEN + 3 * MINUTE, 98.0),
        ]

    def test_the_range_includes_its_start_and_excludes_its_end(self, store):
        store.write([bar(minute) for minute in range(5)], RELIANCE, "live")
        found = store.read("RELIANCE", 60, OPEN + MINUTE, OPEN + 3 * MINUTE, "live")
        assert [b.start for b in found] == [OPEN + MINUTE, OPEN + 2 * MINUTE]

    def test_symbols_spans_and_versions_are_kept_apart(self, store):
        store.write([bar(0), bar(0, token=2), bar(0, span=300)], {1: "RELIANCE", 2: "SBIN"}, "live")
        store.write([bar(0, close=99.0)], RELIANCE, "golden")
        assert fields(store.read("RELIANCE", 60, 0, FOREVER, "live")) == fields([bar(0)])
        assert fields(store.read("RELIANCE", 300, 0, FOREVER, "live")) == fields([bar(0, span=300)])
        assert fields(store.read("SBIN", 60, 0, FOREVER, "live")) == fields([bar(0, token=2)])
        assert store.read("RELIANCE", 60, 0, FOREVER, "golden")[0].close == 99.0
        assert store.read("RELIANCE", 60, 0, FOREVER, "vendor") == []
        assert store.symbols(60, "live") == ["RELIANCE", "SBIN"]
        assert store.symbols(60, "vendor") == []

    @pytest.mark.parametrize("folds", [(), (0,), (1,), (0, 1)])
    def test_the_same_bar_again_replaces_the_first_folded_or_not(self, store, folds):
        for turn, close in enumerate((100.5, 100.9)):
            store.write([bar(0, close=close)], RELIANCE, "live")
            if turn in folds:
                store.fold()
        assert fields(store.read("RELIANCE", 60, 0, FOREVER, "live")) == fields(
            [bar(0, close=100.9)]
        )

    def test_of_one_bar_twice_in_a_batch_the_later_one_stays(self, store):
        store.write([bar(0, close=100.1), bar(1), bar(0, close=100.2)], RELIANCE, "live")
        assert [b.close for b in store.read("RELIANCE", 60, 0, FOREVER, "live")] == [100.2, 100.5]

    def test_a_token_that_is_used_again_has_bars_of_its_own(self, store):
        store.write([bar(0, token=1, close=100.1)], RELIANCE, "live")
        store.write([bar(0, token=9, close=100.2)], {9: "RELIANCE"}, "live")
        found = store.read("RELIANCE", 60, 0, FOREVER, "live")
        assert [(b.token, b.close) for b in found] == [(1, 100.1), (9, 100.2)]
        assert store.starts("RELIANCE", 60, "live").tolist() == [OPEN]

    @pytest.mark.parametrize(
        "symbol", ["M&M", "NIFTY 50", "A/B", "..", "x=y%2F", "किट", "it's", 'a"b', "%s"]
    )
    def test_any_symbol_can_be_stored(self, store, symbol):
        store.write([bar(0)], {1: symbol}, "live")
        store.fold()
        assert len(store.read(symbol, 60, 0, FOREVER, "live")) == 1
        assert store.symbols(60, "live") == [symbol]

    @pytest.mark.parametrize("price", [100.00005, float("nan"), float("inf")])
    def test_a_price_off_every_grid_is_refused_and_nothing_is_stored(self, store, price):
        with pytest.raises(DataError, match=r"a bar of token 1 at 2024-06-04T03:46:00"):
            store.write([bar(0), bar(1, close=price)], RELIANCE, "live")
        assert store.read("RELIANCE", 60, 0, FOREVER, "live") == []

    def test_a_token_without_a_symbol_is_named(self, store):
        with pytest.raises(DataError, match=r"tokens \[9\]"):
            store.write([bar(0, token=9)], RELIANCE, "live")

    def test_no_bars_are_nothing_to_do(self, store):
        store.write([], {}, "live")
        store.write_columns("SBIN", 60, "live", from_bars([]))
        assert store.contents() == []
        assert store.starts("SBIN", 60, "live").tolist() == []

    def test_years_and_months_that_end_in_india_are_not_torn(self, store):
        midnight = 1_704_047_400_000_000_000  # 2024-01-01 00:00 IST, still 2023 in UTC
        bars = [
            bar_at(midnight - MINUTE, 1.0),
            bar_at(midnight, 2.0),
            bar_at(midnight + 31 * 1_440 * MINUTE, 3.0),
        ]
        store.write(bars, {1: "GOLD"}, "live")
        assert [
            b.close for b in store.read("GOLD", 60, midnight - MINUTE, midnight + 1, "live")
        ] == [1.0, 2.0]
        assert [b.close for b in store.read("GOLD", 60, midnight, FOREVER, "live")] == [2.0, 3.0]

    @pytest.mark.parametrize(
        "closes",
        [(0.0025, 0.005), (1e-4, 2e-4), (142_383.9, 142_384.0), (100.0, 100.05), (0.0, 0.05)],
    )
    def test_prices_of_every_grid_come_back_exactly(self, store, closes):
        bars = [bar_at(OPEN + number * MINUTE, close) for number, close in enumerate(closes)]
        store.write(bars, RELIANCE, "live")
        assert fields(store.read("RELIANCE", 60, 0, FOREVER, "live")) == fields(bars)

    def test_columns_are_stored_straight_and_replace_what_was_there(self, store):
        store.write([bar(0, close=100.1), bar(5)], {1: "SBIN"}, "vendor")
        store.write_columns("SBIN", 60, "vendor", from_bars([bar(1), bar(0, close=100.2)]))
        assert fields(store.read("SBIN", 60, 0, FOREVER, "vendor")) == fields(
            [bar(0, close=100.2), bar(1), bar(5)]
        )

    def test_bars_of_many_symbols_are_stored_at_once_and_replace_what_was_there(self, store):
        store.write([bar(0, close=100.1), bar(5)], {1: "SBIN"}, "vendor")
        given_ = {"SBIN": [bar(0, close=100.2), bar(1)], "M&M": [bar(1)], "NONE": []}
        store.write_many({name: from_bars(bars) for name, bars in given_.items()}, 60, "vendor")
        assert store.symbols(60, "vendor") == ["M&M", "SBIN"]
        assert fields(store.read("M&M", 60, 0, FOREVER, "vendor")) == fields([bar(1)])
        assert fields(store.read("SBIN", 60, 0, FOREVER, "vendor")) == fields(
            [bar(0, close=100.2), bar(1), bar(5)]
        )
        store.write_many({}, 60, "vendor")

    def test_a_year_of_minutes_comes_back_as_arrays_and_any_part_of_it(self, store):
        random = np.random.default_rng(5)
        rows = 92_250
        start = OPEN + np.arange(rows) // 375 * 1_440 * MINUTE + np.arange(rows) % 375 * MINUTE
        close = 20_000 + np.cumsum(random.integers(-8, 9, rows)).clip(-15_000)
        prices = [part * 500 / 10_000.0 for part in (close, close + 4, close - 6, close)]
        given_ = BarSeries(
            start,
            *prices,
            random.integers(0, 2**40, rows),
            np.full(rows, 4),
            np.full(rows, 408_065),
        )
        store.write_columns("WALK", 60, "imported", given_)
        for low, high in ((0, rows), (40_000, 48_250), (rows - 1, rows)):
            end = int(start[high]) if high < rows else FOREVER
            found = store.columns("WALK", 60, int(start[low]), end, "imported")
            assert all(
                np.array_equal(kept, whole[low:high])
                for kept, whole in zip(found, given_, strict=True)
            )
        assert np.array_equal(store.starts("WALK", 60, "imported"), start)

    def test_its_contents_are_listed(self, store):
        store.write([bar(0), bar(0, token=2), bar(0, span=300)], {1: "RELIANCE", 2: "M&M"}, "live")
        store.write_columns("SBIN", 60, "vendor", from_bars([bar(0)]))
        store.fold()
        there = store.contents()
        assert [each[:3] for each in there] == [
            ("live", 60, "M&M"),
            ("live", 60, "RELIANCE"),
            ("live", 300, "RELIANCE"),
            ("vendor", 60, "SBIN"),
        ]
        assert all(isinstance(each, StoredSeries) and each.size > 0 for each in there)

    def test_what_is_removed_is_what_was_given_and_a_bar_that_has_changed_since_stays(self, store):
        store.write(
            [bar(0), bar(1), bar(2), bar(0, token=9)], {1: "RELIANCE", 9: "RELIANCE"}, "live"
        )
        store.write([bar(0)], RELIANCE, "vendor")
        given_ = store.columns("RELIANCE", 60, 0, OPEN + 2 * MINUTE, "live")
        store.write([bar(1, close=100.9)], RELIANCE, "live")
        before = store.removals()
        store.remove("RELIANCE", 60, "live", given_)
        assert fields(store.read("RELIANCE", 60, 0, FOREVER, "live")) == fields(
            [bar(1, close=100.9), bar(2)]
        )
        assert len(store.read("RELIANCE", 60, 0, FOREVER, "vendor")) == 1
        assert store.removals() > before
        store.remove("RELIANCE", 60, "live", store.columns("RELIANCE", 60, 0, FOREVER, "live"))
        assert store.symbols(60, "live") == []
        store.remove("NONE", 60, "live", given_)
        store.write([bar(5)], RELIANCE, "live")
        assert fields(store.read("RELIANCE", 60, 0, FOREVER, "live")) == fields([bar(5)])

    def test_the_name_of_a_version_is_taken_once_whoever_asks_at_the_same_time(self, store):
        taken = []
        threads = [
            threading.Thread(target=lambda: taken.append(store.claim("golden-1"))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == [False, False, False, True]
        assert (store.contents(), store.symbols(60, "golden-1")) == ([], [])
        store.write([bar(0)], RELIANCE, "golden-1")
        store.write([bar(0)], RELIANCE, "golden-2")
        assert not store.claim("golden-2")
        assert store.claim("golden-3")

    def test_averages_stand_beside_their_bars_and_replace_what_was_there(self, store):
        store.write([bar(0), bar(1), bar(2)], {1: "M&M"}, "golden-1")
        starts = store.starts("M&M", 60, "golden-1")
        assert store.averages("M&M", 60, "golden-1")[1] == {}
        for shift in (0.0, 0.25):
            columns = {
                f"ema_{period}": np.array([np.nan, 100.05 + shift, 1 / 3])
                for period in (9, 21, 50, 200)
            }
            store.write_averages("M&M", 60, "golden-1", starts, columns)
        there, found = store.averages("M&M", 60, "golden-1")
        assert list(found) == ["ema_9", "ema_21", "ema_50", "ema_200"]
        assert there.tolist() == starts.tolist()
        assert np.isnan(found["ema_50"][0])
        assert found["ema_50"][1:].tolist() == [100.3, 1 / 3]
        assert store.averages("SBIN", 60, "golden-1")[0].tolist() == []

    def test_the_store_agrees_with_a_dictionary(self, store):
        number = iter(range(1_000_000))

        @settings(max_examples=25)
        @given(
            st.lists(
                st.tuples(
                    st.booleans(),
                    st.lists(st.tuples(st.integers(0, 6), st.integers(1, 9)), min_size=1),
                )
            )
        )
        def agree(batches):
            version, expected = f"try {next(number)}", {}
            for fold, pairs in batches:
                store.write(
                    [bar(minute, close=float(close)) for minute, close in pairs],
                    {1: "SBIN"},
                    version,
                )
                expected |= dict(pairs)
                if fold:
                    store.fold()
            found = {
                (b.start - OPEN) // MINUTE: int(b.close)
                for b in store.read("SBIN", 60, 0, FOREVER, version)
            }
            assert found == expected

        agree()

    def test_writers_side_by_side_lose_nothing(self, store):
        def write(first):
            for minute in range(first, 40, 2):
                store.write([bar(minute), bar(minute, token=2)], {1: "RELIANCE", 2: "SBIN"}, "live")

        threads = [threading.Thread(target=write, args=(first,)) for first in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name, token in (("RELIANCE", 1), ("SBIN", 2)):
            expected = [bar(minute, token=token) for minute in range(40)]
            assert fields(store.read(name, 60, 0, FOREVER, "live")) == fields(expected)

    def test_the_store_is_the_engines_port(self, store):
        port: BarStore = store
        assert port.read("NONE", 60, 0, FOREVER, "live") == []
        assert to_bars(port.columns("NONE", 60, 0, FOREVER, "live"), 60) == []


def bar_at(start, close):
    return Bar(1, start, 60, close, close, close, close, 1, 1)
