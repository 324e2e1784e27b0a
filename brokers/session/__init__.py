"""Session with Kite: login, token of the day, vault of secrets."""
