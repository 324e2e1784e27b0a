"""Shadow trading: real orders, each with a twin at the simulated exchange, and what the two make of the same moment."""
