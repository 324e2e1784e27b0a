"""Backfill from a broker's history: gaps of the feed, and bars by download."""
