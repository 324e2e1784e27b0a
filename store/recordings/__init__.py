"""Recordings of the feed: compressed files of checksummed blocks, written beside a desk and read back."""
