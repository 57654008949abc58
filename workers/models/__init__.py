"""Pose models: where they come from, the port that stages see, and its backends."""
