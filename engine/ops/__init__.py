"""Operation of a running desk: control socket, watchdog, doctor, register of desks."""
