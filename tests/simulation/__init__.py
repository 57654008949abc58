"""A model of a whole fleet in simulated time: how many workers a night's work takes, and what gives way first."""
