"""The room `tui/commands/market`: see its README."""
