"""Commands about history and recordings: bars, golden versions, archive, ticks."""
