"""Training of `photo` models."""
