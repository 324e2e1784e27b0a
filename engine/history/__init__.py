"""Bars of the past: how files of others are read, what the calendar expects, what is missing, and what cannot be true."""
