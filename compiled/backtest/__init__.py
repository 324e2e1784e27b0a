"""The room `compiled/backtest`: see its README."""
