"""Panes of the Ops screen."""
