"""Order path: intent on disk, governor, kill switch, send, unknown answers looked up."""
