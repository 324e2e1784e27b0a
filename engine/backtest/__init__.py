"""Backtests: recorded bars through the desk's own kernel, their results, and their credibility."""
