"""What crosses a process boundary: messages, object keys, names of queues and tasks, keypoints, errors, settings."""
