"""Order book of an exchange: price-time priority, and the call auction."""
