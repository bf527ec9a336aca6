"""Metrics of restored images and sounds, and comparisons of curves of such measurements."""
