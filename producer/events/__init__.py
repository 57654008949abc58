"""Uploads that enqueue themselves: notifications of object stores, by webhook or queue, and listing for lost ones."""
