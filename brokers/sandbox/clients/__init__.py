"""Clients of the sandbox: connections, frames and updates to them, quotes, postbacks."""
