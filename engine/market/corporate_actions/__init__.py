"""Corporate actions: NSE's list, read, and what a split or a dividend does to a price."""
