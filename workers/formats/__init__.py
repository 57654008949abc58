"""Track files."""
