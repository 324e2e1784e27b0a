"""Reconciliation: the broker's books beside ours, and decisions about what differs."""
