"""The room `compiled/accounting`: see its README."""
