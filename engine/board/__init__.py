"""Board of the desk: what the kernel knows, written down for every screen."""
