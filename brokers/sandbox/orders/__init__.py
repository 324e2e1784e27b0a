"""The room `brokers/sandbox/orders`: see its README."""
