"""Orders of the account at the sandbox: plain ones, varieties, GTTs, alerts."""
