"""A recorded day in place of a broker's market, played by the format of the broker's frames."""
