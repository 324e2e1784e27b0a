"""Research: the trials of parameter sweeps, what they are worth, and what the next day trades."""
