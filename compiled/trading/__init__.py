"""The room `compiled/trading`: see its README."""
