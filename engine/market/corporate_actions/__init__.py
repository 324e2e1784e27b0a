"""The room `engine/market/corporate_actions`: see its README."""
