"""The room `compiled/model`: see its README."""
