"""Requests of the operator: orders by hand, limits of the day, margins, reasons in words."""
