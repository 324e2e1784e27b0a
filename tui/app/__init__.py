"""The room `tui/app`: see its README."""
