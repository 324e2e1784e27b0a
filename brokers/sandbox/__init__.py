"""A local exchange that speaks Kite Connect v3: programs for Kite run without an account."""
