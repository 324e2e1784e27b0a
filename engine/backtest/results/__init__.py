"""Results of a backtest: its round trips, its account, comparisons and exports."""
