"""Services of the machine: private files, whole files, locks, processes, structured logs."""
