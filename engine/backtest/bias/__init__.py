"""The room `engine/backtest/bias`: see its README."""
