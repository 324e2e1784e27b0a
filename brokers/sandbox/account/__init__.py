"""The room `brokers/sandbox/account`: see its README."""
