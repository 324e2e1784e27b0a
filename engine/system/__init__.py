"""The room `engine/system`: see its README."""
