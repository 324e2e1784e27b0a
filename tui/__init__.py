"""What a person touches: the command line, the Textual app, and the wiring of everything below."""
