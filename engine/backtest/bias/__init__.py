"""Bias suite: the same backtest with another future, past or order, and a lint of the source."""
