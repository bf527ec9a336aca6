"""Training of `phones` models."""
