"""The Ops screen, and what it reads beside the board."""
