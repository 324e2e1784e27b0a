"""Bars of the past: files of others, the calendar's expectation, gaps, and impossible values."""
