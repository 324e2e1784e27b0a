"""Run of the desk: configuration, credentials, session, wiring, launch."""
