"""What is read and written: modules as text, their weights beside them, anything else."""
