"""The room `tui/commands/backtest`: see its README."""
