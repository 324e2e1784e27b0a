"""Backtests: recorded bars through the desk's own kernel, what came of them, and how far it can be believed."""
