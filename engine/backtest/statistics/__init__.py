"""Statistics of a backtest: metrics by definition, tables, significance, stress days."""
