"""Formats of brokers' market data, compiled for their adapters; nothing else of the core knows them."""
