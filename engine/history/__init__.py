"""Bars of the past: files of others, gaps, checks, adjustments, golden versions."""
