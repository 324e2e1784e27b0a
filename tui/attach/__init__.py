"""Screens that are attached to a desk over its Unix socket."""
