"""How well codes of speech tell its phones: alignments, the map from codes to phones, its accuracy."""
