"""Uploads that enqueue themselves: notifications of object stores, by webhook or queue, and listing for lost ones."""

PATH = "/v1/events/s3"
"""Where the API takes notifications."""
