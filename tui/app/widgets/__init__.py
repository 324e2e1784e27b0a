"""Widgets of the screens: live table, bands, header, footer, theme."""
