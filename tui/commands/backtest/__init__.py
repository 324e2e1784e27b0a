"""Commands about backtests: run, results, bias checks, parity with a desk."""
