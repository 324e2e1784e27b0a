"""Simulated exchange of backtests and paper trading."""
