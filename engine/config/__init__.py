"""Configuration of the desk: every setting with bounds, default and origin."""
