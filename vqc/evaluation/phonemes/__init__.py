"""Phonemes in codes of speech: alignments, the map from codes to phones, its accuracy."""
