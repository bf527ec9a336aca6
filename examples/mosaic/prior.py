"""A prior of mosaics: here the PixelCNN of the paper under another name. `CodePrior` says what every prior does."""

from vqc.models.vqvae.priors import PixelCNNPrior


class MosaicPrior(PixelCNNPrior):
    """Which colours stand beside which."""

    kind = "mosaic"
