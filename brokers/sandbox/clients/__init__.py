"""The room `brokers/sandbox/clients`: see its README."""
