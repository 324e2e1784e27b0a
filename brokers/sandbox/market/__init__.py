"""The room `brokers/sandbox/market`: see its README."""
