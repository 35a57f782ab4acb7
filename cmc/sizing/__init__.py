"""How many slots each channel's ring needs, not to deadlock or not to wait."""
