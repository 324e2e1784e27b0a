"""The panes of the desk, each a pure function of the board."""
