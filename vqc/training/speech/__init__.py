"""Training of `speech` models."""
