"""The days of the made-up history that sweeps run on."""

from tests.engine.backtest.made_up import weekdays

DAYS = weekdays(5)  # 3 to 7 June 2024
