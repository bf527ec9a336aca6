"""Figures: numbers in, pictures out; no models, no files of runs."""
