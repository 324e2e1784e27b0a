"""Watch lists in their pane, and price alerts."""
