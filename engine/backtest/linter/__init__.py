"""The room `engine/backtest/linter`: see its README."""
