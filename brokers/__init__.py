"""Brokers behind the ports of the engine."""
