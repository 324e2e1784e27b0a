"""Market of the sandbox: books, crowd, phases of the day, checks of orders."""
