"""Which passes make a chip of a network, and how lists of passes are written."""
