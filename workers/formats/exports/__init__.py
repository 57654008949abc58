"""Track tables in the formats of other tools, written window after window."""
