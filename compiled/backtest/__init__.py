"""Replay loops: recorded bars or ticks through one kernel and one venue."""
