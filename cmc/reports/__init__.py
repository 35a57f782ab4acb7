"""What a stream came to, as numbers and as text."""
