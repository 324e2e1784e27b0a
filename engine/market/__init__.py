"""Market as dated data: sessions, instruments, charges, order rules."""
