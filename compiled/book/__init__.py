"""The room `compiled/book`: see its README."""
