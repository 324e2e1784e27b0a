"""The order path: loop, gateway, governor, kill switch, reconciliation, board."""
