"""Capacity, against a reckoning by hand of every fill beside the volume of its minute."""

from types import SimpleNamespace

import numpy as np
import pytest

from engine.backtest.results.round_trips import volume_shares
from tests.engine.backtest.histories import history, walk
from tests.engine.backtest.made_up import weekdays
from tui.commands.backtest.backtest_job import BacktestJob
from tui.commands.backtest.backtest_request import BacktestRequest
from tui.run.configured import configuration

SIZES = {600: 100, 660: 0, 700: 400, 760: 0}
"""Minutes of a day, and what is bought at their end; 0 leaves."""
TRADER = f"""
from strategies import Strategy, StrategyParameters
class Trader(Strategy):
    def __init__(self, name: str, parameters: StrategyParameters) -> None:
        super().__init__(name, 60)
    def on_bar(self, ctx, bar):
        size = {SIZES}.get(ctx.time_of_day // 60)
        if size:
            ctx.buy(bar.token, size, 0.0, trail=False)
        elif size == 0:
            ctx.exit(bar.token)
"""


@pytest.mark.parametrize("cash", [1_000_000, 5_000_000])
def test_capacity_is_the_money_at_which_a_twentieth_of_the_bars_gives_a_hundredth(
    tmp_path, monkeypatch, cash
):
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "config/patang/strategies"
    folder.mkdir(parents=True)
    (folder / "trader.py").write_text(TRADER)
    days = weekdays(4)
    bars = walk(days, 5, spread=0.05)
    volume = np.random.default_rng(7).integers(20_000, 90_000, len(bars.start))
    # an auction that left no volume says nothing
    volume[760 - 555] = 0
    history(tmp_path / "state/patang/history", {"INFY": bars._replace(volume=volume)})
    request = BacktestRequest("trader", symbols=("INFY",), cash=cash, slippage="none")
    result = BacktestJob(configuration(None), request).execute()

    # what is asked for at a minute's end trades with the next minute
    shares = []
    for day in range(len(days)):
        minute = {time: int(volume[day * 375 + time - 555]) for time in SIZES}
        held = {600: 100, 660: 100, 700: 400, 760: 400}
        shares += [held[time] / minute[time] for time in minute if minute[time]]
    shares.sort()
    place = 0.95 * (len(shares) - 1)
    low = int(place)
    tail = shares[low] + (place - low) * (shares[low + 1] - shares[low])
    found = {each.key: each for each in result.metrics}
    assert found["capacity"].unit == "₹"
    assert found["capacity"].value == pytest.approx(0.01 * cash / tail)
    assert len(result.outcome.volume_shares) == len(shares)


def test_orders_of_one_bar_share_its_volume():
    bars = walk(weekdays(1), 5)
    at = bars.start[[3, 3, 7]] + np.array([0, 5, 0])
    fills = SimpleNamespace(symbol=np.zeros(3), ts=at, quantity=np.array([100, 150, 40]))
    assert volume_shares(fills, [bars]).tolist() == [250 / 100_000, 40 / 100_000]
    assert volume_shares(fills, [bars._replace(volume=0 * bars.volume)]).tolist() == []
