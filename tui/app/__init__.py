"""Screen of the desk: a Textual app over the board, and a terminal driver for slow lines."""
