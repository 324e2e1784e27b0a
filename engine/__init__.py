"""The machinery around the core: threads, gateway, reconciliation, sessions, operations."""
