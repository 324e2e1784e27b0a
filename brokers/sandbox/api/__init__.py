"""Routes of the sandbox: Kite's and its own, with access checks."""
