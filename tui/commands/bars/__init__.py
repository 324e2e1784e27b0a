"""The room `tui/commands/bars`: see its README."""
