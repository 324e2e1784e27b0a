"""The room `engine/board`: see its README."""
