"""The room `engine/books`: see its README."""
