"""Questions that make a configuration."""
