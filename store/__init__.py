"""Where trades and bars are kept."""
