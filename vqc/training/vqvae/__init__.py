"""Training of the models of the paper, for images and for audio."""
