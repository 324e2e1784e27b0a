"""The room `brokers/backfill`: see its README."""
