"""The room `brokers/sandbox/api`: see its README."""
