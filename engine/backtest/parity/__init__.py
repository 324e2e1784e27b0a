"""Parity: what a desk did on a day beside what a backtest of that day does, and a cause for every rupee between them."""
