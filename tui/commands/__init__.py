"""Command line: one module a command group, which pays only for what it needs."""
