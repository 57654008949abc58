"""Object storage: the port that stages see, and its S3 adapter."""
