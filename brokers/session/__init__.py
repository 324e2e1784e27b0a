"""Session with a broker: login redirect, token of the day, vault of secrets."""
