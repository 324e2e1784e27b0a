"""The room `engine/backtest/statistics`: see its README."""
