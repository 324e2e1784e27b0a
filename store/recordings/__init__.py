"""Recordings of the feed in compressed files of checksummed blocks."""
