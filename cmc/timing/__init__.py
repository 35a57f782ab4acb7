"""When iterations begin: who waits for whom, as counts in runs, and the times that solve it."""
