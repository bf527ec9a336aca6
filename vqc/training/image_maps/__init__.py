"""Training of `image-maps` models."""
