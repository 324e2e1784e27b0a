"""The market as dated data: sessions, instruments, charges."""
