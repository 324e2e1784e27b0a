"""Commands on a desk: status, kill, orders by hand, limits, differences, login, doctor."""
