"""Shadow trading: real orders, each with a twin at the simulated exchange."""
