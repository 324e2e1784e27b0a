"""Word of the broker: order book, trades and GTTs, and corrections of our books by them."""
