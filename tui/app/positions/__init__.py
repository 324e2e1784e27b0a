"""Acts on a position from the screen, and the tree behind one."""
