"""Universe of a day: what is listed, from a dump, a generator or a tape."""
