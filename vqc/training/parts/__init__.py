"""Parts of a trained codec, and how they are trained: prior, likelihood, perceptual decoder."""
