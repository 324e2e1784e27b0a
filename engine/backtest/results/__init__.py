"""The room `engine/backtest/results`: see its README."""
