"""Restart of a kernel: the records that earlier runs have kept, and their way back into it."""
