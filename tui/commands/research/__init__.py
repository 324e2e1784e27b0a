"""Commands about research: sweeps of parameters, their scores, and how much of them is luck."""
