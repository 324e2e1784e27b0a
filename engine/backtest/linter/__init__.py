"""Linter of a backtest: rules for the usual reasons of results too good to be true."""
