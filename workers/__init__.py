"""What runs on workers: tasks, stages, and what they are made of."""
