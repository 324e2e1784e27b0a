"""Past day behind the screen: what its watcher can do, and the desk that is played for it."""
