"""The room `tui/run`: see its README."""
