"""The room `compiled/market_data`: see its README."""
