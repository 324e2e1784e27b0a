"""The room `engine/config`: see its README."""
