"""Formats of brokers' market data, compiled for their adapters; the core knows none of them."""
