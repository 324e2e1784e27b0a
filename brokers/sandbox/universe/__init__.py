"""The room `brokers/sandbox/universe`: see its README."""
