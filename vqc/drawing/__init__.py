"""Figures: numbers in, pictures out; no models, no files of runs; the one room that knows matplotlib."""
