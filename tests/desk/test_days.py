"""Several days in one run: each evening equals an account made of the exchange's trades."""

import weakref
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from engine.market.charges import load_rate_table as load_rates
from strategies import load_config
from tests.desk.support import rows
from tests.reference.account import Account
from tui.run.launch import launch_days, recorded_days
from tui.run.session import DeskSession, RunPlan
from tui.run.wiring import open_desk

pytestmark = pytest.mark.real_data
PATIENCE_S = 250


def evenings(folder, names, first, last):
    """Live the days and yield each as (station, desk) when it is over."""
    run = RunPlan("replay", folder, "", names, 0.0)
    for day in recorded_days(folder, names, "", first, last):
        station = DeskSession(load_config(None).values, replace(run, day=day))
        desk = open_desk(station)
        assert desk.done.wait(PATIENCE_S)
        assert desk.error is None
        station.close()
        yield station, desk
        run = replace(run, evening=station.evening())


def test_nothing_of_a_day_is_kept_when_it_is_over(tmp_path, monkeypatch, market_data, capfd):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    made = []

    def station(config, run):
        there = DeskSession(config, run)
        made.append((run.day, weakref.ref(there), weakref.ref(there.board)))
        return there

    monkeypatch.setattr("tui.run.launch.DeskSession", station)
    folder, config = market_data / "nse_1min", load_config(None).values
    names = ("INFY",)
    days = recorded_days(folder, names, "", "2024-06-03", "2024-06-04")
    assert launch_days(config, RunPlan("replay", folder, "", names, 0.0), days, as_json=True) == 0
    assert [day for day, *_ in made] == days
    assert all(kept() is None for _, *parts in made for kept in parts)
    assert not {"Unclosed", "Traceback"} & set(capfd.readouterr().err.split())


def traded(exchange):
    """Return the exchange's trades of a day as plain values."""
    return [
        (
            each.order.ask.listing.instrument.symbol,
            each.order.ask.product,
            each.order.ask.side,
            each.quantity,
            f"{each.ticks * int(each.order.ask.listing.instrument.tick_e4) / 10_000:.4f}",
            each.order.order_id,
        )
        for each in exchange.orders.trades
    ]


def compare(folder, names, first, last):
    """Live the days beside an account of our own; return (day, trades, shares) of each."""
    account, told = Account("1000000"), []
    for station, desk in evenings(folder, names, first, last):
        day, ledger = date.fromisoformat(station.run.day), desk.kernel.ledger
        number = int(f"{day:%Y%m%d}")
        rates = {
            name: load_rates().rates(name, "NSE", number) for name in ("EQ_DELIVERY", "EQ_INTRADAY")
        }
        assert ledger.start_cash == account.cash * 100, day
        trades = traded(station.sandbox.exchange)
        account.live(trades, rates)
        assert ledger.cash == account.cash * 100, day
        held = {}
        for ladder in desk.kernel.state.ladders.values():
            for rung in ladder.rungs:
                symbol = ladder.instrument.symbol
                held[symbol] = held.get(symbol, 0) + int(ladder.sign * rung.quantity)
        assert {symbol: shares for symbol, shares in held.items() if shares} == account.shares, day
        carried = station.evening().carried
        assert {
            one.key.partition(":")[2]: one.quantity + one.unsettled for one in carried.holdings
        } == account.shares
        assert carried.cash == account.cash * 100
        assert (desk.kernel.view.naked(), desk._loop.differences) == (0, ())
        summary = station.summary()
        assert (summary["fills"], summary["orders"]) == (
            len(trades),
            len({each[-1] for each in trades}),
        )
        told.append((station.run.day, len(trades), dict(account.shares)))
    fills = rows(station.database, "SELECT * FROM fills")
    for fill in sorted(fills, key=lambda row: (row["ts"], int(row["trade_id"].lstrip("T")))):
        side = 1 if fill["side"] == "BUY" else -1
        found = account.realised(
            fill["strategy"], fill["symbol"], side, fill["quantity"], Decimal(str(fill["price"]))
        )
        assert fill["realised"] == found, fill
    assert len(fills) == sum(each[1] for each in told)
    return told


def test_days_over_a_weekend_and_a_holiday_equal_an_account_made_from_the_trades(
    tmp_path, monkeypatch, market_data
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    told = compare(market_data / "nse_1min", ("CANBK", "BEL"), "2024-06-14", "2024-06-18")
    assert [day for day, _, _ in told] == ["2024-06-14", "2024-06-18"]  # the 17th was a holiday
    assert all(trades for _, trades, _ in told)
    assert any(shares for _, _, shares in told[:-1])


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("first", "last"), [("2024-06-03", "2024-06-14"), ("2024-10-28", "2024-11-08")]
)
def test_many_days_of_every_name_equal_an_account_made_from_the_trades(
    tmp_path, monkeypatch, market_data, first, last
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert len(compare(market_data / "nse_1min", (), first, last)) > 6
