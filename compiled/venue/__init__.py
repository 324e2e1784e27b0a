"""The room `compiled/venue`: see its README."""
