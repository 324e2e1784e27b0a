"""Values, events and commands of the core, and the bounds of numbers from outside."""
