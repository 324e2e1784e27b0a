"""The room `tui/commands/desk`: see its README."""
