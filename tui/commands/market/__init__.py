"""Commands about the market: calendar, charges, instruments, tax."""
