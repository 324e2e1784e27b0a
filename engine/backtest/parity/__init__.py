"""Parity: a desk's day beside a backtest of that day, and a cause for every rupee between them."""
