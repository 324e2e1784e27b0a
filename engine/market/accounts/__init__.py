"""The room `engine/market/accounts`: see its README."""
