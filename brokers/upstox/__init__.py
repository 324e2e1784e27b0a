"""Upstox, read only: when the exchanges trade, as a second source."""
