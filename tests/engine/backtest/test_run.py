"""Backtests through the kernel.

What is replayed, what it costs, and that stopping, parts and builds change nothing.
"""

from datetime import date

import numpy as np
import pytest

from compiled.model.values import MINUTE, SECOND, Product
from compiled.trading.risk import RiskLimits
from compiled.venue.slippage import FixedTicks, Slippage, VolumeShare
from engine.backtest.backtest_run import BacktestRun, RunSettings
from engine.backtest.replayed_bars import bars_within, prices_on_grid, replay_bars
from engine.backtest.results.round_trips import fill_columns, kept_overnight
from engine.backtest.results.run_reckoning import reckon_run
from engine.backtest.run_bars import (
    BarVersions,
    days_of,
    span_for,
)
from engine.backtest.traded_market import instruments_of, market_of, tick_of
from engine.errors import ConfigError, DataError, NothingFound
from engine.market import charges
from engine.market.accounts.account_statement import account_postings
from engine.market.accounts.deals import charged_deals, deals_of
from engine.market.calendar import DAY, Calendar
from store.bars.parquet_bars import ParquetBars
from tests.engine.backtest.histories import Told, day_of, history, joined, walk
from tests.engine.backtest.made_up import at

TUESDAY, WEDNESDAY, THURSDAY = date(2024, 6, 4), date(2024, 6, 5), date(2024, 6, 6)
CASH = 1_000_000_00
FLAT = [100.0] * 375


def made(
    series,
    strategies,
    days=(TUESDAY, WEDNESDAY, THURSDAY),
    slippage=None,
    warm_up=5,
    span=60,
    symbols=None,
):
    found = [day for day in days_of(series.values(), days[0], days[-1]) if day in days]
    calendar = Calendar.load()
    market = market_of(
        instruments_of(series, None, found[-1]),
        found,
        calendar,
        charges.load_rate_table(),
        None,
        120 * SECOND,
        span,
    )
    settings = RunSettings(CASH, RiskLimits(), slippage or Slippage(), warm_up=warm_up)
    bars = replay_bars(series, market)
    return BacktestRun(strategies, symbols or {}, bars, span, market, calendar, settings)


def reckoned(backtest):
    """Return its trades and account."""
    found = reckon_run(backtest)
    return found.trades, found.account


def independent(backtest):
    """Return what the account's statement makes of the fills, day by day.

    Contract notes, depository, balance.
    """
    symbols = {int(each.token): each.symbol for each in backtest.market.instruments.values()}
    rows = [
        {
            "ts": fill.ts,
            "exchange": "NSE",
            "symbol": symbols[int(fill.order.token)],
            "side": fill.order.side.name,
            "quantity": int(fill.quantity),
            "price": fill.price,
            "order_id": fill.order.order_id,
            "trade_id": fill.trade_id,
        }
        for fill in backtest.fills
    ]
    table = charges.load_rate_table()
    return account_postings(
        charged_deals(deals_of(rows), table), table, date(2020, 1, 1), date(2030, 1, 1), CASH
    )


def test_a_session_without_a_bar_of_the_index_has_no_close_of_it():
    series = day_of(TUESDAY, [100.0] * 375)
    backtest = made({"INFY": series}, [Told({})], (TUESDAY,))
    assert backtest.run()
    index = day_of(TUESDAY, [24_000.0] * 375)
    assert reckon_run(backtest, index).account.daily.market.tolist() == [24_000.0]
    # what it closed at a week before is no close of today
    old = index._replace(start=index.start - 7 * DAY)
    assert np.isnan(reckon_run(backtest, old).account.daily.market).all()


def test_a_round_trip_costs_what_its_open_its_slippage_and_the_contract_note_say():
    opens = [100.0] * 10 + [102.0] * 365
    told = Told({at(TUESDAY, "09:20"): 10, at(TUESDAY, "09:29"): 0})
    backtest = made({"INFY": day_of(TUESDAY, opens)}, [told], (TUESDAY,), FixedTicks(2))
    assert backtest.run()
    [trade], account = reckoned(backtest)
    assert (trade.entry_ts, trade.exit_ts) == (at(TUESDAY, "09:21"), at(TUESDAY, "09:30"))
    tick = float(backtest.market.instruments["INFY"].tick)
    assert (trade.entry_price, trade.exit_price) == (100.0 + 2 * tick, 102.0 - 2 * tick)
    assert trade.slippage == 2 * round(2 * tick * 10 * 100)
    assert trade.gross == round((2.0 - 4 * tick) * 10 * 100)
    assert (trade.entry_reason, trade.exit_reason) == ("told to", "exit: told to")
    assert (
        account.daily.equity[-1]
        == CASH + trade.gross - trade.charges
        == independent(backtest)[-1].balance
    )
    assert account.daily.turnover.tolist() == [round((trade.entry_price + trade.exit_price) * 1000)]
    assert account.daily.closed.tolist() == [1]
    assert account.costs["depository"] == 0, "bought and sold on one day, nothing was delivered"


def test_the_account_is_the_statements_to_the_paisa_delivery_and_depository_included():
    days = (TUESDAY, WEDNESDAY, THURSDAY)
    series = {
        name: walk(days, seed, token=seed)
        for seed, name in enumerate(("INFY", "SBIN", "TCS"), start=1)
    }
    orders = {
        at(day, clock): shares
        for day, clock, shares in (
            (TUESDAY, "09:20", 12),
            (TUESDAY, "11:00", 0),
            (TUESDAY, "14:00", 30),
            (WEDNESDAY, "10:00", 0),
            (WEDNESDAY, "10:30", 7),
            (WEDNESDAY, "15:20", 0),
            (THURSDAY, "09:30", 5),
        )
    }
    backtest = made(series, [Told(orders, stop=20.0)], days, FixedTicks(1))
    assert backtest.run()
    trades, account = reckoned(backtest)
    lines = independent(backtest)
    held = sum(
        round(float(backtest.series[each.symbol].close[-1]) * each.quantity * 100)
        for each in trades
        if each.is_open
    )
    assert [each.is_open for each in trades].count(True) == 3
    assert account.daily.equity[-1] == lines[-1].balance + held
    assert (
        sum(account.costs.values())
        == account.daily.charges.sum()
        == sum(each.charges for each in trades)
    )
    assert sum(each.net for each in trades) == account.daily.equity[-1] - CASH
    # ₹15.93 for each of three shares that left on Wednesday
    assert account.costs["depository"] == 3 * 1593
    for number, day in enumerate(days):
        spent = sum(each.charges for each in lines if each.day == day)
        assert account.daily.charges[number] == spent
    assert account.daily.exposure[-1] == held
    assert account.curve[-1] == account.daily.equity[-1]


def test_a_position_that_is_delivered_over_several_days_bears_the_depository_on_each():
    days = (TUESDAY, WEDNESDAY, THURSDAY)
    volumes = (100_000, 1_000, 1_000)  # of which an order takes a hundredth in a minute
    series = {
        "INFY": joined(
            *(day_of(day, FLAT, volume=each) for day, each in zip(days, volumes, strict=True))
        )
    }
    orders = {at(TUESDAY, "09:20"): 200, at(WEDNESDAY, "15:25"): 0}
    backtest = made(series, [Told(orders, stop=20.0)], days, VolumeShare(0.01, 0.0))
    assert backtest.run()
    assert {fill.ts // (86_400 * SECOND) for fill in backtest.fills if fill.order.side < 0} == {
        at(day, "12:00") // (86_400 * SECOND) for day in (WEDNESDAY, THURSDAY)
    }
    [trade], account = reckoned(backtest)
    assert account.costs["depository"] == 2 * 1593
    assert trade.charges == sum(account.costs.values())
    assert trade.net == account.daily.equity[-1] - CASH


def test_of_two_shares_sold_the_one_that_was_bought_again_is_not_delivered_and_bears_nothing():
    days = (TUESDAY, WEDNESDAY)
    series = {
        name: joined(*(day_of(day, FLAT, token=token) for day in days))
        for token, name in ((1, "INFY"), (2, "SBIN"))
    }
    both = {at(TUESDAY, "09:20"): 10, at(WEDNESDAY, "09:20"): 0}
    again = Told({at(WEDNESDAY, "10:00"): 10}, stop=20.0, name="again")
    names = {"told": ["INFY", "SBIN"], "again": ["INFY"]}
    backtest = made(series, [Told(both, stop=20.0), again], days, symbols=names)
    assert backtest.run()
    trades, account = reckoned(backtest)
    # the ten INFY sold and the ten bought again are intraday
    assert account.costs["depository"] == 1593
    shares = {each.symbol: each.charges for each in trades if each.exit_ts}
    assert shares["SBIN"] - shares["INFY"] >= 1593
    assert sum(each.charges for each in trades) == sum(account.costs.values())


def test_the_curve_ends_where_the_account_does_on_a_day_whose_bars_end_early():
    series = {"INFY": joined(day_of(TUESDAY, FLAT), day_of(WEDNESDAY, FLAT[:60]))}
    orders = {at(TUESDAY, "09:20"): 10, at(WEDNESDAY, "09:20"): 0}
    backtest = made(series, [Told(orders, stop=20.0)], (TUESDAY, WEDNESDAY))
    assert backtest.run()
    _, account = reckoned(backtest)
    assert account.costs["depository"] == 1593
    assert account.curve[-1] == account.daily.equity[-1]


class Shorts(Told):
    def on_bar(self, ctx, bar):
        if not ctx.warming and not ctx.position(bar.token):
            ctx.sell(bar.token, 10, 20.0)


@pytest.mark.parametrize("span", [60, 180, 300, 900, 1_800, 3_600, 86_400])
def test_nothing_intraday_is_held_over_night_whatever_the_length_of_the_bars(span):
    days = (TUESDAY, WEDNESDAY, THURSDAY)
    starts = [
        at(day, "09:15") + k * span * SECOND for day in days for k in range(-(-375 * 60 // span))
    ]
    bars = joined(*(day_of(day, FLAT[: len(starts) // 3]) for day in days))._replace(
        start=np.array(starts)
    )
    backtest = made({"INFY": bars}, [Shorts({}, span=span)], days, span=span)
    assert backtest.run()
    assert all(fill.order.product is Product.MIS for fill in backtest.fills)
    trades, _ = reckoned(backtest)
    assert all(
        each.entry_ts // (86_400 * SECOND) == each.exit_ts // (86_400 * SECOND) for each in trades
    )
    assert not any(each.is_open for each in trades)
    if span == 86_400:
        assert not trades
        assert backtest.kernel.decisions.refusals["SQUARE_OFF"] == 2
    else:
        assert [each.exit_reason for each in trades] == ["square-off"] * 3
        assert all(
            at(TUESDAY, "15:15") <= trades[0].exit_ts < at(TUESDAY, "15:20") for each in trades
        )


def test_an_intraday_position_that_no_bar_was_there_to_leave_with_is_named():
    series = {"INFY": joined(day_of(TUESDAY, FLAT[:200]), day_of(WEDNESDAY, FLAT))}
    backtest = made(series, [Shorts({})], (TUESDAY, WEDNESDAY))
    assert backtest.run()
    [token] = [int(each.token) for each in backtest.market.instruments.values()]
    columns = fill_columns(backtest.fills, {token: 0}, [*backtest.series.values()])
    assert kept_overnight(columns, ["INFY"]) == ["INFY on 2024-06-04"]


def test_days_of_before_margin_funding_was_charged_for_are_replayed_without_it():
    day = date(2021, 3, 2)
    with pytest.raises(LookupError, match="EQ_MTF"):
        charges.load_rate_table().rates("EQ_MTF", "NSE", 20_210_302)
    told = Told({at(day, "09:20"): 10, at(day, "09:30"): 0})
    backtest = made({"INFY": day_of(day, FLAT)}, [told], (day,))
    assert backtest.market.days == [day]
    assert backtest.run()
    assert len(backtest.fills) == 2


def test_worst_and_best_are_those_of_the_bars_between_entry_and_exit():
    opens = [100.0] * 10 + [97.0] * 10 + [105.0] * 10 + [101.0] * 345
    told = Told({at(TUESDAY, "09:20"): 10, at(TUESDAY, "09:50"): 0}, stop=10.0)
    backtest = made({"INFY": day_of(TUESDAY, opens, spread=0.5)}, [told], (TUESDAY,))
    backtest.run()
    [trade], _ = reckoned(backtest)
    assert (trade.mae, trade.mfe) == (-3_500, 5_500)  # 96.50 and 105.50 against 100.00, ten shares


def test_parts_of_any_size_give_the_same_run(monkeypatch):
    days = (TUESDAY, WEDNESDAY)
    series = {
        name: walk(days, seed, token=seed)
        for seed, name in enumerate(("INFY", "SBIN", "TCS"), start=1)
    }
    orders = {at(TUESDAY, "09:15") + k * 17 * MINUTE: 0 if k % 2 else 10 for k in range(20)}
    digests = set()
    for size in (1, 7, 1_000, 10**9):
        monkeypatch.setattr("engine.backtest.replayed_bars.CHUNK", size)
        backtest = made(series, [Told(orders)], days)
        assert backtest.run()
        trades, account = reckoned(backtest)
        digests.add(
            (
                backtest.digest,
                tuple(trades),
                account.daily.equity.tobytes(),
                account.curve.tobytes(),
            )
        )
    assert len(digests) == 1
    assert len(next(iter(digests))[1]) > 20


def test_a_run_that_is_stopped_keeps_what_was_done(monkeypatch):
    monkeypatch.setattr("engine.backtest.replayed_bars.CHUNK", 300)
    days = (TUESDAY, WEDNESDAY)
    series = {"INFY": walk(days, 1)}
    orders = {
        at(day, clock): shares for day in days for clock, shares in (("09:30", 5), ("12:00", 0))
    }
    stopped, whole = (made(series, [Told(orders)], days) for _ in range(2))
    assert not stopped.run(lambda done, _all: done < 300)
    assert whole.run()
    assert stopped.bars_done == 300
    first, account = reckoned(stopped)
    both, _ = reckoned(whole)
    assert len(both) == 2
    assert first == both[:1]
    assert len(account.daily.day) == 1


def test_what_a_stopped_run_holds_stands_at_the_last_price_it_came_to(monkeypatch):
    monkeypatch.setattr("engine.backtest.replayed_bars.CHUNK", 300)
    # at 100 for the bars that are replayed, at 300 and 10 later
    series = {"INFY": day_of(TUESDAY, [100.0] * 301 + [300.0] * 40 + [10.0] * 34)}
    stopped = made(series, [Told({at(TUESDAY, "09:30"): 5})], (TUESDAY,))
    assert not stopped.run(lambda done, _all: done < 300)
    [held], account = reckoned(stopped)
    assert (held.is_open, held.exit_price, held.gross) == (True, 100.0, 0)
    # each bar reaches half a rupee below and above
    assert (held.mae, held.mfe) == (-250, 250)
    assert held.net == account.daily.equity[-1] - CASH


def test_a_fault_of_a_strategy_ends_the_run_and_is_named():
    class Faulty(Told):
        def on_bar(self, ctx, bar):
            raise ZeroDivisionError("no")

    backtest = made({"INFY": day_of(TUESDAY, FLAT)}, [Faulty({})], (TUESDAY,))
    backtest.run()
    [failure] = backtest.failures
    assert failure.strategy == "told"
    assert isinstance(failure.error, ZeroDivisionError)


@pytest.mark.parametrize(("warm_up", "warm"), [(0, 0), (1, 375), (5, 750)])
def test_strategies_hear_the_sessions_before_the_first_and_can_ask_for_nothing(warm_up, warm):
    days = (TUESDAY, WEDNESDAY, THURSDAY)
    told = Told({at(WEDNESDAY, "10:00"): 5})
    backtest = made({"INFY": walk(days, 1)}, [told], (THURSDAY,), warm_up=warm_up)
    backtest.run()
    assert [warming for _, warming in told.heard].count(True) == warm
    assert len(told.heard) == warm + 375
    assert backtest.fills == []


def test_a_longer_strategy_hears_longer_bars_in_its_warm_up_and_after():
    told = Told({}, span=300)
    backtest = made({"INFY": walk((TUESDAY, WEDNESDAY), 1)}, [told], (WEDNESDAY,))
    backtest.run()
    starts = [start for start, _ in told.heard]
    assert len(starts) == 150
    assert starts == sorted(starts)
    assert {(start - at(TUESDAY, "09:15")) % (5 * MINUTE) for start in starts} == {0}


def test_bars_outside_the_session_are_left_out_and_counted():
    early = day_of(TUESDAY, [100.0] * 377)
    early = early._replace(start=early.start - 2 * MINUTE)  # from 09:13, the print of the pre-open
    backtest = made({"INFY": early}, [Told({})], (TUESDAY,))
    assert (backtest.dropped_bars, backtest.bars) == (2, 375)


def test_charges_are_those_of_each_day():
    """From October 2024 the exchange's fee and the depository's debit are others."""
    before, after = date(2024, 9, 30), date(2024, 10, 1)
    series = {"INFY": joined(day_of(before, FLAT), day_of(after, FLAT))}
    orders = {
        at(day, clock): shares
        for day in (before, after)
        for clock, shares in (("10:00", 1000), ("11:00", 0))
    }
    backtest = made(series, [Told(orders)], (before, after))
    assert backtest.run()
    _, account = reckoned(backtest)
    lines = independent(backtest)
    by_day = [sum(each.charges for each in lines if each.day == day) for day in (before, after)]
    assert account.daily.charges.tolist() == by_day
    assert by_day[0] != by_day[1]


# which bars


def test_golden_bars_are_read_where_there_are_any_and_else_raw_ones_and_both_are_said(tmp_path):
    bars = day_of(TUESDAY, FLAT)
    folder = history(tmp_path, {"INFY": bars, "SBIN": bars})
    history(tmp_path, {"INFY": bars}, "vendor")
    history(tmp_path, {"INFY": bars}, "golden-1")
    history(tmp_path, {"INFY": bars}, "golden-2")
    for version in ("golden-1", "golden-2"):
        (tmp_path / f"{version}.json").write_text("{}")
    versions = BarVersions(ParquetBars(folder), folder)
    assert versions.choose("INFY", 60, "") == "golden-2"
    assert versions.choose("INFY", 60, "vendor") == "vendor"
    assert versions.choose("SBIN", 60, "") == "imported"
    loaded = versions.load(["INFY", "SBIN"], 60, 0, 2**62, "", None)
    assert not loaded.is_golden
    assert loaded.warnings == ["not reconciled: bars of version imported"]
    assert loaded.manifests["INFY"].version == "golden-2"
    assert loaded.manifests["INFY"].bars == 375
    longer = joined(bars, day_of(WEDNESDAY, [101.0] * 375))
    history(tmp_path, {"INFY": longer}, "vendor")
    loaded = BarVersions(ParquetBars(folder), folder).load(["INFY"], 60, 0, 2**62, "", None)
    assert (loaded.is_golden, loaded.manifests["INFY"].version) == (False, "golden-2 + vendor")
    assert loaded.series["INFY"].close.tolist() == longer.close.tolist()
    assert loaded.warnings == ["not reconciled: bars of version golden-2 + vendor"]
    with pytest.raises(NothingFound, match="no bars of TCS"):
        versions.choose("TCS", 60, "")
    with pytest.raises(NothingFound, match="no bars of INFY, SBIN in these days"):
        versions.load(["INFY", "SBIN"], 60, 0, 1, "", None)


def test_a_night_that_looks_like_a_split_is_named_where_no_list_of_actions_is_known(tmp_path):
    halved = joined(day_of(TUESDAY, FLAT), day_of(WEDNESDAY, [50.0] * 375))
    folder = history(tmp_path, {"INFY": halved})
    loaded = BarVersions(ParquetBars(folder), folder).load(["INFY"], 60, 0, 2**62, "", None)
    assert any("a split not adjusted for: INFY on 2024-06-05" in each for each in loaded.warnings)


def test_the_length_of_the_bars_is_one_that_every_strategy_hears():
    assert span_for([60, 300, 86_400], 0, [300, 900]) == 60
    assert span_for([60, 300], 300, [300, 900]) == 300
    for spans, wanted in (([300], 0), ([60, 300], 300)):
        with pytest.raises(ConfigError, match="strategies of 60 s"):
            span_for(spans, wanted, [60])
    with pytest.raises(NothingFound, match="no bars yet"):
        span_for([], 0, [60])


def test_prices_stand_on_the_grid_and_the_grid_is_what_they_stand_on():
    bars = day_of(TUESDAY, [100.02, 100.05, 99.98])
    assert tick_of(bars, 0.05) == 0.01
    assert tick_of(day_of(TUESDAY, [100.05, 99.95]), 0.05) == 0.05
    snapped = prices_on_grid(bars, 0.05)
    assert snapped.open.tolist() == [100.0, 100.05, 100.0]
    assert (snapped.high >= np.maximum(snapped.open, snapped.close)).all()
    assert (snapped.low <= np.minimum(snapped.open, snapped.close)).all()


@pytest.mark.parametrize(
    "symbol", ["NIFTY26NOVFUT", "NIFTY26N1026000CE", "INFY26NOV1500PE", "NIFTY2610226000CE"]
)
def test_a_contract_is_refused(symbol):
    with pytest.raises(DataError, match="is a contract: the desk trades shares"):
        instruments_of({symbol: day_of(TUESDAY, FLAT)}, None, TUESDAY)


@pytest.mark.parametrize("symbol", ["NIFTY", "BANKNIFTY", "NIFTY 50", "SENSEX", "INDIA VIX"])
def test_an_index_is_one_by_either_of_its_names(symbol):
    assert instruments_of({symbol: day_of(TUESDAY, FLAT)}, None, TUESDAY)[symbol].kind == "INDEX"


@pytest.mark.parametrize("symbol", ["INFY", "3MINDIA", "M&M", "20MICRONS", "63MOONS"])
def test_a_share_is_neither(symbol):
    assert instruments_of({symbol: day_of(TUESDAY, FLAT)}, None, TUESDAY)[symbol].kind == "EQ"


def test_only_what_starts_in_a_session_is_kept():
    bars = day_of(TUESDAY, FLAT)
    opens, closes = np.array([at(TUESDAY, "09:20")]), np.array([at(TUESDAY, "09:30")])
    assert len(bars_within(bars, opens, closes).start) == 10


def test_a_day_that_the_calendar_does_not_know_is_left_out_and_a_run_of_such_days_is_refused():
    sunday = date(2024, 6, 2)
    series = {"INFY": joined(day_of(sunday, FLAT), day_of(TUESDAY, FLAT))}
    instruments, calendar, table = (
        instruments_of(series, None, TUESDAY),
        Calendar.load(),
        charges.load_rate_table(),
    )
    market = market_of(instruments, [sunday, TUESDAY], calendar, table, None, 0)
    assert (market.days, list(market.left)) == ([TUESDAY], [sunday])
    with pytest.raises(DataError, match="no day of these can be traded"):
        market_of(instruments, [sunday], calendar, table, None, 0)
