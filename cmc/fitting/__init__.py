"""What a network needs of a chip, and where on it stages go."""
