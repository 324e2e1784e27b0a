"""The room `engine/day`: see its README."""
