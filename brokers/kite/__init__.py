"""Zerodha Kite: REST through the official client, market data through our own."""
