"""Dialogs that pick: a symbol, a list, columns, a price to be told of."""
