"""Promotion: what the desk trades the next day, beside its configuration, and how it came there."""
