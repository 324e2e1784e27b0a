"""Stores of the house: trades, bars, recordings."""
