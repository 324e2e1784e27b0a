"""A local exchange that speaks Kite Connect v3, so that any program written on Kite runs without an account."""
