"""Ways about the screen: its help, and the choice of its looks."""
