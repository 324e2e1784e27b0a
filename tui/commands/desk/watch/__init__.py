"""Commands of watch lists and price alerts."""
