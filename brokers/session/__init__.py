"""The room `brokers/session`: see its README."""
