"""Outside of the house: command line, Textual app, and the wiring of everything below."""
