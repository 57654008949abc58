"""The fleet on one machine: the same parts as in production, started and stopped together."""
