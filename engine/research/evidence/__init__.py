"""Evidence for the best of many trials: skill, or luck."""
