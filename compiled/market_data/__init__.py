"""Bars from ticks: every span in one pass, and the fields of a tick they need."""
