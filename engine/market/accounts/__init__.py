"""Accounts of a financial year: deals, lots matched first in first out, tax, statements."""
