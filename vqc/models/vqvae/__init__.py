"""The models of the VQ-VAE paper (arXiv 1711.00937) and their priors."""
