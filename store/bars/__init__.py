"""Bars and ticks behind one port."""
