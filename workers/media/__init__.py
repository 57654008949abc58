"""Video in and out: the container's index, frames of a range, drawing, encoding and joining."""
