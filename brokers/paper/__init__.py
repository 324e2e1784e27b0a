"""Paper trading: live prices, the core's own venue as the exchange, and an account that lives in the journal."""
