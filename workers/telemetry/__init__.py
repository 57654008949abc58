"""What a fleet tells of itself: metrics, logs, traces. All of it is off, or plain text, unless it is asked for."""
