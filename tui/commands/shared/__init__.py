"""The room `tui/commands/shared`: see its README."""
