"""The room `tui/commands`: see its README."""
