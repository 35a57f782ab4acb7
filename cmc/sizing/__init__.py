"""How many slots each channel's ring needs, for a pipeline that does not deadlock, or does not wait."""
