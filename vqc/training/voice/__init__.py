"""Training of `voice` models."""
