"""The room `engine/manual`: see its README."""
