"""Results for the research screen, read and started in a process beside the desk."""
