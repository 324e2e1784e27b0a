"""Running the desk: control socket, logs, health."""
