"""Money of the core: charges, contract notes and the ledger, exact to the paisa."""
