"""Paper trading: live prices, the core's own venue, and an account in the journal."""
